"""Data sets, and pairs of degraded and clean images: on disk, or made on the fly."""

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from bench.batch import Batch
from bench.datasets.degrade import Degradation, Image, to_float, to_pixels
from bench.datasets.images import DecodedImages, Pixels, digest, image_size, list_images
from bench.registry import Registry
from bench.seeding import generator

PAIR_FOLDERS = (("degraded", "clean"), ("input", "target"))


@dataclass(frozen=True)
class DataSet:
    """The declaration of an embedded data set, ``data/<name>``.

    Attributes:
        title: What it is, for tables and documentation.
        authors: Who made its images.
        licence: The terms of its images.
        url: Where they come from.
        reference: The publication or method behind it.
        protocol: Name of the evaluation protocol of a test set; None for sets of clean images.
        degradation: What makes the degraded images out of the clean ones; None for sets of clean images.
    """

    title: str
    authors: str
    licence: str
    url: str
    reference: str
    protocol: str | None = None
    degradation: Degradation | None = None


DATASETS: Registry[DataSet] = Registry("data set", "slkd_bench.datasets")


class PairSource(Protocol):
    """Aligned pairs of a degraded and a clean image."""

    @property
    def dataset(self) -> str:
        """The data set's name, one of the keys of every sample's random numbers."""

    def __len__(self) -> int: ...

    def digest(self) -> str:
        """Identifies the images and what is done to them: a record made from others is out of date."""

    def name(self, index: int) -> str:
        """What a table calls pair ``index``."""

    def pair(self, index: int) -> tuple[Pixels, Pixels]:
        """Returns the whole degraded and clean image, ``(H, W, 3)`` uint8, the same at every call."""

    def crop(self, rng: np.random.Generator, size: int) -> tuple[Image, Image]:
        """Draws a training sample: a random pair, place and orientation.

        Returns:
            The degraded and the clean crop, ``(size, size, 3)`` float32 in [0, 1].

        Raises:
            ValueError: The image that was drawn is smaller than the crop; the message names it.
        """


class PairedFolder:
    """Pairs on disk: two folders, ``degraded`` and ``clean`` or ``input`` and ``target``, paired by equal stems.

    Every pair's sizes are compared at once, from the headers; pixels are decoded on request.

    Args:
        path: The folder that holds the two folders.
        dataset: The data set's name; the folder's by default.

    Raises:
        FileNotFoundError: One of the folders is missing.
        ValueError: A folder is empty, a file has no partner, or a pair differs in size; the message names the files.
    """

    def __init__(self, path: Path, dataset: str | None = None) -> None:
        self.dataset = dataset or path.name
        degraded, clean = (list_images(path / name) for name in _pair_folders(path))
        self._pairs = _matched(degraded, clean)
        self._images = DecodedImages()

    def __len__(self) -> int:
        return len(self._pairs)

    def digest(self) -> str:
        return " ".join(map(digest, self._folders))

    def name(self, index: int) -> str:
        return self._pairs[index][1].stem

    def pair(self, index: int) -> tuple[Pixels, Pixels]:
        degraded, clean = self._pairs[index]
        return self._images[degraded], self._images[clean]

    def crop(self, rng: np.random.Generator, size: int) -> tuple[Image, Image]:
        index = int(rng.integers(len(self)))
        degraded, clean = self.pair(index)
        place = _place(clean, size, self._pairs[index][1], rng)
        orientation = int(rng.integers(8))
        first, second = (_oriented(_cut(image, place, size, 0), orientation) for image in (degraded, clean))
        return to_float(first), to_float(second)


class SyntheticPairs:
    """Clean images on disk, degraded on the fly.

    Args:
        clean_folder: A folder of clean images.
        degradation: Draws a new degradation for every crop, and always the same one for whole image ``index``.
        dataset: The data set's name.
        seed: Another seed degrades the whole images differently.

    Raises:
        FileNotFoundError: The folder is missing.
        ValueError: The folder is empty.
    """

    def __init__(self, clean_folder: Path, degradation: Degradation, dataset: str, seed: int = 0) -> None:
        self.dataset = dataset
        self._folder = clean_folder
        self._paths = list_images(clean_folder)
        self._degradation = degradation
        self._seed = seed
        self._images = DecodedImages()

    def __len__(self) -> int:
        return len(self._paths)

    def digest(self) -> str:
        return f"{digest(self._folder)} {self.dataset} {self._seed} {self._degradation}"

    def name(self, index: int) -> str:
        return self._paths[index].stem

    def pair(self, index: int) -> tuple[Pixels, Pixels]:
        clean = self._images[self._paths[index]]
        rng = generator(self.dataset, "whole image", self._seed, index)
        margin = self._degradation.margin
        wide = np.pad(clean, ((margin, margin), (margin, margin), (0, 0)), mode="reflect")
        return to_pixels(self._degradation(to_float(wide), rng)), clean

    def crop(self, rng: np.random.Generator, size: int) -> tuple[Image, Image]:
        index, margin = int(rng.integers(len(self))), self._degradation.margin
        image = self._images[self._paths[index]]
        place = _place(image, size, self._paths[index], rng)
        # Turned before it is degraded, so that rain keeps falling down.
        wide = to_float(_oriented(_cut(image, place, size, margin), int(rng.integers(8))))
        inner = slice(margin, margin + size)
        return self._degradation(wide, rng), wide[inner, inner]


