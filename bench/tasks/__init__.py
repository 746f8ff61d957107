"""Tasks, one declaration per file."""
