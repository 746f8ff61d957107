"""Whether the two images of a pair lie on one another."""

import numpy as np
from numpy.typing import NDArray

from bench.datasets.images import Pixels

MAX_SHIFT = 2
"""Pixels in each direction in which a pair's two images are tried against one another."""


def best_shift(degraded: Pixels, clean: Pixels) -> tuple[int, int] | None:
    """By how many pixels one image must be moved to lie on the other; None where it is not clear.

    Compares the fine structure of the middles of both at every shift by up to `MAX_SHIFT` pixels, by correlation.

    Returns:
        Rows and columns; (0, 0) where nothing else correlates clearly better.
    """
    first, second = (_fine_structure(image) for image in (degraded, clean))
    inner = second[MAX_SHIFT:-MAX_SHIFT, MAX_SHIFT:-MAX_SHIFT]
    if inner.size < 32 * 32 or not inner.any():
        return None
    shifts = [(dy, dx) for dy in range(-MAX_SHIFT, MAX_SHIFT + 1) for dx in range(-MAX_SHIFT, MAX_SHIFT + 1)]
    correlation = {}
    for dy, dx in shifts:
        rows = slice(MAX_SHIFT + dy, MAX_SHIFT + dy + inner.shape[0])
        window = first[rows, MAX_SHIFT + dx : MAX_SHIFT + dx + inner.shape[1]]
        correlation[dy, dx] = float((window * inner).sum() / np.sqrt((window**2).sum() * (inner**2).sum() + 1e-9))
    best, other = sorted(shifts, key=correlation.__getitem__, reverse=True)[:2]
    # Motion blur moves an image to many places at once, so that several shifts correlate about as well.
    is_one = correlation[best] > 0.7 or (correlation[best] > 0.3 and correlation[other] < 0.4 * correlation[best])
    return best if is_one and correlation[0, 0] < 0.7 * correlation[best] else (0, 0)


def _fine_structure(image: Pixels) -> NDArray[np.float32]:
    """The middle of an image, grey, each pixel less the mean of its four neighbours."""
    height, width = image.shape[:2]
    top, left = max(0, height // 2 - 128), max(0, width // 2 - 128)
    grey = image[top : top + 256, left : left + 256].mean(axis=2, dtype=np.float32)
    return grey[1:-1, 1:-1] - (grey[:-2, 1:-1] + grey[2:, 1:-1] + grey[1:-1, :-2] + grey[1:-1, 2:]) / 4
