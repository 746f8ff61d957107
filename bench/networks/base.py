"""What every restoration network promises to the harness and to the methods."""

from typing import Any, ClassVar, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from bench.registry import Registry, UnknownNameError


class Features(NamedTuple):
    """What a restoration network says about one batch.

    Attributes:
        restored: The restored images, ``(N, 3, H, W)``, nominally in [0, 1], not clamped.
        encoder: Level ``i`` is ``(N, C_i, H / 2**i, W / 2**i)``; 0 is the finest, the last is the bottleneck.
        decoder: The same indexing, 0 is the finest; empty where a network has no decoder.
    """

    restored: Tensor
    encoder: tuple[Tensor, ...]
    decoder: tuple[Tensor, ...]


class RestorationNetwork(nn.Module):
    """A U-shaped network that maps degraded to restored RGB images.

    A family is one file in ``bench/networks`` with one registered subclass; its constructor's keyword arguments
    other than ``residual`` are the values of ``sizes``.

    Attributes:
        sizes: Size presets by name, as keyword arguments of the constructor.
        encoder_channels: Channels of each encoder level, finest first; adapters are built from these.
        decoder_channels: Channels of each decoder level, finest first.
        size_multiple: Height and width that ``forward_features`` accepts are multiples of this.
        residual: Whether the input image is added to the output. A reconstruction teacher (clean -> clean) is
            built without it, since with it the zero function is already perfect and its features say nothing.
    """

    sizes: ClassVar[dict[str, dict[str, Any]]]
    encoder_channels: tuple[int, ...]
    decoder_channels: tuple[int, ...]
    size_multiple: int
    residual: bool

    def forward_features(self, image: Tensor) -> Features:
        """Restores ``image`` ``(N, 3, H, W)`` in [0, 1] and returns the features of every level."""
        raise NotImplementedError(f"{type(self).__name__} must define forward_features")

    def forward(self, image: Tensor) -> Tensor:
        """Restores ``image``: bitwise ``forward_features(image).restored``."""
        return self.forward_features(image).restored

    def restore(self, image: Tensor) -> Tensor:
        """Restores images of any size: reflect-pads right and bottom to ``size_multiple``, crops afterwards.

        Args:
            image: ``(N, 3, H, W)`` in [0, 1]. Sides shorter than the padding they need are padded by repetition
                of the edge, since a reflection cannot be longer than the image.

        Returns:
            The restored images, ``(N, 3, H, W)``, clamped to [0, 1].
        """
        height, width = image.shape[-2:]
        bottom, right = -height % self.size_multiple, -width % self.size_multiple
        mode = "reflect" if bottom < height and right < width else "replicate"
        padded = F.pad(image, (0, right, 0, bottom), mode=mode) if bottom or right else image
        return self(padded)[..., :height, :width].clamp(0, 1)


NETWORKS: Registry[type[RestorationNetwork]] = Registry("network", "slkd_bench.networks")


def build_network(name: str, size: str, seed: int = 0, residual: bool = True) -> RestorationNetwork:
    """Builds a network whose initial weights depend only on its arguments.

    Args:
        name: A registered family, such as ``nafnet``.
        size: One of the family's size presets, such as ``mini``.
        seed: Seeds the initial weights; PyTorch's global generator is left as it was.
        residual: See `RestorationNetwork`.

    Raises:
        KeyError: An unknown family or size; the message names the nearest ones.
    """
    family = NETWORKS[name]
    if size not in family.sizes:
        raise UnknownNameError(f"size of network {name!r}", size, family.sizes)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = family(residual=residual, **family.sizes[size])
    return network.to(memory_format=torch.channels_last)
