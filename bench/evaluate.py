"""Restoring images with a trained network, and scoring a test set under its protocol."""

import itertools
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
import torch
from torch import Tensor

from bench.config import Tiling
from bench.datasets.base import PairSource
from bench.datasets.degrade import Image
from bench.datasets.images import Pixels
from bench.datasets.items import Item
from bench.metrics.protocol import Protocol
from bench.networks.base import RestorationNetwork


@dataclass(frozen=True)
class Scores:
    """The value of every metric for every image of a test set.

    Attributes:
        names: The images.
        values: By metric key, one value per image.
    """

    names: Sequence[str]
    values: dict[str, list[float]]

    def mean(self, key: str) -> float | None:
        """Mean over the images; None where a value is infinite: identical images have no finite PSNR."""
        values = self.values[key]
        return float(np.mean(values)) if np.isfinite(values).all() else None

    def means(self) -> dict[str, float]:
        """Mean over the images, by metric.

        Raises:
            ValueError: A value is infinite, so that no mean exists.
        """
        means = {key: mean for key in self.values if (mean := self.mean(key)) is not None}
        for key in self.values.keys() - means.keys():
            name, value = next((n, v) for n, v in zip(self.names, self.values[key], strict=True) if not np.isfinite(v))
            raise ValueError(f"{key} of image {name!r} is {value}: no mean exists over such a test set")
        return means


def score(
    network: RestorationNetwork | None,
    pairs: PairSource,
    protocol: Protocol,
    sees: Literal["degraded", "clean"] = "degraded",
    tiling: Tiling | None = None,
    watch: Callable[[str, Tensor], None] = lambda name, restored: None,
) -> Scores:
    """Restores every image of a test set and scores it under the protocol.

    Args:
        network: The network; None scores the degraded images themselves.
        pairs: The test set.
        protocol: The test set's protocol.
        sees: What the network is given; a reconstruction teacher is scored on what it was trained to do.
        tiling: How images are cut; None restores each as a whole.
        watch: Is given the name and the levels of every image before it is scored, to keep or to show them.

    Raises:
        ValueError: The set has no clean images, and they are needed.
    """
    names: list[str] = []
    values: dict[str, list[float]] = {}
    for index in range(len(pairs)):
        degraded, clean = pairs.pair(index)
        seen = degraded if sees == "degraded" else clean
        if seen is None:
            raise ValueError(f"{pairs.dataset} has no clean images, which a {sees}-image teacher is shown")
        if network is None and seen.dtype == np.uint8:
            restored = _batch(seen)
        else:
            restored = protocol.levels(restore(network, to_tensor(seen), tiling) if network else to_tensor(seen))
        names.append(pairs.name(index))
        watch(names[-1], restored)
        for key, value in _scored(names[-1], protocol, restored, None if clean is None else _batch(clean)).items():
            values.setdefault(key, []).append(value)
    return Scores(names, values)


def score_items(items: Sequence[Item], protocol: Protocol) -> Scores:
    """Scores image files as they are; the degraded picture of an item is the restored one here.

    Each of PyTorch's threads decodes and scores an image of its own: the operations on one image are too small to be
    shared. No more than two images for each thread are in memory.

    Raises:
        ValueError: An image is damaged or not 8-bit RGB, or a pair differs in size.
    """
    num_threads = torch.get_num_threads()
    values: dict[str, list[float]] = {key: [] for key in protocol.metrics}
    ahead: deque[Future[dict[str, float]]] = deque()
    with ThreadPoolExecutor(num_threads, initializer=lambda: torch.set_num_threads(1)) as pool:
        for item in items:
            ahead.append(pool.submit(_score_item, item, protocol))
            if len(ahead) > 2 * num_threads:
                _append(values, ahead.popleft().result())
        while ahead:
            _append(values, ahead.popleft().result())
    return Scores([item.name for item in items], values)


