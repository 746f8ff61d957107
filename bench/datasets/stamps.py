"""What is known about files that have not changed since, so that large sets are read once and not every run.

Files count as unchanged while their paths, sizes and modification times are the same. What is known is kept in the
user's cache folder (``$XDG_CACHE_HOME/slkd-bench``, by default ``~/.cache/slkd-bench``), which may be deleted any time.
"""

import hashlib
import os
from collections.abc import Callable, Collection
from contextlib import suppress
from pathlib import Path

from bench.datasets.images import digest

SMALL = 64 * 2**20
"""Files of less than this many bytes together are looked at anew each time: that takes a moment."""


def content_digest(paths: Collection[Path], base: Path) -> str:
    """`digest` of files, remembered for large sets."""
    return remembered(f"sha256 below {base.absolute()}", paths, lambda: digest(paths, base))


def remembered(
    kind: str,
    paths: Collection[Path],
    find_out: Callable[[], str],
    is_lasting: Callable[[str], bool] = lambda known: True,
) -> str:
    """What `find_out` says about files, remembered while they do not change.

    A note that cannot be read or is damaged counts as none, and one that cannot be written is done without.

    Args:
        kind: What is known, with the version of the code that finds it out where that may change.
        paths: The files.
        find_out: Reads them.
        is_lasting: Whether what was found out stays true while the files do not change: a failure to read may pass.
    """
    stamp, total = _stamp(kind, paths)
    if total < SMALL:
        return find_out()
    path = cache_folder() / stamp
    known = _noted(path)
    if known is None:
        known = find_out()
        if is_lasting(known):
            with suppress(OSError):
                _note(path, known)
    return known


def cache_folder() -> Path:
    """The user's cache folder of this package."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "slkd-bench"


def _noted(path: Path) -> str | None:
    """What a note says; None where there is none whose checksum is right."""
    try:
        checksum, _, known = path.read_bytes().partition(b"\n")
    except OSError:
        return None
    return known.decode() if checksum.decode(errors="replace") == hashlib.sha256(known).hexdigest() else None


def _note(path: Path, known: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    temporary.write_bytes(f"{hashlib.sha256(known.encode()).hexdigest()}\n{known}".encode())
    temporary.replace(path)


def _stamp(kind: str, paths: Collection[Path]) -> tuple[str, int]:
    """Identifies files by place, size and time, and adds up their bytes."""
    known, total = hashlib.sha256(kind.encode()), 0
    for path in sorted(paths):
        status = path.stat()
        total += status.st_size
        known.update(f"{path.absolute()}\0{status.st_size}\0{status.st_mtime_ns}\n".encode(errors="surrogateescape"))
    return known.hexdigest(), total
