"""Data sets: one declaration per file, and what they are made of."""
