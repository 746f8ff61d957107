"""Where the pixels of one image of a data set are: a file, a part of one, or a block of an array."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from threading import Lock
from typing import Literal, Protocol

import numpy as np
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


def _mat_array(path: Path) -> np.ndarray:
    with _MAT_LOCK:  # else every thread would load the whole file
        return _loaded(path)


@lru_cache(maxsize=2)  # the noisy and the clean blocks
def _loaded(path: Path) -> np.ndarray:
    mat_shape(path)
    with _mat_errors(path):
        contents = loadmat(path)
    array: np.ndarray = next(value for name, value in contents.items() if not name.startswith("__"))
    array.setflags(write=False)
    return array


_MAT_LOCK = Lock()


@contextmanager
def _mat_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except Exception as error:
        # SciPy raises almost anything on a damaged file.
        raise ValueError(f"{path}: not a readable MATLAB file ({error}); copy it again") from error
