"""The archives in which data sets are distributed, zip and tar: what they hold, and whether they are whole."""

import copy
import gzip
import lzma
import posixpath
import stat
import sys
import tarfile
import zipfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path, PurePosixPath
from typing import IO, Any, Literal, NamedTuple, Protocol, cast

OPENERS: dict[str, Callable[..., Any]] = {".tar": open, ".tar.gz": gzip.open, ".tgz": gzip.open, ".tar.xz": lzma.open}
SUFFIXES = (".zip", *OPENERS)
"""How the names of files end that can be unpacked."""
CHUNK = 2**20
LARGEST_READ = 2**24
"""Bytes that are read at once: no honest header, and no padding after the last file, is longer."""
LONGEST_PATH, LONGEST_NAME = 4096, 255
"""Bytes of a path and of each of its parts; Linux takes no more."""
SPECIAL = "would be neither a file nor a folder nor a link, but a device or a pipe"


class HarmfulMemberError(ValueError):
    """A member of an archive that is not unpacked; the message names it and what it would do."""

    def __init__(self, name: str, harm: str) -> None:
        super().__init__(f"its member {name!r} {harm}")


class Member(NamedTuple):
    """A file, folder or link in an archive.

    Attributes:
        name: As the archive has it.
        kind: What it is; a hard link is a second name of a file before it.
        size: Bytes of a file's content, as declared.
        link: Of a symbolic link the path it stands for, of a hard link the name of the other member.
        info: The library's description.
    """

    name: str
    kind: Literal["file", "folder", "symbolic link", "hard link"]
    size: int
    link: str
    info: Any

    @property
    def path(self) -> str:
        """Where it belongs below the target; ``.`` for the target itself."""
        return posixpath.normpath(slashed(self.name))

    @property
    def parents(self) -> list[str]:
        """The folders that hold it, as paths below the target."""
        return [str(parent) for parent in PurePosixPath(self.path).parents][:-1]


class Archive(Protocol):
    """An open archive of one of the formats."""

    def members(self) -> Iterator[Member]:
        """Lists what it holds; devices, pipes and what is encrypted are refused."""

    def check(self, members: Sequence[Member]) -> None:
        """Reads on to the end, so that damage is found before anything is written."""

    def write(self, member: Member, target: Path) -> None:
        """Writes a member into a folder."""


class ZipArchive:
    """A zip file. One that was made on Windows may have backslashes between the parts of a path."""

    def __init__(self, path: Path, stack: ExitStack) -> None:
        self._file = stack.enter_context(zipfile.ZipFile(path))

    def members(self) -> Iterator[Member]:
        for info in self._file.infolist():
            mode = info.external_attr >> 16 if info.create_system == 3 else 0  # 3: made on Unix
            if info.flag_bits & 1:
                raise HarmfulMemberError(info.filename, "is encrypted: unpack it yourself, and give the folder")
            if stat.S_ISLNK(mode):
                yield Member(info.filename, "symbolic link", info.file_size, self._link(info), info)
            elif stat.S_IFMT(mode) in (0, stat.S_IFREG, stat.S_IFDIR):
                is_folder = info.is_dir() or info.filename.endswith("\\")
                yield Member(info.filename, "folder" if is_folder else "file", info.file_size, "", info)
            else:
                raise HarmfulMemberError(info.filename, SPECIAL)

    def check(self, members: Sequence[Member]) -> None:
        for member in members:
            for _ in self._content(member.info):
                pass

    def write(self, member: Member, target: Path) -> None:
        path = target / member.path
        path.parent.mkdir(parents=True, exist_ok=True)
        if member.kind == "folder":
            path.mkdir(exist_ok=True)
        elif member.kind == "symbolic link":
            path.symlink_to(member.link)
        else:
            with path.open("xb") as file:
                file.writelines(self._content(member.info))

    def _link(self, info: zipfile.ZipInfo) -> str:
        if info.file_size > LONGEST_PATH:
            raise HarmfulMemberError(info.filename, f"would be a link to a path of {info.file_size:,} bytes")
        return b"".join(self._content(info)).decode()

    def _content(self, info: zipfile.ZipInfo) -> Iterator[bytes]:
        """The bytes of a file in chunks; where they end, the library compares their checksum."""
        # The library stops at the declared size without a word; it is told none, so that what is longer is seen.
        endless, size = copy.copy(info), 0
        endless.file_size = sys.maxsize
        with self._file.open(endless) as file:
            while chunk := file.read(min(CHUNK, info.file_size - size + 1)):
                size += len(chunk)
                if size > info.file_size:
                    raise HarmfulMemberError(info.filename, f"is longer than the {info.file_size:,} bytes it declares")
                yield chunk
        if size < info.file_size:
            raise zipfile.BadZipFile(f"{info.filename!r} ends after {size:,} of {info.file_size:,} bytes")


