"""Reading part of an image without decoding all of it, where the format allows."""

from pathlib import Path
from typing import Any

import numpy as np
from PIL import ExifTags, Image

from bench.datasets.images import Pixels
from bench.datasets.pictures import ImageFile, Picture


def read_window(picture: Picture, rows: slice, columns: slice) -> Pixels:
    """Part of an image; of an uncompressed file only the rows that are asked for are read.

    PNG, JPEG and WebP are entropy-coded from their first pixel on, so they are decoded whole.

    Raises:
        ValueError: The file is damaged or not 8-bit RGB.
    """
    raw = _raw_rows(picture.path) if isinstance(picture, ImageFile) else None
    return (picture.read() if raw is None else raw)[rows, columns]


def _raw_rows(path: Path) -> Pixels | None:
    """The pixels of an uncompressed 24-bit BMP or TIFF as a view of the file, or None for any other."""
    try:
        with Image.open(path) as image:
            is_plain = image.format == "BMP" or (image.format == "TIFF" and _is_upright(image))
            tiles: list[Any] = list(image.tile)
            mode, (width, height) = image.mode, image.size
    except (OSError, SyntaxError, ValueError, EOFError, Image.DecompressionBombError) as error:
        raise ValueError(f"{path}: not a readable image ({error}); copy it again") from error
    if not is_plain or mode != "RGB" or not tiles or any(tile[0] != "raw" for tile in tiles):
        return None
    return _mapped(path, tiles, height, width)


def _is_upright(image: Image.Image) -> bool:
    """Whether the pixels lie in the file as they are shown; a TIFF may say that they are to be turned."""
    return image.getexif().get(ExifTags.Base.Orientation, 1) == 1


def _mapped(path: Path, tiles: list[Any], height: int, width: int) -> Pixels | None:
    """Maps rows that lie one after the other in a file; None where they do not, or in an unknown order of colours."""
    _, first_box, offset, (raw_mode, stride, orientation) = tiles[0]
    rows = first_box[3] - first_box[1]
    stride = stride or 3 * width
    for k, (_, box, start, layout) in enumerate(tiles):
        is_next = box[0] == 0 and box[2] == width and box[1] == k * rows and start == offset + k * rows * stride
        if not is_next or (layout[0], layout[1] or 3 * width, layout[2]) != (raw_mode, stride, orientation):
            return None
    is_whole = tiles[-1][1][3] == height and path.stat().st_size >= offset + height * stride
    if raw_mode not in ("RGB", "BGR") or not is_whole:
        return None
    lines = np.memmap(path, np.uint8, "r", offset, (height, stride))
    pixels = lines[:, : 3 * width].reshape(height, width, 3) if stride == 3 * width else _unpadded(lines, width)
    pixels = pixels[:, :, ::-1] if raw_mode == "BGR" else pixels
    return pixels[::-1] if orientation < 0 else pixels


def _unpadded(lines: np.ndarray, width: int) -> Pixels:
    """A view of rows that end in padding bytes as ``(H, W, 3)``."""
    return np.lib.stride_tricks.as_strided(lines, (len(lines), width, 3), (lines.strides[0], 3, 1), writeable=False)
