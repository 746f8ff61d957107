"""Where the pixels of one image of a data set are: a file, a part of one, or a block of an array."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from threading import Lock
from typing import Any, Literal, Protocol

import numpy as np
from PIL import ExifTags, Image
from scipy.io import loadmat, whosmat

from bench.datasets.images import Pixels, image_size, read_image


class Picture(Protocol):
    """One image of a data set, not yet read; two that are equal have the same pixels."""

    @property
    def path(self) -> Path:
        """The file that holds it."""

    def size(self) -> tuple[int, int]:
        """Height and width, without decoding where the format allows.

        Raises:
            ValueError: The file is damaged.
        """

    def read(self) -> Pixels:
        """All pixels, ``(H, W, 3)`` uint8.

        Raises:
            ValueError: The file is damaged or not 8-bit RGB.
        """


@dataclass(frozen=True)
class ImageFile:
    """A file that holds one image."""

    path: Path

    def size(self) -> tuple[int, int]:
        return image_size(self.path)

    def read(self) -> Pixels:
        return read_image(self.path)


@dataclass(frozen=True)
class HalfOfImage:
    """One half of a file that holds the two images of a pair side by side."""

    path: Path
    side: Literal["left", "right"]

    def size(self) -> tuple[int, int]:
        height, width = image_size(self.path)
        if width % 2:
            raise ValueError(f"{self.path}: expected two images of one width side by side, got {width} pixels")
        return height, width // 2

    def read(self) -> Pixels:
        half = self.size()[1]
        return read_image(self.path)[:, :half] if self.side == "left" else read_image(self.path)[:, half:]


@dataclass(frozen=True)
class CentreOfImage:
    """The middle of an image, of the size of its partner: SOTS's clean images have ten pixels more on every side."""

    path: Path
    partner: Path = field(compare=False)  # all partners of an image have one size

    def size(self) -> tuple[int, int]:
        whole, wanted = image_size(self.path), image_size(self.partner)
        if any(w < p or (w - p) % 2 for w, p in zip(whole, wanted, strict=True)):
            shown = " and ".join("{1}x{0}".format(*size) for size in (whole, wanted))
            raise ValueError(f"{self.path} cannot be cut to the size of {self.partner}: {shown} pixels")
        return wanted

    def read(self) -> Pixels:
        height, width = self.size()
        pixels = read_image(self.path)
        top, left = (pixels.shape[0] - height) // 2, (pixels.shape[1] - width) // 2
        return pixels[top : top + height, left : left + width]


@dataclass(frozen=True)
class MatBlock:
    """A block of an array ``(images, blocks, H, W, 3)`` uint8 in a MATLAB file, as SIDD publishes its test blocks."""

    path: Path
    image: int
    block: int

    def size(self) -> tuple[int, int]:
        return mat_shape(self.path)[2:4]  # type: ignore[return-value]

    def read(self) -> Pixels:
        return _mat_array(self.path)[self.image, self.block]


def mat_shape(path: Path) -> tuple[int, ...]:
    """The shape of the one array in a MATLAB file, from its header.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: The file is damaged, or holds something else than one array of blocks.
    """
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such MATLAB file")
    with _mat_errors(path):
        arrays = [(shape, kind) for _, shape, kind in whosmat(path)]
    if len(arrays) != 1 or arrays[0][1] != "uint8" or len(arrays[0][0]) != 5 or arrays[0][0][-1] != 3:
        raise ValueError(f"{path}: expected one uint8 array of shape (images, blocks, H, W, 3), got {arrays}")
    return arrays[0][0]


@lru_cache(maxsize=2)  # the noisy and the clean blocks
def _mat_array(path: Path) -> np.ndarray:
    mat_shape(path)
    with _mat_errors(path):
        contents = loadmat(path)
    array: np.ndarray = next(value for name, value in contents.items() if not name.startswith("__"))
    array.setflags(write=False)
    return array


@contextmanager
def _mat_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except Exception as error:
        # SciPy raises almost anything on a damaged file.
        raise ValueError(f"{path}: not a readable MATLAB file ({error}); copy it again") from error


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


class DecodedImages:
    """Decodes images and keeps them, so that training decodes each file once.

    Images are kept until they fill the budget; the rest is read at every request. Nothing is evicted: under random
    access a cache of the same size that evicts would hit no more often. Threads may share it.

    Args:
        budget: How many bytes of pixels to keep at most.
    """

    def __init__(self, budget: int) -> None:
        self._budget = budget
        self._kept: dict[Picture, Pixels] = {}
        self._lock = Lock()

    def __getitem__(self, picture: Picture) -> Pixels:
        pixels = self._kept.get(picture)
        if pixels is None:
            pixels = self._keep(picture, picture.read())
        return pixels

    def _keep(self, picture: Picture, pixels: Pixels) -> Pixels:
        with self._lock:
            if picture in self._kept:  # another thread was faster
                return self._kept[picture]
            if pixels.nbytes <= self._budget:
                # Owned memory: a half or a centre must not hold on to the whole.
                pixels = pixels.copy()
                pixels.setflags(write=False)
                self._budget -= pixels.nbytes
                self._kept[picture] = pixels
        return pixels

    def size(self, picture: Picture) -> tuple[int, int]:
        """Height and width of an image."""
        pixels = self._kept.get(picture)
        return picture.size() if pixels is None else pixels.shape[:2]

    def window(self, picture: Picture, rows: slice, columns: slice) -> Pixels:
        """Part of an image, decoded whole only while there is room to keep it."""
        if picture in self._kept:
            return self._kept[picture][rows, columns]
        height, width = self.size(picture)
        is_kept = 3 * height * width <= self._budget
        return self[picture][rows, columns] if is_kept else read_window(picture, rows, columns)
