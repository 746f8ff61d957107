"""Image files: finding, ordering, decoding and identifying them."""

import hashlib
import re
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

EXTENSIONS = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".webp", ".tif", ".tiff"})

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
    except PermissionError as error:
        raise ValueError(f"{path}: may not be read by this user; change its permissions") from error
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
        raise FileNotFoundError(f"{folder}: no such folder of images, or not a folder")
    found = [path for path in folder.iterdir() if path.suffix.lower() in EXTENSIONS and path.name[0] != "."]
    found = [path for path in found if not path.is_dir()]
    if not found:
        raise ValueError(f"{folder}: no images in this folder; expected files named {', '.join(sorted(EXTENSIONS))}")
    by_stem: dict[str, Path] = {}
    for path in found:
        # A case-insensitive file system would hold only one of `a.png` and `A.png`.
        other = by_stem.setdefault(path.stem.casefold(), path)
        if other != path:
            names = " and ".join(sorted((other.name, path.name)))
            raise ValueError(f"{folder}: {names} have the same stem but for case; remove or rename one")
    return sorted(found, key=lambda path: natural_order(path.stem))


def natural_order(name: str) -> tuple[list[tuple[int, str]], str]:
    """A key to sort by: ``image-2`` comes before ``image-10``; the name settles ties such as ``1`` and ``01``."""
    parts = re.split(r"([0-9]+)", name)
    return [(int(part), "") if part.isdecimal() else (0, part) for part in parts], name


def digest(paths: Iterable[Path], base: Path) -> str:
    """Identifies files by content: the sha256 over their names relative to ``base`` and their bytes, in order."""
    total = hashlib.sha256()
    for name, path in sorted((path.relative_to(base).as_posix(), path) for path in set(paths)):
        with path.open("rb") as file:
            total.update(f"{hashlib.file_digest(file, 'sha256').hexdigest()} {name}\n".encode())
    return total.hexdigest()
