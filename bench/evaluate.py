"""Restoring images with a trained network, and scoring a test set under its protocol."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from bench.datasets.base import PairSource
from bench.metrics.protocol import Protocol, to_uint8
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

    def means(self) -> dict[str, float]:
        """Mean over the images, by metric.

        Raises:
            ValueError: A value is infinite (identical images have no finite PSNR), so that no mean exists.
        """
        for key, values in self.values.items():
            for name, value in zip(self.names, values, strict=True):
                if not np.isfinite(value):
                    raise ValueError(f"{key} of image {name!r} is {value}: no mean exists over such a test set")
        return {key: float(np.mean(values)) for key, values in self.values.items()}


def score(
    network: RestorationNetwork | None,
    pairs: PairSource,
    protocol: Protocol,
    sees: Literal["degraded", "clean"] = "degraded",
) -> Scores:
    """Restores every image of a test set and scores it under the protocol.

    Args:
        network: The network; None scores the degraded images themselves.
        pairs: The test set.
        protocol: The test set's protocol.
        sees: What the network is given; a reconstruction teacher is scored on what it was trained to do.
    """
    names: list[str] = []
    values: dict[str, list[float]] = {}
    for index in range(len(pairs)):
        degraded, clean = map(_to_tensor, pairs.pair(index))
        restored = degraded
        if network is not None:
            restored = restore(network, degraded if sees == "degraded" else clean)
        names.append(pairs.name(index))
        for key, value in protocol.score(restored, clean).items():
            values.setdefault(key, []).append(value.item())
    return Scores(names, values)


def restore(network: RestorationNetwork, image: Tensor) -> Tensor:
    """Restores 8-bit images ``(N, 3, H, W)`` of any size to 8-bit images."""
    network.eval()
    with torch.inference_mode():
        normalised = image.float().div(255).to(memory_format=torch.channels_last)
        return to_uint8(network.restore(normalised))


def _to_tensor(image: np.ndarray) -> Tensor:
    """``(H, W, 3)`` array to ``(1, 3, H, W)`` tensor."""
    return torch.tensor(image).permute(2, 0, 1).unsqueeze(0)
