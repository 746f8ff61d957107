"""Restoration networks, one file per family."""
