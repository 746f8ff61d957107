"""Finding test photographs among training images, by perceptual hashes."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray
from PIL import Image as Pillow

from bench.datasets.layout import Item
from bench.datasets.pictures import Picture

SIDE = 16
MAX_DISTANCE = 20
"""Of 256 bits: different photographs differ in about 128, one photograph saved twice in a few."""

CHUNK = 2**22


def find_leaks(train: Sequence[Item], test: Sequence[Item]) -> Iterator[str]:
    """Says which test images show the same photograph as a training image, in any orientation.

    Args:
        train: Training items; their clean images are compared, or the degraded ones where there are no others.
        test: Test items, likewise.

    Yields:
        A line for all leaks of these two, if there are any.
    """
    ours, theirs = (list(dict.fromkeys(item.pictures[-1] for item in items)) for items in (test, train))
    matches = list(_matches(ours, theirs))
    if matches:
        shown = ", ".join(f"{ours[i].path} is {theirs[k].path}" for i, k in matches[:5])
        more = ", ..." if len(matches) > 5 else ""
        yield f"{len(matches)} test image(s) show a photograph that is trained on: {shown}{more}; remove them from one"


def _matches(test: Sequence[Picture], train: Sequence[Picture]) -> Iterator[tuple[int, int]]:
    """The test images with the nearest training image that is near enough."""
    known = _hashes(train)[:, 0]
    hashes = _hashes(test)
    rows = max(1, CHUNK // max(1, len(known)))
    for start in range(0, len(hashes), rows):
        part = hashes[start : start + rows]
        # Over the eight orientations one by one, so that memory stays bounded.
        distance = np.min([_distance(part[:, k], known) for k in range(8)], axis=0)
        nearest = distance.argmin(axis=1)
        for row in np.flatnonzero(distance.min(axis=1) <= MAX_DISTANCE):
            yield start + int(row), int(nearest[row])


def _distance(first: NDArray[np.uint64], second: NDArray[np.uint64]) -> NDArray[np.integer]:
    """Differing bits of every pair out of ``(N, 4)`` and ``(M, 4)``."""
    return sum(np.bitwise_count(first[:, None, word] ^ second[None, :, word]).astype(int) for word in range(4))  # type: ignore[return-value]


def _hashes(pictures: Sequence[Picture]) -> NDArray[np.uint64]:
    with ThreadPoolExecutor() as pool:
        return np.stack(list(pool.map(_hash, pictures)))


def _hash(picture: Picture) -> NDArray[np.uint64]:
    """The difference hash of a picture's eight orientations, ``(8, 4)``.

    Each bit says whether a pixel of a small grey copy is brighter than the one to its left.
    """
    small = Pillow.fromarray(np.ascontiguousarray(picture.read())).convert("L").resize((64, 64), Pillow.Resampling.BOX)
    turned = [np.rot90(grey, k) for grey in (np.asarray(small), np.asarray(small).T) for k in range(4)]
    return np.stack([_bits(grey) for grey in turned])


def _bits(grey: NDArray[np.uint8]) -> NDArray[np.uint64]:
    copy = Pillow.fromarray(np.ascontiguousarray(grey)).resize((SIDE + 1, SIDE), Pillow.Resampling.BOX)
    values = np.asarray(copy, dtype=np.int16)
    return np.packbits(values[:, 1:] > values[:, :-1]).view(np.uint64)
