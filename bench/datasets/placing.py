"""Putting a downloaded data set where it belongs: a link to a folder, a copy of one, or an unpacked archive."""

import shlex
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.datasets.archive import SUFFIXES, is_archive
from bench.datasets.base import DATASETS
from bench.datasets.unpack import unpack


def put(name: str, source: Path, place: Path, is_copy: bool) -> None:
    """Puts a set in its place, where it is afterwards whole or not at all.

    Args:
        name: A declared data set.
        source: A folder that holds it in one of its layouts, or an archive of such a folder.
        place: Where it belongs; nothing may be there.
        is_copy: Whether a folder is copied, rather than linked to; an archive is unpacked.

    Raises:
        FileNotFoundError: Nothing of the set is found in the source.
        ValueError: Its place is taken, images lack their partners, or the archive is damaged or would do harm.
    """
    if not is_archive(source):
        _check_layout(name, source)
    _check_place(name, source, place)
    place.parent.mkdir(parents=True, exist_ok=True)
    if is_archive(source):
        _unpack(name, source, place)
    elif is_copy:
        _copy(source, place)
    else:
        place.symlink_to(source.resolve(), target_is_directory=True)


def _check_layout(name: str, source: Path) -> None:
    """Refuses a folder in which nothing of the set is found, before anything is linked or copied."""
    if not source.is_dir():
        kinds = f"an archive ({', '.join(SUFFIXES)}) or the folder of the unpacked {name}"
        found = "another file" if source.exists() else "nothing"
        raise FileNotFoundError(f"{source}: not a folder; expected {kinds}, found {found}")
    if not _is_set(name, source):
        raise FileNotFoundError(f"{source}: {_expected(name, source)}")


def _is_set(name: str, folder: Path) -> bool:
    """Whether any split of the set is found in a folder."""
    return any(split.find(folder) for split in DATASETS[name].splits.values())


def _expected(name: str, folder: Path) -> str:
    """Says what a folder holds in the place of a set."""
    expected = "\n  ".join(str(layout) for split in DATASETS[name].splits.values() for layout in split.layouts)
    found = ", ".join(sorted(path.name for path in folder.iterdir())[:8]) or "nothing"
    return f"no images of {name}; found {found}; expected one of\n  {expected}"


def _check_place(name: str, source: Path, place: Path) -> None:
    """Refuses what would lose a set that is there, or copy a folder into itself."""
    if place.exists() and place.resolve() == source.resolve():
        raise ValueError(f"{place} is this folder already; `python -m bench data verify {name}` checks it")
    if place.is_symlink() or place.exists():
        remove = f"rm {'' if place.is_symlink() else '-r '}{shlex.quote(str(place))}"
        raise ValueError(f"{place} is already there; to import another one, remove it first: `{remove}`")
    if place.resolve().is_relative_to(source.resolve()):
        raise ValueError(f"{source} holds {place}, where the set belongs; give the folder of the unpacked set alone")


def _copy(source: Path, place: Path) -> None:
    """Copies a folder so that it is there whole or not at all."""
    with _partial(place) as partial:
        shutil.copytree(source, partial)
        partial.rename(place)


def _unpack(name: str, source: Path, place: Path) -> None:
    """Unpacks an archive so that the set is there whole or not at all.

    Raises:
        FileNotFoundError: Nothing of the set is found in it, nor in the one folder that holds everything.
        ValueError: It is damaged, a member would do harm, or images lack their partners.
    """
    with _partial(place) as partial:
        unpack(source, partial)
        folders = [partial, *([only] if (only := _only_folder(partial)) else [])]
        try:
            found = next((folder for folder in folders if _is_set(name, folder)), None)
        except ValueError as error:
            raise ValueError(f"{source}: {str(error).replace(f'{partial}/', '')}") from error
        if found is None:
            raise FileNotFoundError(f"{source}: {_expected(name, folders[-1])}")
        found.rename(place)


def _only_folder(folder: Path) -> Path | None:
    """The folder that holds all that is in a folder, if there is one."""
    inside = list(folder.iterdir())
    return inside[0] if len(inside) == 1 and inside[0].is_dir() and not inside[0].is_symlink() else None


@contextmanager
def _partial(place: Path) -> Iterator[Path]:
    """Where a set is put together before it is moved to its place; nothing of it is left there, whatever happens."""
    partial = place.with_name(f".{place.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    try:
        yield partial
    finally:
        shutil.rmtree(partial, ignore_errors=True)
