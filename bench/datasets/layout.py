"""How a data set lies on disk: which files are the images, and which two belong together.

A layout is written as its authors describe it, with names in braces for what varies (`bench.datasets.template`):
``Pairs("rainy_image/{scene}_{variant}.jpg", "ground_truth/{scene}.jpg")`` pairs ``rainy_image/901_14.jpg`` with
``ground_truth/901.jpg``.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

from bench.datasets.images import list_images
from bench.datasets.items import Item, named, pair_by_stem, refuse_lonely, shown
from bench.datasets.pictures import CentreOfImage, HalfOfImage, ImageFile, MatBlock, Picture, mat_shape
from bench.datasets.template import find_files, is_file, template_names, unique

PAIR_FOLDERS = (("degraded", "clean"), ("input", "target"))


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
        originals = unique((tuple(file.fields[name] for name in shared), file.path) for file in clean)
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
