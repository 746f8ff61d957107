"""What a data set is, and how training batches are drawn from one."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import numpy as np
import torch

from bench.batch import Batch
from bench.datasets.degrade import Degradation, Image
from bench.datasets.images import Pixels
from bench.datasets.items import Item
from bench.datasets.layout import Layout
from bench.registry import Registry
from bench.seeding import generator


class Split:
    """One split of a data set: where its images are, and how many there should be.

    Args:
        layouts: The official layout first, then those of well-known copies; the first that fits is read.
        num_items: Pairs, or images of a set without pairs.
        num_clean: Different clean images, where several degraded versions share one, if that is known.
    """

    def __init__(self, *layouts: Layout, num_items: int, num_clean: int | None = None) -> None:
        self.layouts = layouts
        self.num_items = num_items
        self.num_clean = num_clean

    def find(self, root: Path) -> list[Item]:
        """Finds the split's images; empty where none of the layouts fits.

        Raises:
            ValueError: A file has no partner, or two files share one name.
        """
        return next(filter(None, (layout.find(root) for layout in self.layouts)), [])


@dataclass(frozen=True)
class DataSet:
    """The declaration of a data set.

    Attributes:
        title: What it is, for tables and documentation.
        authors: Who made its images.
        licence: The terms of its images, as far as they are stated.
        url: Its home page.
        reference: The publication or method behind it.
        protocol: Name of the evaluation protocol of its test split; None for sets that are only trained on.
        degradation: What makes the degraded images out of the clean ones, of an embedded test set.
        splits: Its splits, by name: ``train``, ``val``, ``test``.
        is_embedded: Whether it comes with the benchmark, in ``data/``; others are in ``datasets/`` once imported.
        note: What a user should know, such as differences between copies.
    """

    title: str
    authors: str
    licence: str
    url: str
    reference: str
    protocol: str | None = None
    degradation: Degradation | None = None
    splits: Mapping[str, Split] = field(default_factory=dict)
    is_embedded: bool = False
    note: str = ""


DATASETS: Registry[DataSet] = Registry("data set", "slkd_bench.datasets")


@dataclass(frozen=True)
class Shelf:
    """The folders in which data sets stand, each under its name.

    Attributes:
        embedded: The sets that come with the benchmark.
        imported: Real sets.
    """

    embedded: Path = Path("data")
    imported: Path = Path("datasets")

    def place(self, name: str) -> Path:
        """Where a declared data set belongs."""
        return (self.embedded if DATASETS[name].is_embedded else self.imported) / name

    def find(self, name: str, split: str) -> list[Item]:
        """Finds the images of a declared data set.

        Raises:
            UnknownNameError: No such data set.
            FileNotFoundError: It is not there; the message says where it belongs and how to get it.
            ValueError: A file has no partner, or the set has no such split.
        """
        declared, root = DATASETS[name].splits, self.place(name)
        if root.is_symlink() and not root.exists():
            raise FileNotFoundError(
                f"{root}: a link that leads nowhere; remove it, then `python -m bench data import {name}`"
            )
        if split not in declared:
            raise ValueError(f"data set {name!r} has no {split} split; it has {' and '.join(declared)}")
        items = declared[split].find(root)
        if not items:
            expected = f"{declared[split].layouts[0]}; {_remedy(name)}"
            raise FileNotFoundError(f"{root}: no {split} images of {name}; expected {expected}")
        return items


def _remedy(name: str) -> str:
    if DATASETS[name].is_embedded:
        return "embedded data comes with `dvc pull data.dvc`"
    return f"`python -m bench data where {name}` tells where to get it, `data import` puts it there"


class PairSource(Protocol):
    """Aligned pairs of a degraded and a clean image."""

    @property
    def dataset(self) -> str:
        """The data set's name, one of the keys of every sample's random numbers."""

    @property
    def items(self) -> Sequence[Item]:
        """The files behind the pairs."""

    def __len__(self) -> int: ...

    def digest(self) -> str:
        """Identifies the images and what is done to them: a record made from others is out of date."""

    def name(self, index: int) -> str:
        """What a table calls pair ``index``."""

    def pair(self, index: int) -> tuple[Pixels | Image, Pixels | None]:
        """Returns the whole degraded and clean image, the same at every call.

        Returns:
            ``(H, W, 3)``: the degraded image as uint8 or, where it was never stored in 8 bits, float32 in units of
            [0, 1]; the clean one as uint8, or None where there is none.
        """

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