class TarArchive:
    """A tar file, compressed or not."""

    def __init__(self, path: Path, stack: ExitStack) -> None:
        stream: IO[bytes] = stack.enter_context(OPENERS[suffix(path)](path, "rb"))
        self._stream = cast(IO[bytes], BoundedReads(stream))
        self._file = stack.enter_context(tarfile.TarFile(fileobj=self._stream))

    def members(self) -> Iterator[Member]:
        end = -1
        for info in self._file:
            if info.size < 0 or info.offset <= end:
                raise tarfile.ReadError(f"the header of {info.name!r} leads backwards")
            end = info.offset
            if info.isdir() or info.isreg():
                yield Member(info.name, "folder" if info.isdir() else "file", info.size, "", info)
            elif info.issym() or info.islnk():
                yield Member(info.name, "symbolic link" if info.issym() else "hard link", 0, info.linkname, info)
            else:
                raise HarmfulMemberError(info.name, SPECIAL)

    def check(self, members: Sequence[Member]) -> None:
        # The library takes a damaged header for the end of the archive, and does not look at what a stream ends with.
        self._stream.seek(self._file.offset)
        end = self._stream.read(LARGEST_READ)
        if len(end) < tarfile.BLOCKSIZE or end.strip(b"\0") or self._stream.read(1):
            raise tarfile.ReadError("no end of the archive where one is due: it is cut off or a header is damaged")

    def write(self, member: Member, target: Path) -> None:
        link = member.link if member.kind == "symbolic link" else posixpath.normpath(slashed(member.link))
        plain = member.info.replace(name=member.path, linkname=link, deep=False)
        self._file.extract(plain, target, set_attrs=False, filter="data")


class BoundedReads:
    """A file that refuses to be read in pieces that no honest archive needs, which a header can demand.

    Args:
        file: A file that can be read and wound back.
    """

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.seek, self.tell = file.seek, file.tell

    def read(self, size: int = -1) -> bytes:
        """Reads up to ``size`` bytes.

        Raises:
            tarfile.ReadError: More than `LARGEST_READ`, or a negative number.
        """
        if not 0 <= size <= LARGEST_READ:
            raise tarfile.ReadError(f"a header declares {size:,} bytes of its own")
        return self._file.read(size)


def is_archive(path: Path) -> bool:
    """Whether there is a file that can be unpacked, by its name."""
    return path.is_file() and suffix(path) != ""


def open_archive(path: Path, stack: ExitStack) -> Archive:
    """Opens an archive of the format that its name says, until the stack is left."""
    return ZipArchive(path, stack) if suffix(path) == ".zip" else TarArchive(path, stack)


def slashed(name: str) -> str:
    """A path with slashes, as Windows' programs do not always write it."""
    return name.replace("\\", "/")


def suffix(path: Path) -> str:
    """That of `SUFFIXES` with which a name ends; empty where none does."""
    return next((suffix for suffix in SUFFIXES if path.name.lower().endswith(suffix)), "")
