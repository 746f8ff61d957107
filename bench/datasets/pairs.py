"""Pairs of degraded and clean images: both on disk, or the degraded one made on the fly."""

import re
from pathlib import Path

import numpy as np

from bench.datasets.degrade import Degradation, Image, to_float, to_pixels
from bench.datasets.images import DecodedImages, Pixels, digest, image_size, list_images
from bench.seeding import generator

PAIR_FOLDERS = (("degraded", "clean"), ("input", "target"))

# The words by which published sets tell the two images of a pair apart: `Flower_blur1.png` and `Flower_sharp1.png`.
ROLE_WORDS = re.compile(
    r"(?<![a-z])(degraded|clean|input|target|rainy?|norain|blur|sharp|noisy|real|mean|gt|hazy|clear)(?![a-z])",
    re.IGNORECASE,
)


class PairedFolder:
    """Pairs on disk: two folders, ``degraded`` and ``clean`` or ``input`` and ``target``, paired by equal stems.

    Where stems differ, they are compared without the word that tells the two images apart (`ROLE_WORDS`).
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
        self._folders = [path / name for name in _pair_folders(path)]
        degraded, clean = map(list_images, self._folders)
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
    """Pairs files by equal stems, else by stems that are equal but for a role word, and compares their sizes."""
    first, second = ({path.stem: path for path in paths} for paths in (degraded, clean))
    if first.keys() != second.keys():
        first, second = (_by_shared_stem(paths) for paths in (degraded, clean))
    if lonely := [pool[key] for pool in (first, second) for key in pool if key in first.keys() ^ second.keys()]:
        shown = ", ".join(map(str, lonely[:5])) + (", ..." if len(lonely) > 5 else "")
        raise ValueError(f"{len(lonely)} image(s) without a partner of the same stem: {shown}")
    pairs = [(first[key], second[key]) for key in second]
    for one, other in pairs:
        if image_size(one) != image_size(other):
            sizes = " and ".join("{1}x{0}".format(*image_size(path)) for path in (one, other))
            raise ValueError(f"{one} and {other} differ in size: {sizes} pixels; a pair must be aligned")
    return pairs


def _by_shared_stem(paths: list[Path]) -> dict[str, Path]:
    """Files by the part of the stem that both images of a pair share."""
    keyed: dict[str, Path] = {}
    for path in paths:
        key = ROLE_WORDS.sub("*", path.stem)
        if key in keyed:
            raise ValueError(f"{keyed[key]} and {path} could both belong to the same partner; rename them")
        keyed[key] = path
    return keyed


def _place(image: Pixels, size: int, path: Path, rng: np.random.Generator) -> tuple[int, int]:
    """Draws the top left corner of a crop."""
    height, width = image.shape[:2]
    if min(height, width) < size:
        raise ValueError(f"{path}: {width}x{height} pixels, smaller than the training crops of {size}x{size}")
    return int(rng.integers(height - size + 1)), int(rng.integers(width - size + 1))


def _cut(image: Pixels, place: tuple[int, int], size: int, margin: int) -> Pixels:
    """Cuts a square with a margin; where the margin leaves the image, it is reflected."""
    window, missing = [], [(0, 0)] * 3
    for axis, start in enumerate(place):
        first, last = start - margin, start + size + margin
        window.append(slice(max(first, 0), last))
        missing[axis] = (max(-first, 0), max(last - image.shape[axis], 0))
    inside = image[tuple(window)]
    return (
        inside if inside.shape[0] == inside.shape[1] == size + 2 * margin else np.pad(inside, missing, mode="reflect")
    )


def _oriented(image: Pixels, orientation: int) -> Pixels:
    """One of the eight orientations of a square: mirrored, turned upside down, transposed; laid out anew in memory."""
    if orientation & 1:
        image = image[:, ::-1]
    if orientation & 2:
        image = image[::-1]
    # Contiguous, since arithmetic on mixed memory layouts takes several times as long.
    return np.ascontiguousarray(image.transpose(1, 0, 2) if orientation & 4 else image)
