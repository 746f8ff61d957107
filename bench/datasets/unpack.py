"""Unpacking a data set's download, which anyone may have made: an archive is read whole before a file is written.

Archives can name files outside the folder that they are unpacked in, write through links of their own, or fill a disk.
See the documentation of ``tarfile``, "Extraction filters", and D. Fifield, "A better zip bomb", USENIX WOOT 2019.
"""

import gzip
import lzma
import os
import posixpath
import shutil
import struct
import tarfile
import unicodedata
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from bench.datasets.archive import LONGEST_NAME, LONGEST_PATH, HarmfulMemberError, Member, open_archive, slashed

CLUTTER = {"__MACOSX", ".DS_Store"}
"""What macOS adds to archives of its own accord."""
DAMAGES = (
    zipfile.BadZipFile, tarfile.TarError, zlib.error, lzma.LZMAError, gzip.BadGzipFile, struct.error, EOFError,
    LookupError, NotImplementedError, OverflowError, RecursionError, ValueError,
)  # fmt: skip
"""What the libraries raise on damaged archives."""


def unpack(source: Path, target: Path) -> None:
    """Unpacks an archive into a new folder. Files alone: who may read them, and when they were made, is not kept.

    Args:
        source: A file with one of `SUFFIXES`.
        target: The folder; on any error it is left for the caller to remove.

    Raises:
        ValueError: The archive is damaged, encrypted, larger than the space left, or a member would harm. The message
            names the member; nothing was written then.
    """
    free = shutil.disk_usage(next(parent for parent in target.absolute().parents if parent.exists())).free
    with ExitStack() as stack:
        with _refused(source, *DAMAGES, OSError):  # OSError: such as a place before the start of the file
            archive = open_archive(source, stack)
            members = [member for member in _within(archive.members(), free) if not _is_clutter(member)]
            _refuse_odd_paths(members)
            _refuse_odd_links(members)
            _refuse_clashes(members)
            archive.check(members)
        target.mkdir(parents=True)
        with _refused(source, *DAMAGES):
            # Links come last: then nothing can be written through one, whatever was overlooked.
            for member in sorted(members, key=lambda member: "link" in member.kind):
                archive.write(member, target)


@contextmanager
def _refused(source: Path, *damages: type[Exception]) -> Iterator[None]:
    """Turns what the libraries raise, and what a member would do, into an error that names the archive."""
    try:
        yield
    except HarmfulMemberError as error:
        raise ValueError(f"{source}: {error}; nothing of it was unpacked") from error
    except damages as error:
        raise ValueError(f"{source}: damaged, or no such archive ({error}); download it again") from error


def _within(members: Iterable[Member], free: int) -> Iterator[Member]:
    """Members, as long as their declared sizes fit into the space that is left, in bytes."""
    total = 0
    for member in members:
        total += member.size
        if total > free:
            raise HarmfulMemberError(member.name, f"would fill the disk: {total:,} bytes up to it, {free:,} are free")
        yield member


def _is_clutter(member: Member) -> bool:
    """Whether a member is of no use: an entry for the target itself, or what macOS adds."""
    return (member.path == "." and member.kind == "folder") or not CLUTTER.isdisjoint(member.path.split("/"))


def _refuse_odd_paths(members: Iterable[Member]) -> None:
    """Refuses members whose place is not below the target, or that no file system can hold."""
    for member in members:
        name = os.fsencode(member.name)
        if len(name) > LONGEST_PATH or max(map(len, name.split(b"/"))) > LONGEST_NAME or b"\0" in name:
            raise HarmfulMemberError(f"{member.name[:40]}...", "has a name that no file can have")
        if _is_absolute(member.name) or _is_outside(member.path, ".") or member.path == ".":
            raise HarmfulMemberError(member.name, "would be written outside the set's folder")


def _refuse_clashes(members: Iterable[Member]) -> None:
    """Refuses two members of one name, also where they differ in case alone, which not every file system tells."""
    seen: dict[str, tuple[str, bool]] = {}
    for member in members:
        for path in (member.path, *member.parents):
            found = path, path != member.path or member.kind == "folder"
            known = seen.setdefault(_folded(path), found)
            if known is not found and (known != found or (member.path == path and member.kind != "folder")):
                raise HarmfulMemberError(member.name, f"would take the place of {known[0]!r}, which it holds too")


def _refuse_odd_links(members: Sequence[Member]) -> None:
    """Refuses links that lead out, lead through other links, or stand where another member expects a folder."""
    links = {_folded(member.path) for member in members if member.kind == "symbolic link"}
    tops = {member.path.partition("/")[0] for member in members}
    # A folder that holds everything may become the set's: then what leads out of it leads out of the set.
    top = tops.pop() if len(tops) == 1 else "."
    files: set[str] = set()
    for member in members:
        if not links.isdisjoint(map(_folded, member.parents)):
            raise HarmfulMemberError(member.name, "would be written through a link of the archive")
        if member.kind == "symbolic link":
            *through, _ = places = _places(member)
            if not member.link or _is_absolute(member.link) or any(_is_outside(place, top) for place in places):
                raise HarmfulMemberError(member.name, f"is a link out of the set's folder, to {member.link!r}")
            if not links.isdisjoint(map(_folded, through)):
                raise HarmfulMemberError(member.name, f"is a link through another one, to {member.link!r}")
        elif member.kind == "hard link" and posixpath.normpath(slashed(member.link)) not in files:
            raise HarmfulMemberError(member.name, f"is a second name of {member.link!r}, which is no file before it")
        elif member.kind != "folder":
            files.add(member.path)


def _places(link: Member) -> list[str]:
    """The places that are passed on the way that a symbolic link leads, its end the last of them."""
    places = [posixpath.dirname(link.path)]
    for part in slashed(link.link).split("/"):
        places.append(posixpath.normpath(posixpath.join(places[-1], part)))
    return places[1:]


def _is_outside(path: str, folder: str) -> bool:
    """Whether a normal path is not in a folder, ``.`` or one beside which nothing stands."""
    return path.partition("/")[0] == ".." if folder == "." else path.partition("/")[0] != folder


def _is_absolute(name: str) -> bool:
    """Whether a path starts at a root, or with the letter of a drive."""
    return slashed(name).startswith("/") or name[1:2] == ":"


def _folded(path: str) -> str:
    """A path as a file system sees it that ignores case and how accents are written."""
    return unicodedata.normalize("NFC", path).casefold()
