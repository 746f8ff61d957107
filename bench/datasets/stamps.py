"""Digests of the files of data sets, so that large sets are read once and not every run."""

import hashlib
from collections.abc import Collection
from pathlib import Path

from bench.datasets.images import digest
from bench.stamps import remembered


def content_digest(paths: Collection[Path], base: Path) -> str:
    """`digest` of files, remembered for large sets."""
    names = hashlib.sha256("\n".join(sorted(map(str, paths))).encode(errors="surrogateescape")).hexdigest()
    return remembered(f"sha256 of {names} below {base.absolute()}", paths, lambda: digest(paths, base))
