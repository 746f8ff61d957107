"""Finding test photographs among training images, by perceptual hashes."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image as Pillow

from bench.datasets.items import Item
from bench.datasets.pictures import Picture

SIDE = 16
MAX_DISTANCE = 20
"""Of 256 bits: different photographs differ in about 128, one photograph saved twice in a few."""

CHUNK = 2**22
"""Pairs of images that are compared at once."""

READ_AT_ONCE = 4096
"""Images that wait for a thread at a time."""


class Hashed(NamedTuple):
    """Pictures and their hashes, ``(N, 8, 4)``: one for each orientation."""

    pictures: Sequence[Picture]
    hashes: NDArray[np.uint64]


def find_leaks(train: Sequence[Item], test: Sequence[Item]) -> Iterator[str]:
    """Says which test images show the same photograph as a training image, in any orientation.

    Args:
        train: Training items; their clean images are compared, or the degraded ones where there are no others.
        test: Test items, likewise.

    Yields:
        A line for all leaks of these two, if there are any. Images that cannot be read, or are all but flat, are
        passed over.
    """
    ours, theirs = (_hashed(list(dict.fromkeys(item.pictures[-1] for item in items))) for items in (test, train))
    matches = list(_matches(ours, theirs)) if ours.pictures and theirs.pictures else []
    if matches:
        shown = ", ".join(f"{mine.path} is {other.path}" for mine, other in matches[:5])
        more = ", ..." if len(matches) > 5 else ""
        yield f"{len(matches)} test image(s) show a photograph that is trained on: {shown}{more}; remove them from one"


def _matches(test: Hashed, train: Hashed) -> Iterator[tuple[Picture, Picture]]:
    """The test images with the nearest training image that is near enough."""
    known = train.hashes[:, 0]
    rows = max(1, CHUNK // len(known))
    for start in range(0, len(test.hashes), rows):
        part = test.hashes[start : start + rows]
        distance = _distance(part[:, 0], known)
        for turned in range(1, 8):  # one after the other, so that memory stays bounded
            np.minimum(distance, _distance(part[:, turned], known), out=distance)
        nearest = distance.argmin(axis=1)
        for row in np.flatnonzero(distance.min(axis=1) <= MAX_DISTANCE):
            yield test.pictures[start + int(row)], train.pictures[int(nearest[row])]


def _distance(first: NDArray[np.uint64], second: NDArray[np.uint64]) -> NDArray[np.uint16]:
    """Differing bits of every pair out of ``(N, 4)`` and ``(M, 4)``."""
    distance = np.zeros((len(first), len(second)), np.uint16)
    for word in range(4):
        distance += np.bitwise_count(first[:, None, word] ^ second[None, :, word])
    return distance


def _hashed(pictures: Sequence[Picture]) -> Hashed:
    """The hashes of those pictures that can be read and are not all but flat."""
    found: list[NDArray[np.uint64] | None] = []
    with ThreadPoolExecutor() as pool:
        for start in range(0, len(pictures), READ_AT_ONCE):
            found += pool.map(_hash, pictures[start : start + READ_AT_ONCE])
    kept = [(picture, bits) for picture, bits in zip(pictures, found, strict=True) if bits is not None]
    return Hashed([picture for picture, _ in kept], np.array([bits for _, bits in kept], np.uint64))


def _hash(picture: Picture) -> NDArray[np.uint64] | None:
    """The difference hash of a picture's eight orientations, ``(8, 4)``; None where it would say nothing.

    Each bit says whether a pixel of a small grey copy is brighter than the one to its left.
    """
    try:
        pixels = picture.read()
    except (ValueError, FileNotFoundError):
        return None
    small = Pillow.fromarray(np.ascontiguousarray(pixels)).convert("L").resize((64, 64), Pillow.Resampling.BOX)
    turned = [np.rot90(grey, k) for grey in (np.asarray(small), np.asarray(small).T) for k in range(4)]
    hashes = np.stack([_bits(grey) for grey in turned])
    # Images without structure are as near to one another as copies of one photograph.
    num_set = np.bitwise_count(hashes).sum(axis=1)
    return hashes if ((num_set > MAX_DISTANCE) & (num_set < SIDE * SIDE - MAX_DISTANCE)).all() else None


def _bits(grey: NDArray[np.uint8]) -> NDArray[np.uint64]:
    copy = Pillow.fromarray(np.ascontiguousarray(grey)).resize((SIDE + 1, SIDE), Pillow.Resampling.BOX)
    values = np.asarray(copy, dtype=np.int16)
    return np.packbits(values[:, 1:] > values[:, :-1]).view(np.uint64)
