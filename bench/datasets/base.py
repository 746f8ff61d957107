"""What a data set is, and how training batches are drawn from one."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch

from bench.batch import Batch
from bench.datasets.degrade import Degradation, Image
from bench.datasets.images import Pixels
from bench.registry import Registry
from bench.seeding import generator


@dataclass(frozen=True)
class DataSet:
    """The declaration of an embedded data set, ``data/<name>``.

    Attributes:
        title: What it is, for tables and documentation.
        authors: Who made its images.
        licence: The terms of its images.
        url: Where they come from.
        reference: The publication or method behind it.
        protocol: Name of the evaluation protocol of a test set; None for sets of clean images.
        degradation: What makes the degraded images out of the clean ones; None for sets of clean images.
    """

    title: str
    authors: str
    licence: str
    url: str
    reference: str
    protocol: str | None = None
    degradation: Degradation | None = None


DATASETS: Registry[DataSet] = Registry("data set", "slkd_bench.datasets")


class PairSource(Protocol):
    """Aligned pairs of a degraded and a clean image."""

    @property
    def dataset(self) -> str:
        """The data set's name, one of the keys of every sample's random numbers."""

    def __len__(self) -> int: ...

    def digest(self) -> str:
        """Identifies the images and what is done to them: a record made from others is out of date."""

    def name(self, index: int) -> str:
        """What a table calls pair ``index``."""

    def pair(self, index: int) -> tuple[Pixels, Pixels]:
        """Returns the whole degraded and clean image, ``(H, W, 3)`` uint8, the same at every call."""

    def crop(self, rng: np.random.Generator, size: int) -> tuple[Image, Image]:
        """Draws a training sample: a random pair, place and orientation.

        Returns:
            The degraded and the clean crop, ``(size, size, 3)`` float32 in [0, 1].

        Raises:
            ValueError: The image that was drawn is smaller than the crop; the message names it.
        """


def draw_batch(source: PairSource, seed: int, step: int, batch_size: int, crop_size: int) -> Batch:
    """Draws the training batch of a step.

    Sample ``i = step * batch_size + k`` is a pure function of (data set name, seed, i): every method sees the same
    data, and a run resumes anywhere.

    Args:
        source: Where crops come from.
        seed: The run's seed.
        step: The step, from 0.
        batch_size: Number of crops.
        crop_size: Height and width of the crops.

    Returns:
        ``(batch_size, 3, crop_size, crop_size)`` float32 in [0, 1], in channels-last memory format.
    """
    images = np.empty((2, batch_size, crop_size, crop_size, 3), np.float32)
    for k in range(batch_size):
        rng = generator(source.dataset, "crop", seed, step * batch_size + k)
        images[0, k], images[1, k] = source.crop(rng, crop_size)
    degraded, clean = torch.from_numpy(images).permute(0, 1, 4, 2, 3)
    return Batch(degraded, clean)
