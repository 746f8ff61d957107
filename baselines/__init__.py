"""Published methods that SLKD is compared with, one file per method; the file's name is the registry name."""
