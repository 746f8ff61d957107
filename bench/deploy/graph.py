"""A network as one graph: an image of any size in, the restored image out."""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from bench.networks.base import RestorationNetwork

Restore = Callable[[Tensor], Tensor]
"""Restores images ``(N, 3, H, W)``, float32 in [0, 1]; what comes out is likewise."""

TOLERANCE = 1e-4
"""How far what a file restores may be from what the network restores, in units of [0, 1]: a fortieth of a level."""


class Graph(nn.Module):
    """Restores images whose sides are at least ``size_multiple``; padding, cropping and clamping are inside.

    It does what `RestorationNetwork.restore` does, without the branches on the size, which a graph cannot have that is
    to take any size.

    Args:
        network: In evaluation mode.
    """

    def __init__(self, network: RestorationNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, image: Tensor) -> Tensor:
        height, width = image.shape[-2:]
        padded, top, left = self._pad(image)
        return self.network(padded)[..., top : top + height, left : left + width].clamp(0, 1)

    def _pad(self, image: Tensor) -> tuple[Tensor, int, int]:
        if type(self.network).pad is not RestorationNetwork.pad:
            return self.network.pad(image)
        height, width = image.shape[-2:]
        bottom, right = -height % self.network.size_multiple, -width % self.network.size_multiple
        return F.pad(image, (0, right, 0, bottom), mode="reflect"), 0, 0


def example(network: RestorationNetwork) -> Tensor:
    """Images to record a graph with: two, of unequal sides that need padding."""
    return _noise(network, 2, 2 * network.size_multiple + 3, 3 * network.size_multiple - 2)


@torch.inference_mode()
def largest_difference(network: RestorationNetwork, restore: Restore) -> float:
    """How far a file's output is from the network's, over images of five sizes other than that of the example.

    Raises:
        ValueError: A size comes out as another.
    """
    multiple, differences = network.size_multiple, []
    for count, rows, columns in ((1, 2, 2), (1, 3, 5), (2, 4, 3), (1, 5, 2), (3, 2, 4)):
        odd = count == 1  # sides with and without padding
        image = _noise(network, count, rows * multiple - odd * rows % multiple, columns * multiple)
        expected, found = network.restore(image), restore(image)
        if found.shape != expected.shape:
            raise ValueError(f"an image of {tuple(image.shape)} came out as {tuple(found.shape)}")
        differences.append((found - expected).abs().max().item())
    return max(differences)


def _noise(network: RestorationNetwork, *shape: int) -> Tensor:
    count, height, width = shape
    generator = torch.Generator().manual_seed(count * height * width)
    return torch.rand(count, network.in_channels, height, width, generator=generator)