def _score_item(item: Item, protocol: Protocol) -> dict[str, float]:
    assert item.degraded is not None
    restored = _batch(item.degraded.read())
    clean = _batch(item.clean.read()) if item.clean else None
    if clean is not None and clean.shape != restored.shape:
        sizes = " and ".join("{1}x{0}".format(*image.shape[-2:]) for image in (restored, clean))
        paths = " and ".join(str(picture.path) for picture in item.pictures)
        raise ValueError(f"{paths} differ in size: {sizes} pixels; score images of one size")
    return _scored(item.name, protocol, restored, clean)


def _scored(name: str, protocol: Protocol, restored: Tensor, clean: Tensor | None) -> dict[str, float]:
    """The scores of one image; what a metric refuses gets the image's name."""
    try:
        return {key: value.item() for key, value in protocol.score(restored, clean).items()}
    except ValueError as error:
        raise ValueError(f"image {name!r}: {error}") from error


def _append(values: dict[str, list[float]], scores: dict[str, float]) -> None:
    for key, value in scores.items():
        values[key].append(value)


def restore(network: RestorationNetwork, image: Tensor, tiling: Tiling | None = None) -> Tensor:
    """Restores images ``(N, 3, H, W)`` of any size.

    Args:
        network: The network.
        image: float32 in units of [0, 1].
        tiling: Cuts large images, so that memory depends on the tile and not on the image. A pixel further from the
            nearest seam or tile edge than the network sees comes out as from the whole image; what a network takes from
            all of an image, such as a mean, it takes from the tile.

    Raises:
        ValueError: Tile or overlap do not fit the network's size multiple.
    """
    network.eval()
    if tiling is None:
        return _restore_whole(network, image)
    rows, columns = (_spans(side, tiling, network.size_multiple) for side in image.shape[-2:])
    restored = torch.empty_like(image)
    for row, column in itertools.product(rows, columns):
        tile = _restore_whole(network, image[..., row.tile, column.tile])
        restored[..., row.kept, column.kept] = tile[..., row.kept_in_tile, column.kept_in_tile]
    return restored


def _restore_whole(network: RestorationNetwork, image: Tensor) -> Tensor:
    with torch.inference_mode():
        return network.restore(image.to(memory_format=torch.channels_last))


class _Span(NamedTuple):
    """Where a tile lies along one side of the image, and which part of it is kept."""

    tile: slice
    kept: slice

    @property
    def kept_in_tile(self) -> slice:
        return slice(self.kept.start - self.tile.start, self.kept.stop - self.tile.start)


def _spans(length: int, tiling: Tiling, multiple: int) -> list[_Span]:
    """Cuts one side into tiles that start at multiples, as the network's own grid of pixels does."""
    tile, overlap = tiling.tile, tiling.overlap
    if tile % multiple or overlap % multiple or overlap >= tile:
        raise ValueError(
            f"tile {tile} with overlap {overlap}: this network needs multiples of {multiple}, "
            "and an overlap smaller than the tile"
        )
    last = max(-(-(length - tile) // multiple) * multiple, 0)
    starts = [*range(0, last, tile - overlap), last]
    stops = [min(start + tile, length) for start in starts]
    seams = [(start + stop) // 2 for start, stop in zip(starts[1:], stops, strict=False)]
    edges = zip([0, *seams], [*seams, length], strict=True)
    return [_Span(slice(a, b), slice(*kept)) for a, b, kept in zip(starts, stops, edges, strict=True)]


def to_tensor(image: Pixels | Image) -> Tensor:
    """``(H, W, 3)`` 8-bit levels, or values in units of [0, 1], as ``(1, 3, H, W)`` float32 in these units."""
    return _batch(image).float().div(255) if image.dtype == np.uint8 else _batch(image)


def _batch(image: Pixels | Image) -> Tensor:
    """``(H, W, 3)`` array to ``(1, 3, H, W)`` tensor."""
    return torch.tensor(image).permute(2, 0, 1).unsqueeze(0)
