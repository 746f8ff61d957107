"""What moved between two folders of records, by how much, and whether that is more than another seed would give."""

from bench.diff.comparison import Comparison, compare
from bench.diff.tables import lines, tables

__all__ = ["Comparison", "compare", "lines", "tables"]
