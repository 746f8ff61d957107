"""How a data set lies on disk: which files are the images, and which two belong together.

A layout is written as its authors describe it, with names in braces for what varies:
``Pairs("rainy_image/{scene}_{variant}.jpg", "ground_truth/{scene}.jpg")`` pairs ``rainy_image/901_14.jpg`` with
``ground_truth/901.jpg``. A name stands for the shortest text without a slash that fits, and for the same text
wherever it appears. The extension is that of the official files; images converted to another format are found too.
"""

import re
from collections import defaultdict
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from os.path import commonpath
from pathlib import Path
from typing import Literal, NamedTuple, Protocol

from bench.datasets.images import EXTENSIONS, list_images, natural_order
from bench.datasets.pictures import CentreOfImage, HalfOfImage, ImageFile, MatBlock, Picture, mat_shape

PAIR_FOLDERS = (("degraded", "clean"), ("input", "target"))

# The words by which published sets tell the two images of a pair apart: `Flower_blur1.png` and `Flower_sharp1.png`.
ROLE_WORDS = re.compile(
    r"(?<![a-z])(degraded|clean|input|target|rainy?|norain|blur|sharp|noisy|real|mean|gt|hazy|clear)(?![a-z])",
    re.IGNORECASE,
)


class Item(NamedTuple):
    """What a data set has of one scene: a pair; a clean image to be degraded; or a degraded one without its original.

    Attributes:
        name: Names the item in tables: its file's place below the set's folder, without the extension.
    """

    name: str
    degraded: Picture | None
    clean: Picture | None

    @property
    def pictures(self) -> tuple[Picture, ...]:
        """Those of the two that are there."""
        return tuple(picture for picture in (self.degraded, self.clean) if picture)


class Layout(Protocol):
    """Where a data set's images are. Printed, it says so in one line."""

    def find(self, root: Path) -> list[Item]:
        """Finds the images below a folder, in natural order of their names; empty where the layout is another.

        Raises:
            ValueError: The layout is this one, but a file has no partner or two files share one name.
        """


@dataclass(frozen=True)
class Pairs:
    """Two files a pair; a clean image may have several degraded versions.

    Attributes:
        degraded: Template of the degraded files.
        clean: Template of the clean files; its names are among those of ``degraded``.
        is_centred: Whether clean images are larger all around and to be cut to the size of the degraded ones.
        is_shared: Whether the folder of clean images serves other splits too.
    """

    degraded: str
    clean: str
    is_centred: bool = False
    is_shared: bool = False

    def __str__(self) -> str:
        return f"{self.degraded} with {self.clean}"

    def find(self, root: Path) -> list[Item]:
        degraded, clean = find_files(root, self.degraded), find_files(root, self.clean)
        if not degraded or not clean:
            return []
        shared = template_names(self.clean)
        originals = _unique((tuple(file.fields[name] for name in shared), file.path) for file in clean)
        used, items, lonely = set(), [], []
        for file in degraded:
            key = tuple(file.fields[name] for name in shared)
            used.add(key)
            if key in originals:
                items.append(Item("", ImageFile(file.path), self._clean(originals[key], file.path)))
            else:
                lonely.append(file.path)
        unused = [] if self.is_shared else [path for key, path in originals.items() if key not in used]
        refuse_lonely([*lonely, *unused])
        return named(items)

    def _clean(self, path: Path, degraded: Path) -> Picture:
        return CentreOfImage(path, degraded) if self.is_centred else ImageFile(path)


@dataclass(frozen=True)
class Listed:
    """Pairs that a text file lists, a pair a line: two paths relative to the file's folder.

    Attributes:
        list_file: The text file.
        order: Which of the two stands first in a line.
    """

    list_file: str
    order: Literal["degraded clean", "clean degraded"]

    def __str__(self) -> str:
        return f"the pairs in {self.list_file}"

    def find(self, root: Path) -> list[Item]:
        path = root / self.list_file
        if not path.is_file():
            return []
        items = []
        try:
            text = path.read_text(encoding="utf-8-sig")
        except UnicodeDecodeError as error:
            raise ValueError(f"{path}: expected a list of paths in UTF-8 ({error}); copy it again") from error
        for number, line in enumerate(text.splitlines(), start=1):
            if line.strip():
                items.append(self._item(line.split(), path, number))
        missing = [picture.path for item in items for picture in item.pictures if not picture.path.is_file()]
        if missing:
            raise ValueError(f"{path} lists {len(missing)} file(s) that are not there: {shown(missing)}")
        return named(items)

    def _item(self, columns: Sequence[str], path: Path, number: int) -> Item:
        if len(columns) != 2:
            raise ValueError(f"{path}, line {number}: expected two paths ({self.order}), got {len(columns)} words")
        first, second = (ImageFile(path.parent / column.lstrip("/")) for column in columns)
        return Item("", first, second) if self.order == "degraded clean" else Item("", second, first)


