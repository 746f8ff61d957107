"""Image files: finding, ordering, decoding and identifying them."""

import hashlib
import re
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

EXTENSIONS = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".webp", ".tif", ".tiff"})
MEMORY_BUDGET = 2 * 2**30

Pixels = NDArray[np.uint8]


def read_image(path: Path) -> Pixels:
    """Decodes an 8-bit RGB image file.

    Returns:
        ``(H, W, 3)`` uint8, read-only.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: The file is damaged, or is not 8-bit RGB: another pixel format would have to be converted by some
            rule, and a benchmark must not choose one silently.
    """
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such image file")
    try:
        with Image.open(path) as image:
            mode, is_deep = image.mode, ";16" in str(image.tile)  # Pillow opens 16-bit RGB as mode "RGB"
            pixels = np.asarray(image)
    except (OSError, SyntaxError, ValueError, EOFError, Image.DecompressionBombError) as error:
        raise ValueError(f"{path}: cannot be decoded ({error}); the file is damaged: copy it again") from error
    if mode != "RGB" or is_deep:
        found = "16 bits a channel" if is_deep else _MODES.get(mode, f"Pillow mode {mode!r}")
        raise ValueError(f"{path}: expected 8-bit RGB, got {found}; convert the whole set to 8-bit RGB first")
    return pixels


_MODES = {
    "1": "a black and white image",
    "L": "a greyscale image",
    "LA": "a greyscale image with an alpha channel",
    "P": "a palette image",
    "RGBA": "an alpha channel",
    "CMYK": "CMYK",
    "I": "32-bit greyscale",
    "F": "floating-point greyscale",
}


def image_size(path: Path) -> tuple[int, int]:
    """Reads (height, width) from the header alone, which costs about 0.1 ms.

    Raises:
        ValueError: The header is damaged or of no known format.
    """
    try:
        with Image.open(path) as image:
            return image.height, image.width
    except (OSError, SyntaxError, ValueError, EOFError, Image.DecompressionBombError) as error:
        raise ValueError(f"{path}: not a readable image ({error}); copy it again") from error


def list_images(folder: Path) -> list[Path]:
    """Lists a folder's image files in natural order; hidden files and files of other kinds are passed over.

    Raises:
        FileNotFoundError: There is no such folder.
        ValueError: It holds no image, or two images with one stem.
    """
    if not folder.is_dir():
        raise FileNotFoundError(f"{folder}: no such folder of images")
    found = [path for path in folder.iterdir() if path.suffix.lower() in EXTENSIONS and not path.name.startswith(".")]
    if not found:
        raise ValueError(f"{folder}: no images in this folder; expected files named {', '.join(sorted(EXTENSIONS))}")
    paths = sorted(found, key=_natural_order)
    by_stem: dict[str, Path] = {}
    for path in paths:
        if path.stem in by_stem:
            raise ValueError(f"{folder}: {by_stem[path.stem].name} and {path.name} have the same stem")
        by_stem[path.stem] = path
    return paths


def _natural_order(path: Path) -> tuple[list[tuple[int, str]], str]:
    """``image-2`` comes before ``image-10``; the full name settles ties such as ``1`` and ``01``."""
    parts = re.split(r"([0-9]+)", path.stem)
    return [(int(part), "") if part.isdecimal() else (0, part) for part in parts], path.name


class DecodedImages:
    """Decodes images and keeps them, so that training decodes each file once.

    Images are kept until they fill the budget; the rest is decoded at every request. Nothing is evicted: under
    random access a cache of the same size that evicts would hit no more often.

    Args:
        budget: How many bytes of pixels to keep at most: 2 GiB are about 4,600 images of 481x321.
    """

    def __init__(self, budget: int = MEMORY_BUDGET) -> None:
        self._budget = budget
        self._kept: dict[Path, Pixels] = {}

    def __getitem__(self, path: Path) -> Pixels:
        pixels = self._kept.get(path)
        if pixels is None:
            pixels = read_image(path)
            if pixels.nbytes <= self._budget:
                self._budget -= pixels.nbytes
                self._kept[path] = pixels
        return pixels


def digest(folder: Path) -> str:
    """Identifies a folder's content: the sha256 over its files' relative names and bytes, in sorted order.

    Raises:
        FileNotFoundError: There is no such folder.
    """
    if not folder.is_dir():
        raise FileNotFoundError(f"{folder}: no such folder")
    total = hashlib.sha256()
    names = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    for name in names:
        content = hashlib.sha256((folder / name).read_bytes()).hexdigest()
        total.update(f"{content} {name}\n".encode())
    return total.hexdigest()
