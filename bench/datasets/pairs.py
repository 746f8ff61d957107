"""Pairs of degraded and clean images: both on disk, or the degraded one made on the fly."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from bench.datasets.decoded import DecodedImages
from bench.datasets.degrade import Degradation, Image, to_float
from bench.datasets.images import Pixels
from bench.datasets.items import Item, base_folder, named
from bench.datasets.layout import PairFolders
from bench.datasets.pictures import ImageFile, Picture
from bench.datasets.stamps import content_digest
from bench.seeding import generator

MEMORY_BUDGET = 2 * 2**30
"""Bytes of decoded pixels that a source keeps: 2 GiB are about 4,600 images of 481x321."""


class StoredPairs:
    """Pairs whose two images are on disk.

    Args:
        items: What was found of the data set, degraded images included.
        dataset: The data set's name.
        memory: Bytes of decoded pixels to keep.
    """

    def __init__(self, items: Sequence[Item], dataset: str, memory: int = MEMORY_BUDGET) -> None:
        self.dataset = dataset
        self.items = items
        self._images = DecodedImages(memory)

    def __len__(self) -> int:
        return len(self.items)

    def digest(self) -> str:
        sides = ([item.degraded for item in self.items], [item.clean for item in self.items])
        return " ".join(_digest([picture for picture in side if picture]) for side in sides if any(side))

    def name(self, index: int) -> str:
        return self.items[index].name

    def pair(self, index: int) -> tuple[Pixels, Pixels | None]:
        _, degraded, clean = self.items[index]
        assert degraded is not None
        return self._images[degraded], self._images[clean] if clean else None

    def crop(self, rng: np.random.Generator, size: int) -> tuple[Image, Image]:
        name, degraded, clean = self.items[int(rng.integers(len(self)))]
        if degraded is None or clean is None:
            raise ValueError(f"{self.dataset}: {name} is not a pair; a network cannot be trained on it")
        sides = self._images.size(clean), self._images.size(degraded)
        if sides[0] != sides[1]:
            sizes = " and ".join("{1}x{0}".format(*side) for side in reversed(sides))
            raise ValueError(f"{degraded.path} and {clean.path} differ in size: {sizes} pixels; a pair must be aligned")
        place = _place(sides[0], size, clean.path, rng)
        orientation = int(rng.integers(8))
        first, second = (_oriented(self._cut(p, place, size), orientation) for p in (degraded, clean))
        return to_float(first), to_float(second)

    def _cut(self, picture: Picture, place: tuple[int, int], size: int) -> Pixels:
        rows, columns = (slice(start, start + size) for start in place)
        return self._images.window(picture, rows, columns)


class SyntheticPairs:
    """Clean images on disk, degraded on the fly.

    Args:
        items: What was found of the data set; only the clean images are read.
        degradation: Draws a new degradation for every crop, and always the same one for whole image ``index``.
        dataset: The data set's name.
        seed: Another seed degrades the whole images differently.
        memory: Bytes of decoded pixels to keep.
    """

    def __init__(
        self,
        items: Sequence[Item],
        degradation: Degradation,
        dataset: str,
        seed: int = 0,
        memory: int = MEMORY_BUDGET,
    ) -> None:
        self.dataset = dataset
        self.items = [item for item in items if item.clean]
        self._clean = [item.clean for item in items if item.clean]
        self._degradation = degradation
        self._seed = seed
        self._images = DecodedImages(memory)

    def __len__(self) -> int:
        return len(self._clean)

    def digest(self) -> str:
        return f"{_digest(self._clean)} {self.dataset} {self._seed} {self._degradation}"

    def name(self, index: int) -> str:
        return self.items[index].name

    def pair(self, index: int) -> tuple[Image, Pixels]:
        clean = self._images[self._clean[index]]
        rng = generator(self.dataset, "whole image", self._seed, index)
        margin = self._degradation.margin
        wide = np.pad(clean, ((margin, margin), (margin, margin), (0, 0)), mode="reflect")
        return self._degradation(to_float(wide), rng), clean

    def crop(self, rng: np.random.Generator, size: int) -> tuple[Image, Image]:
        picture, margin = self._clean[int(rng.integers(len(self)))], self._degradation.margin
        shape = self._images.size(picture)
        place = _place(shape, size, picture.path, rng)
        window, missing = _window(place, shape, size, margin)
        inside = self._images.window(picture, *window)
        # What lies beyond the image's border is reflected.
        inside = np.pad(inside, missing, mode="reflect") if any(map(any, missing)) else inside
        # Turned before it is degraded, so that rain keeps falling down.
        wide = to_float(_oriented(inside, int(rng.integers(8))))
        middle = slice(margin, margin + size)
        return self._degradation(wide, rng), wide[middle, middle]


def open_folder(path: Path, dataset: str | None = None) -> StoredPairs:
    """Opens a folder of pairs in the layout `PairFolders`.

    Args:
        path: The folder that holds the two folders.
        dataset: The data set's name; the folder's by default.

    Raises:
        FileNotFoundError: One of the folders is missing.
        ValueError: A folder is empty, or a file has no partner; the message names the files.
    """
    layout = PairFolders()
    items = layout.find(path)
    if not items:
        found = ", ".join(sorted(entry.name for entry in path.iterdir())[:5]) if path.is_dir() else "no such folder"
        raise FileNotFoundError(f"{path}: expected the folders {layout}, found {found or 'nothing'}")
    return StoredPairs(items, dataset or path.name)


def open_clean(paths: Sequence[Path], degradation: Degradation, dataset: str) -> SyntheticPairs:
    """Opens clean image files that are degraded on the fly."""
    return SyntheticPairs(named(Item("", None, ImageFile(path)) for path in paths), degradation, dataset)


def _digest(pictures: Sequence[Picture]) -> str:
    paths = {picture.path for picture in pictures}
    return content_digest(paths, base_folder(paths))


def _place(shape: tuple[int, int], size: int, path: Path, rng: np.random.Generator) -> tuple[int, int]:
    """Draws the top left corner of a crop."""
    height, width = shape
    if min(height, width) < size:
        raise ValueError(f"{path}: {width}x{height} pixels, smaller than the training crops of {size}x{size}")
    return int(rng.integers(height - size + 1)), int(rng.integers(width - size + 1))


def _window(
    place: tuple[int, int], shape: tuple[int, int], size: int, margin: int
) -> tuple[list[slice], list[tuple[int, int]]]:
    """The part of an image under a crop with a margin, and how much of the margin is missing on every side."""
    window, missing = [], [(0, 0)] * 3
    for axis, start in enumerate(place):
        first, last = start - margin, start + size + margin
        window.append(slice(max(first, 0), last))
        missing[axis] = (max(-first, 0), max(last - shape[axis], 0))
    return window, missing


def _oriented(image: Pixels, orientation: int) -> Pixels:
    """One of the eight orientations of a square: mirrored, turned upside down, transposed; laid out anew in memory."""
    if orientation & 1:
        image = image[:, ::-1]
    if orientation & 2:
        image = image[::-1]
    # Contiguous, since arithmetic on mixed memory layouts takes several times as long.
    return np.ascontiguousarray(image.transpose(1, 0, 2) if orientation & 4 else image)