@dataclass(frozen=True)
class SideBySide:
    """One file a pair, the two images side by side.

    Attributes:
        template: Of the files.
        degraded: Which half is the degraded one.
    """

    template: str
    degraded: Literal["left", "right"]

    def __str__(self) -> str:
        return f"{self.template}, the degraded image on the {self.degraded}"

    def find(self, root: Path) -> list[Item]:
        clean: Literal["left", "right"] = "right" if self.degraded == "left" else "left"
        paths = [file.path for file in find_files(root, self.template)]
        return named(Item("", HalfOfImage(path, self.degraded), HalfOfImage(path, clean)) for path in paths)


@dataclass(frozen=True)
class MatBlocks:
    """Blocks of two arrays ``(images, blocks, H, W, 3)`` in MATLAB files.

    Attributes:
        degraded: The file of the degraded blocks.
        clean: The file of the clean blocks.
    """

    degraded: str
    clean: str

    def __str__(self) -> str:
        return f"{self.degraded} with {self.clean}"

    def find(self, root: Path) -> list[Item]:
        files = root / self.degraded, root / self.clean
        present = [path for path in files if path.is_file()]
        if len(present) < 2:
            refuse_lonely(present)
            return []
        shapes = [mat_shape(path) for path in files]
        if shapes[0] != shapes[1]:
            raise ValueError(f"{files[0]} and {files[1]} differ in shape: {shapes[0]} and {shapes[1]}")
        places = ((i, k) for i in range(shapes[0][0]) for k in range(shapes[0][1]))
        return [Item(f"{i + 1}_{k + 1}", *(MatBlock(path, i, k) for path in files)) for i, k in places]


@dataclass(frozen=True)
class Clean:
    """Clean images, which the task degrades.

    Attributes:
        templates: Of the files; all of them belong to the split.
    """

    templates: tuple[str, ...]

    def __str__(self) -> str:
        return f"{' and '.join(self.templates)}, clean images"

    def find(self, root: Path) -> list[Item]:
        files = [file for template in self.templates for file in find_files(root, template)]
        return named(Item("", None, ImageFile(file.path)) for file in files)


@dataclass(frozen=True)
class Degraded:
    """Degraded images of which no clean version exists; only metrics without a reference can score them.

    Attributes:
        template: Of the files.
    """

    template: str

    def __str__(self) -> str:
        return f"{self.template}, degraded images without clean ones"

    def find(self, root: Path) -> list[Item]:
        return named(Item("", ImageFile(file.path), None) for file in find_files(root, self.template))


@dataclass(frozen=True)
class PairFolders:
    """Two folders, ``degraded`` and ``clean`` or ``input`` and ``target``, paired by equal stems.

    Where stems differ, they are compared without the word that tells the two images apart (`ROLE_WORDS`).

    Attributes:
        folder: The folder that holds the two, relative to the set's.
    """

    folder: str = "."

    def __str__(self) -> str:
        below = "" if self.folder == "." else f"{self.folder}/"
        return " or ".join(f"{below}{{{first},{second}}}/{{name}}" for first, second in PAIR_FOLDERS)

    def find(self, root: Path) -> list[Item]:
        path = root / self.folder
        present = [names for names in PAIR_FOLDERS if all((path / name).is_dir() for name in names)]
        if len(present) > 1:
            both = " and ".join("/".join(names) for names in present)
            raise ValueError(f"{path}: holds both namings of the pair folders, {both}; remove or rename one")
        if not present:
            return []
        return pair_by_stem(*([file for file in list_images(path / name) if is_file(file)] for name in present[0]))


class File(NamedTuple):
    """A file that fits a template, with the text behind each of its names."""

    path: Path
    fields: Mapping[str, str]


def find_files(root: Path, template: str) -> list[File]:
    """Finds the images below a folder whose paths fit a template; hidden files are passed over.

    Folders are entered as deep as the template goes and no deeper, so that no loop of links can be followed for ever.

    Raises:
        ValueError: A link leads nowhere, or two files have one name but for case or extension.
    """
    files = list(_descend(root, template.split("/"), {}))
    _unique((file.path.with_suffix("").as_posix().casefold(), file.path) for file in files)
    return files


def is_file(path: Path) -> bool:
    """Whether there is a file.

    Raises:
        ValueError: There is a link that leads nowhere.
    """
    if path.is_file():
        return True
    if path.is_symlink() and not path.exists():
        raise ValueError(f"{path}: a symbolic link that leads nowhere or to itself; mend or remove it")
    return False