def draw_batch(source: PairSource, seed: int, step: int, batch_size: int, crop_size: int) -> Batch:
    """Draws the training batch of a step.

    Sample ``i = step * batch_size + k`` is a pure function of (data set name, seed, i): every method sees the same
    data, and a run resumes anywhere.

    Args:
        source: Where crops come from.
        seed: The run's seed.
        step: The step, from 0.
        batch_size: Number of crops.
        crop_size: Height and width of the crops.

    Returns:
        ``(batch_size, 3, crop_size, crop_size)`` float32 in [0, 1], in channels-last memory format.
    """
    images = np.empty((2, batch_size, crop_size, crop_size, 3), np.float32)
    for k in range(batch_size):
        rng = generator(source.dataset, "crop", seed, step * batch_size + k)
        images[:, k] = source.crop(rng, crop_size)
    degraded, clean = torch.from_numpy(images).permute(0, 1, 4, 2, 3)
    return Batch(degraded, clean)


def has_pairs(path: Path) -> bool:
    """Tells whether a folder holds ``degraded`` and ``clean``, or ``input`` and ``target``."""
    return any(all((path / name).is_dir() for name in names) for names in PAIR_FOLDERS)


def split_folder(root: Path, split: str) -> Path:
    """Finds the pairs of a split below a data set's root: ``<root>/<split>``, or for ``test`` the bare root.

    A bare root is a test set only: the same pairs must never serve for both.

    Raises:
        FileNotFoundError: There are none; the message says what is accepted.
    """
    places = [root / split, root] if split == "test" else [root / split]
    for place in places:
        if has_pairs(place):
            return place
    pairs = " or ".join("/".join(["{" + ",".join(names) + "}"]) for names in PAIR_FOLDERS)
    hint = "; embedded data comes with `dvc pull`" if root.parent.name == "data" else ""
    raise FileNotFoundError(f"no {split} pairs: expected {' or '.join(f'{place}/' for place in places)}{pairs}{hint}")


def _pair_folders(path: Path) -> tuple[str, str]:
    """Names the folders of degraded and of clean images in ``path``."""
    present = [names for names in PAIR_FOLDERS if all((path / name).is_dir() for name in names)]
    if not present:
        accepted = " or ".join(map(" and ".join, PAIR_FOLDERS))
        found = ", ".join(sorted(entry.name for entry in path.iterdir())[:5]) if path.is_dir() else "no such folder"
        raise FileNotFoundError(f"{path}: expected the folders {accepted}, found {found or 'nothing'}")
    if len(present) > 1:
        raise ValueError(f"{path}: holds both namings of the pair folders; remove or rename one: {present}")
    return present[0]


def _matched(degraded: list[Path], clean: list[Path]) -> list[tuple[Path, Path]]:
    """Pairs files by stem and compares the sizes of each pair."""
    first, second = ({path.stem: path for path in paths} for paths in (degraded, clean))
    if lonely := [path for path in degraded + clean if path.stem not in first.keys() & second.keys()]:
        shown = ", ".join(map(str, lonely[:5])) + (", ..." if len(lonely) > 5 else "")
        raise ValueError(f"{len(lonely)} image(s) without a partner of the same stem: {shown}")
    pairs = [(first[stem], second[stem]) for stem in second]
    for one, other in pairs:
        if image_size(one) != image_size(other):
            sizes = " and ".join("{1}x{0}".format(*image_size(path)) for path in (one, other))
            raise ValueError(f"{one} and {other} differ in size: {sizes} pixels; a pair must be aligned")
    return pairs


def _place(image: Pixels, size: int, path: Path, rng: np.random.Generator) -> tuple[int, int]:
    """Draws the top left corner of a crop."""
    height, width = image.shape[:2]
    if min(height, width) < size:
        raise ValueError(f"{path}: {width}x{height} pixels, smaller than the training crops of {size}x{size}")
    return int(rng.integers(height - size + 1)), int(rng.integers(width - size + 1))


def _cut(image: Pixels, place: tuple[int, int], size: int, margin: int) -> Pixels:
    """Cuts a square with a margin; where the margin leaves the image, it is reflected."""
    rows, columns = (
        _reflected(np.arange(start - margin, start + size + margin), length)
        for start, length in zip(place, image.shape, strict=False)
    )
    return image[rows[:, None], columns]


def _reflected(indices: NDArray[np.intp], length: int) -> NDArray[np.intp]:
    period = max(2 * length - 2, 1)
    indices = indices % period
    return np.minimum(indices, period - indices)


def _oriented(image: Pixels, orientation: int) -> Pixels:
    """One of the eight orientations of a square: mirrored, turned upside down, transposed."""
    if orientation & 1:
        image = image[:, ::-1]
    if orientation & 2:
        image = image[::-1]
    return image.transpose(1, 0, 2) if orientation & 4 else image
