"""What every restoration network promises to the harness and to the methods."""

import hashlib
import re
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from bench.registry import Registry, UnknownNameError

Levels = tuple[Tensor, ...]
"""Features of one image or batch at several resolutions, finest first."""


class Features(NamedTuple):
    """What a restoration network says about one batch.

    Attributes:
        restored: The restored images, ``(N, 3, H, W)``, nominally in [0, 1], not clamped.
        encoder: Level ``i`` is ``(N, C_i, H / 2**i, W / 2**i)``; 0 is the finest, the last is the bottleneck.
        decoder: The same indexing, 0 is the finest; empty where a network has no decoder.
    """

    restored: Tensor
    encoder: Levels
    decoder: Levels

    @property
    def levels(self) -> Levels:
        """All levels, those of the encoder first."""
        return (*self.encoder, *self.decoder)


class Published(NamedTuple):
    """The cost of a network as it is printed elsewhere.

    Attributes:
        source: Where it is printed.
        params_m: Parameters in millions, or None where they are not printed there.
        macs_g: Multiply-accumulates in 10^9 for an image of 256x256, which papers call FLOPs; None as above.
    """

    source: str
    params_m: float | None = None
    macs_g: float | None = None


class RestorationNetwork(nn.Module):
    """A U-shaped network that maps degraded to restored images.

    A family is one file in ``bench/networks`` with one registered subclass; its constructor's keyword arguments
    other than ``residual`` are the values of ``sizes``.

    Attributes:
        sizes: Size presets by name, as keyword arguments of the constructor, the full size first. ``sl`` is its
            student, ``mini`` and ``micro`` are the reduced pair of the embedded grid.
        releases: The published checkpoints of the family, by the name of their task, and the size of each.
        published: The cost of a size as it is printed elsewhere.
        official_names: How our names of parameters become those of official state dicts: regular expressions and
            what replaces them, applied one after the other.
        encoder_channels: Channels of each encoder level, finest first; adapters are built from these.
        decoder_channels: Channels of each decoder level, finest first.
        in_channels: Channels of the images that it takes: 3 but for a few published variants.
        size_multiple: Height and width that ``forward_features`` accepts are multiples of this.
        residual: Whether the input image is added to the output. A reconstruction teacher (clean -> clean) is
            built without it, since with it the zero function is already perfect and its features say nothing.
    """

    sizes: ClassVar[dict[str, dict[str, Any]]]
    releases: ClassVar[dict[str, str]] = {}
    published: ClassVar[dict[str, Published]] = {}
    official_names: ClassVar[tuple[tuple[str, str], ...]] = ()
    encoder_channels: tuple[int, ...]
    decoder_channels: tuple[int, ...]
    in_channels: int = 3
    size_multiple: int
    residual: bool

    @property
    def level_channels(self) -> tuple[int, ...]:
        """Channels of all levels, as `Features.levels`."""
        return (*self.encoder_channels, *self.decoder_channels)

    def forward_features(self, image: Tensor) -> Features:
        """Restores ``image`` ``(N, in_channels, H, W)`` in [0, 1] and returns the features of every level.

        Raises:
            ValueError: A side is no multiple of ``size_multiple``, or the channels are not those of the network.
        """
        raise NotImplementedError(f"{type(self).__name__} must define forward_features")

    def encode(self, image: Tensor) -> Levels:
        """The encoder's features alone: bitwise those of ``forward_features``, for less work where a family can."""
        return self.forward_features(image).encoder

    def forward(self, image: Tensor) -> Tensor:
        """Restores ``image``: bitwise ``forward_features(image).restored``."""
        return self.forward_features(image).restored

    def restore(self, image: Tensor) -> Tensor:
        """Restores images of any size: pads them as the family's published test code does, and crops afterwards.

        Args:
            image: ``(N, in_channels, H, W)`` in [0, 1].

        Returns:
            The restored images, clamped to [0, 1].

        Raises:
            ValueError: Not floating-point images of that many channels.
        """
        if not image.is_floating_point():
            raise ValueError(
                f"expected floating-point images in [0, 1], got {image.dtype}; divide by its largest value"
            )
        if image.ndim != 4 or image.shape[1] != self.in_channels:
            hint = "drop an alpha channel, repeat grey as three channels"
            raise ValueError(f"expected images (N, {self.in_channels}, H, W), got {tuple(image.shape)}; {hint}")
        height, width = image.shape[-2:]
        padded, top, left = self.pad(image)
        return self(padded)[..., top : top + height, left : left + width].clamp(0, 1)

    def pad(self, image: Tensor) -> tuple[Tensor, int, int]:
        """Pads to a size that ``forward_features`` accepts: here by reflection on the right and at the bottom.

        Returns:
            The padded images, and where the top left corner of the original lies in them. Sides shorter than the
            padding they need are padded by repetition of the edge, since a reflection cannot be longer than the image.
        """
        height, width = image.shape[-2:]
        bottom, right = -height % self.size_multiple, -width % self.size_multiple
        mode = "reflect" if bottom < height and right < width else "replicate"
        padded = F.pad(image, (0, right, 0, bottom), mode=mode) if bottom or right else image
        return padded, 0, 0

    def check_input(self, image: Tensor) -> None:
        """Raises ValueError, as ``forward_features`` promises."""
        channels, height, width = image.shape[1:]
        if channels != self.in_channels or height % self.size_multiple or width % self.size_multiple:
            raise ValueError(
                f"{type(self).__name__} takes (N, {self.in_channels}, H, W) with H and W multiples of "
                f"{self.size_multiple}, got {tuple(image.shape)}; restore() pads images of any size"
            )

    @classmethod
    def configuration(cls, shapes: Mapping[str, tuple[int, ...]]) -> dict[str, Any] | None:
        """Reads the constructor's arguments off an official state dict.

        Args:
            shapes: The shape of every tensor, by its official name.

        Returns:
            The arguments that leave a trace in names and shapes, or None where the state dict is of another family.

        Raises:
            KeyError: It is of this family, but lacks a tensor that would say one of them.
        """
        return None

    @classmethod
    def official_name(cls, name: str) -> str:
        """The name of one of our parameters in official state dicts."""
        for pattern, replacement in cls.official_names:
            name = re.sub(pattern, replacement, name)
        return name


def count_blocks(shapes: Iterable[str], prefix: str) -> int:
    """How many blocks ``prefix.0``, ``prefix.1`` ... a state dict has."""
    found = (re.match(rf"{re.escape(prefix)}\.(\d+)\.", name) for name in shapes)
    return 1 + max((int(match[1]) for match in found if match), default=-1)


def weights_digest(network: nn.Module) -> str:
    """The sha256 over a network's state: names, shapes and values."""
    total = hashlib.sha256()
    for name, tensor in network.state_dict().items():
        total.update(f"{name} {tuple(tensor.shape)}\n".encode())
        total.update(tensor.detach().cpu().flatten().view(torch.uint8).numpy().tobytes())
    return total.hexdigest()


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
