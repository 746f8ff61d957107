"""The digest of everything that a page is made from."""

import hashlib
from collections.abc import Iterator
from pathlib import Path

PARTS = {"cells": (".json", ".csv"), "networks": (".json",), "crops": (".json", ".webp")}
"""The folders of a results folder that a page reads, and what it reads there."""
SHARED = {"methods": (".json",), "published": (".yaml",), "data_sets": (".json",)}
"""Those that all results folders share."""


def inputs(results: Path, root: Path) -> str:
    """The sha256 of the names and contents of all files that a page is made from, the page's own included.

    Args:
        results: The results folder.
        root: The repository.
    """
    digest = hashlib.sha256()
    for name, path in sorted(_files(results, root)):
        digest.update(f"{name}\0{hashlib.sha256(path.read_bytes()).hexdigest()}\n".encode())
    return digest.hexdigest()


def _files(results: Path, root: Path) -> Iterator[tuple[str, Path]]:
    """Every file, and what it is called in the digest wherever the folders lie."""
    package = Path(__file__).parent
    yield from ((f"page/{path.name}", path) for path in package.iterdir() if path.is_file())
    for top, parts in ((results, PARTS), (root / "results", SHARED)):
        for part, suffixes in parts.items():
            found = (path for path in (top / part).rglob("*") if path.suffix in suffixes)
            yield from ((path.relative_to(top).as_posix(), path) for path in found)