def template_names(template: str) -> list[str]:
    """The names in braces, in order of appearance."""
    return list(dict.fromkeys(re.findall(r"{(\w+)}", template)))


def base_folder(paths: Iterable[Path]) -> Path:
    """The deepest folder that holds all of these files."""
    return Path(commonpath([path.parent for path in paths]))


def shown(paths: Sequence[Path]) -> str:
    """A few paths for a message."""
    return ", ".join(map(str, paths[:5])) + (", ..." if len(paths) > 5 else "")


def refuse_lonely(paths: Sequence[Path]) -> None:
    """Refuses files that have no partner.

    Raises:
        ValueError: There are any; the message names them.
    """
    if paths:
        raise ValueError(f"{len(paths)} image(s) without a partner: {shown(paths)}; complete the set or remove them")


def named(items: Iterable[Item]) -> list[Item]:
    """Gives items their names, the place of their first file, and puts them in natural order.

    Raises:
        ValueError: Two items have one name.
    """
    found = list(items)
    if not found:
        return []
    paths = [item.pictures[0].path for item in found]
    base = base_folder(paths)
    names = [path.relative_to(base).with_suffix("").as_posix() for path in paths]
    first: dict[str, int] = {}
    for k, name in enumerate(names):
        if first.setdefault(name, k) != k:
            raise ValueError(f"{paths[first[name]]} and {paths[k]} would both be called {name!r}; remove one")
    order = sorted(range(len(found)), key=lambda k: natural_order(names[k]))
    return [found[k]._replace(name=names[k]) for k in order]


def _descend(folder: Path, segments: Sequence[str], fields: Mapping[str, str]) -> Iterator[File]:
    """Walks one segment of the template deeper."""
    segment, *rest = segments
    if not folder.is_dir():
        return
    if rest and "{" not in segment:
        yield from _descend(folder / segment, rest, fields)
        return
    pattern = _pattern(segment, fields, is_file=not rest)
    for path in sorted(folder.iterdir(), key=lambda path: path.name):
        match = None if path.name.startswith(".") else pattern.fullmatch(path.name)
        if match and rest:
            yield from _descend(path, rest, {**fields, **match.groupdict()})
        elif match and is_file(path):
            yield File(path, {**fields, **match.groupdict()})


def _pattern(segment: str, fields: Mapping[str, str], is_file: bool) -> re.Pattern[str]:
    """The regular expression of one segment; of a file any extension of an image is accepted."""
    stem = segment.rpartition(".")[0] if is_file else segment
    parts, seen = [], set(fields)
    for literal, name in re.findall(r"([^{]*)(?:{(\w+)})?", stem):
        parts.append(re.escape(literal))
        if name in fields:
            parts.append(re.escape(fields[name]))
        elif name:
            parts.append(f"(?P={name})" if name in seen else f"(?P<{name}>[^/]+?)")
            seen.add(name)
    extensions = "|".join(re.escape(extension) for extension in sorted(EXTENSIONS))
    return re.compile("".join(parts) + (f"(?i:{extensions})" if is_file else ""))


def _unique(pairs: Iterable[tuple[Hashable, Path]]) -> dict[Hashable, Path]:
    """Files by key.

    Raises:
        ValueError: Two files share one.
    """
    by_key: dict[Hashable, Path] = {}
    for key, path in pairs:
        if key in by_key:
            raise ValueError(f"{by_key[key]} and {path} have the same name but for case or extension; remove one")
        by_key[key] = path
    return by_key


def pair_by_stem(degraded: Sequence[Path], clean: Sequence[Path]) -> list[Item]:
    """Pairs files by equal stems, else by stems that are equal but for a role word.

    Raises:
        ValueError: A file has no partner, or could have two.
    """
    first, second = ({path.stem: path for path in paths} for paths in (degraded, clean))
    if first.keys() != second.keys():
        first, second = (_by_shared_stem(paths) for paths in (degraded, clean))
    lonely = first.keys() ^ second.keys()
    refuse_lonely([pool[key] for pool in (first, second) for key in pool if key in lonely])
    return [Item(second[key].stem, ImageFile(first[key]), ImageFile(second[key])) for key in second]


def _by_shared_stem(paths: Sequence[Path]) -> dict[str, Path]:
    """Files by the part of the stem that both images of a pair share."""
    keyed: dict[str, list[Path]] = defaultdict(list)
    for path in paths:
        keyed[ROLE_WORDS.sub("*", path.stem)].append(path)
    for same in keyed.values():
        if len(same) > 1:
            raise ValueError(f"{same[0]} and {same[1]} could both belong to the same partner; rename them")
    return {key: same[0] for key, same in keyed.items()}
