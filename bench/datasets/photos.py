"""Clean test photographs: crops of the free photographs that come with scikit-image."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from bench.datasets.base import DATASETS, DataSet, Split
from bench.datasets.degrade import Degradation
from bench.datasets.images import Pixels
from bench.datasets.layout import Clean, Pairs

CROP_SIZE = 192

# The top left corners of the crops by photograph; crops of one photograph do not overlap.
CORNERS: dict[str, tuple[tuple[int, int], ...]] = {
    "astronaut": ((0, 120), (90, 320), (300, 100)),
    "chelsea": ((20, 40), (60, 235)),
    "coffee": ((10, 170), (205, 250)),
    "rocket": ((225, 60), (225, 255)),
    "hubble_deep_field": ((250, 230),),
}

NUM_PHOTOS = sum(map(len, CORNERS.values()))

PHOTOS = DataSet(
    title="Photographs",
    authors="NASA (astronaut); Stéfan van der Walt (chelsea); Rachel Michetti (coffee); SpaceX (rocket); "
    "NASA, ESA, G. Illingworth et al. and the HUDF09 team (hubble_deep_field)",
    licence="public domain (astronaut, rocket, hubble_deep_field) and CC0 (chelsea, coffee)",
    url="https://scikit-image.org/docs/stable/api/skimage.data.html",
    reference="S. van der Walt et al., scikit-image: image processing in Python, PeerJ 2014",
    splits={"test": Split(Clean(("test/clean/{name}.png",)), num_items=NUM_PHOTOS)},
    is_embedded=True,
)
DATASETS.register("photos")(PHOTOS)


def degraded_photos(title: str, protocol: str, degradation: Degradation, reference: str) -> DataSet:
    """Declares a test set of pairs: the photographs, and the same degraded."""
    pairs = Split(Pairs("test/degraded/{name}.png", "test/clean/{name}.png"), num_items=NUM_PHOTOS)
    return replace(
        PHOTOS,
        title=title,
        protocol=protocol,
        degradation=degradation,
        reference=reference,
        splits={"test": pairs},
    )


def photographs() -> Iterator[tuple[str, Pixels]]:
    """Yields the name and the pixels of every crop, ``(192, 192, 3)`` uint8.

    Raises:
        ModuleNotFoundError: scikit-image, which holds the photographs, is not installed.
    """
    try:
        from skimage import data
    except ModuleNotFoundError as error:
        message = "the test photographs are cut out of scikit-image's: `python -m pip install -e '.[data]'`"
        raise ModuleNotFoundError(message) from error
    for photo, corners in CORNERS.items():
        pixels = getattr(data, photo)()
        for k, (top, left) in enumerate(corners):
            yield f"{photo}_{k}", np.ascontiguousarray(pixels[top : top + CROP_SIZE, left : left + CROP_SIZE])
