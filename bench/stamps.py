"""Files that have not changed since: what was found out about many of them is remembered, and not found out every time.

Files count as unchanged while their paths, sizes and modification times are the same. What is known is kept in the
user's cache folder (``$XDG_CACHE_HOME/slkd-bench``, by default ``~/.cache/slkd-bench``), which may be deleted any time.
"""

import hashlib
import json
import os
import sys
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from pathlib import Path

import psutil

SMALL = 64 * 2**20
"""Files of less than this many bytes together are looked at anew each time: that takes a moment."""

Stamp = list[int] | None
"""Size and modification time of a file or a folder; None where there is none."""
Stamps = Mapping[str, Stamp]


def stamps_of(files: Iterable[Path]) -> Stamps:
    """The stamps of files and folders by path, of those that are not there as well."""
    return {path: _stamp(path) for path in map(str, files)}


def are_same(stamps: Stamps) -> bool:
    """Whether files still have the stamps that they had."""
    return all(_stamp(path) == stamp for path, stamp in stamps.items())


def own_sources() -> set[Path]:
    """The source of this program: modules outside the standard library and installed packages, extensions included."""
    files = {Path(getattr(module, "__file__", None) or "") for module in tuple(sys.modules.values())}
    own = {path for path in files if path.is_absolute() and path.suffix == ".py"}
    return {path for path in own if "site-packages" not in path.parts and not path.is_relative_to(sys.base_prefix)}


def has_source_changed() -> bool:
    """Whether the program's source has changed since it was started, so that it may not be what is running."""
    started = 1e9 * psutil.Process().create_time()
    stamps = stamps_of(own_sources()).values()
    return any(stamp is None or stamp[1] > started for stamp in stamps)


def remembered(
    kind: str,
    paths: Iterable[Path],
    find_out: Callable[[], str],
    is_lasting: Callable[[str], bool] = lambda known: True,
) -> str:
    """What `find_out` says about files, remembered while they do not change.

    A note that cannot be read or is damaged counts as none, and one that cannot be written is done without.

    Args:
        kind: What is known of which files, with the version of the code that finds it out where that may change; a new
            note of a kind takes the place of the old one.
        paths: The files, whether they are there or not.
        find_out: Reads them.
        is_lasting: Whether what was found out stays true while the files do not change: a failure to read may pass.
    """
    stamps = sorted((os.path.abspath(path), stamp) for path, stamp in stamps_of(paths).items())  # noqa: PTH100 - many
    if sum(stamp[0] for _, stamp in stamps if stamp) < SMALL:
        return find_out()
    stamp = _checksum(json.dumps(stamps).encode())
    path = cache_folder() / _checksum(kind.encode(errors="surrogateescape"))
    known = _noted(path, stamp)
    if known is None:
        known = find_out()
        if is_lasting(known):
            with suppress(OSError):
                _note(path, stamp, known)
    return known


def cache_folder() -> Path:
    """The user's cache folder of this package."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "slkd-bench"


def _stamp(path: str) -> Stamp:
    try:
        status = os.stat(path)  # noqa: PTH116 - a hundred thousand files
    except OSError:
        return None
    return [status.st_size, status.st_mtime_ns]


def _noted(path: Path, stamp: str) -> str | None:
    """What a note says of files with this stamp; None where there is none whose checksum is right."""
    try:
        checksum, _, content = path.read_bytes().partition(b"\n")
    except OSError:
        return None
    noted, _, known = content.partition(b"\n")
    is_right = checksum == _checksum(content).encode() and noted == stamp.encode()
    return known.decode() if is_right else None


def _note(path: Path, stamp: str, known: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    content = f"{stamp}\n{known}".encode()
    temporary = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    temporary.write_bytes(_checksum(content).encode() + b"\n" + content)
    temporary.replace(path)


def _checksum(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
