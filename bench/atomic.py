"""Files that are there whole or not at all."""

import os
from pathlib import Path

TEMPORARY = ".tmp"
"""How the names of files end that are being written; one that a killed process leaves is of no use."""


def write_atomically(path: Path, content: bytes, keep: Path | None = None) -> None:
    """Writes a file that is either there whole or not at all, whatever interrupts it; parents are made.

    Args:
        path: The file.
        content: What will be in it.
        keep: Where the file that was there before is kept; None replaces it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}{TEMPORARY}")
    try:
        with temporary.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        if keep is not None and path.exists():
            path.replace(keep)
        temporary.replace(path)
        _sync_folder(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


def _sync_folder(folder: Path) -> None:
    """Makes new names in a folder last through a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
