"""NAFNet: a U-net of activation-free blocks."""

from collections.abc import Mapping
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from bench.networks.base import NETWORKS, Features, Levels, Published, RestorationNetwork, count_blocks
from bench.networks.norm import ChannelNorm


class LocalMean(nn.AdaptiveAvgPool2d):
    """The mean over the image or, where that is larger than a window, over the window around each pixel.

    Test-time local converter (TLC): a network that was trained on patches meets means over areas of the same size in
    large images. Windows lie inside the image; near its edges, pixels share that of the nearest whole one.

    Args:
        window: Side of the window in pixels; None for the mean over the image, whatever its size.

    References:
        X. Chu, L. Chen, C. Chen, X. Lu, "Improving Image Restoration by Revisiting Global Information Aggregation",
        ECCV 2022, arXiv 2112.04491.
    """

    def __init__(self, window: int | None) -> None:
        super().__init__(1)
        self.window = window

    def forward(self, x: Tensor) -> Tensor:
        height, width = x.shape[-2:]
        if self.window is None or self.window >= max(height, width):
            return super().forward(x)
        mean = _sliding_mean(_sliding_mean(x, self.window, dim=2), self.window, dim=3)
        down, right = height - mean.shape[2], width - mean.shape[3]
        return F.pad(mean, (right // 2, right - right // 2, down // 2, down - down // 2), mode="replicate")


def _sliding_mean(x: Tensor, window: int, dim: int) -> Tensor:
    """Means over all windows inside the image along one axis; over all of it where it is shorter than the window."""
    window = min(window, x.shape[dim])
    # A running sum in float32 would lose digits over the length of an image.
    total = F.pad(x.double().cumsum(dim), (0, 0, 1, 0) if dim == 2 else (1, 0))
    steps = x.shape[dim] - window + 1
    return ((total.narrow(dim, window, steps) - total.narrow(dim, 0, steps)) / window).to(x.dtype)


class NAFBlock(nn.Module):
    """Two gated residual halves: one with spatial mixing and channel attention, one pixelwise."""

    def __init__(self, channels: int, pooling_window: int | None) -> None:
        super().__init__()
        self.norm1 = ChannelNorm(channels, eps=1e-6)
        self.conv1 = nn.Conv2d(channels, 2 * channels, 1)
        self.conv2 = nn.Conv2d(2 * channels, 2 * channels, 3, padding=1, groups=2 * channels)
        self.sca = nn.Sequential(LocalMean(pooling_window), nn.Conv2d(channels, channels, 1))
        self.conv3 = nn.Conv2d(channels, channels, 1)
        self.norm2 = ChannelNorm(channels, eps=1e-6)
        self.conv4 = nn.Conv2d(channels, 2 * channels, 1)
        self.conv5 = nn.Conv2d(channels, channels, 1)
        self.beta = nn.Parameter(torch.zeros(1, channels, 1, 1))
        self.gamma = nn.Parameter(torch.zeros(1, channels, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        gate, value = self.conv2(self.conv1(self.norm1(x))).chunk(2, dim=1)
        mixed = gate * value
        x = x + self.beta * self.conv3(mixed * self.sca(mixed))
        gate, value = self.conv4(self.norm2(x)).chunk(2, dim=1)
        return x + self.gamma * self.conv5(gate * value)


_GOPRO: dict[str, Any] = {
    "encoder_blocks": (1, 1, 1, 28), "middle_blocks": 1, "decoder_blocks": (1, 1, 1, 1), "local_patch": 256
}  # fmt: skip
_SIDD: dict[str, Any] = {"encoder_blocks": (2, 2, 4, 8), "middle_blocks": 12, "decoder_blocks": (2, 2, 2, 2)}


@NETWORKS.register("nafnet")
class NAFNet(RestorationNetwork):
    """NAFNet, with simple gates and simplified channel attention.

    Level ``i`` has ``width * 2**i`` channels at ``1 / 2**i`` of the resolution; skips are added, not concatenated.

    Args:
        width: Channels at full resolution.
        encoder_blocks: Blocks of each encoder level, fine to coarse.
        middle_blocks: Blocks of the bottleneck.
        decoder_blocks: Blocks of each decoder level, **coarse to fine**, as published configurations list them.
        local_patch: Side of the training patches to which the means of larger images are confined: windows of 1.5 times
            that side (`LocalMean`). None: means over the whole image.
        residual: See `RestorationNetwork`.

    References:
        L. Chen, X. Chu, X. Zhang, J. Sun, "Simple Baselines for Image Restoration", ECCV 2022, arXiv 2204.04676.
    """

    sizes: ClassVar = {
        "gopro_width32": {"width": 32, **_GOPRO},
        "gopro_width64": {"width": 64, **_GOPRO},
        "sidd_width32": {"width": 32, **_SIDD},
        "sidd_width64": {"width": 64, **_SIDD},
        "sl": {"width": 16, "encoder_blocks": (1, 1, 1, 8), "middle_blocks": 1, "decoder_blocks": (1, 1, 1, 1)},
        "mini": {"width": 24, "encoder_blocks": (1, 1, 2), "middle_blocks": 2, "decoder_blocks": (1, 1, 1)},
        "micro": {"width": 8, "encoder_blocks": (1, 1, 1), "middle_blocks": 1, "decoder_blocks": (1, 1, 1)},
    }
    releases: ClassVar = {"reds_width64": "gopro_width64"}
    published: ClassVar = {"sidd_width64": Published("L. Chen et al., NAFNet, ECCV 2022, results on SIDD", macs_g=65)}

    def __init__(
        self,
        width: int,
        encoder_blocks: tuple[int, ...],
        middle_blocks: int,
        decoder_blocks: tuple[int, ...],
        local_patch: int | None = None,
        residual: bool = True,
    ) -> None:
        super().__init__()
        depth = len(encoder_blocks)
        self.residual = residual
        self.size_multiple = 2**depth
        self.encoder_channels = tuple(width * 2**level for level in range(depth + 1))
        self.decoder_channels = self.encoder_channels[:depth]

        def stage(level: int, num_blocks: int) -> nn.Sequential:
            window = int(1.5 * local_patch / 2**level) if local_patch else None
            return nn.Sequential(*(NAFBlock(self.encoder_channels[level], window) for _ in range(num_blocks)))

        self.intro = nn.Conv2d(3, width, 3, padding=1)
        self.encoders = nn.ModuleList(stage(level, count) for level, count in enumerate(encoder_blocks))
        self.downs = nn.ModuleList(nn.Conv2d(n, 2 * n, 2, stride=2) for n in self.decoder_channels)
        self.middle_blks = stage(depth, middle_blocks)
        coarse_to_fine = self.decoder_channels[::-1]
        self.ups = nn.ModuleList(
            nn.Sequential(nn.Conv2d(2 * n, 4 * n, 1, bias=False), nn.PixelShuffle(2)) for n in coarse_to_fine
        )
        levels = reversed(range(depth))
        self.decoders = nn.ModuleList(stage(i, count) for i, count in zip(levels, decoder_blocks, strict=True))
        self.ending = nn.Conv2d(width, 3, 3, padding=1)

    def pad(self, image: Tensor) -> tuple[Tensor, int, int]:
        """Pads with zeros on the right and at the bottom, as the released network does inside."""
        height, width = image.shape[-2:]
        return F.pad(image, (0, -width % self.size_multiple, 0, -height % self.size_multiple)), 0, 0

    def encode(self, image: Tensor) -> Levels:
        self.check_input(image)
        encoder = []
        x = self.intro(image)
        for stage, down in zip(self.encoders, self.downs, strict=True):
            encoder.append(stage(x))
            x = down(encoder[-1])
        return (*encoder, self.middle_blks(x))

    def forward_features(self, image: Tensor) -> Features:
        *skips, x = encoder = self.encode(image)
        decoder = []
        for stage, up, skip in zip(self.decoders, self.ups, reversed(skips), strict=True):
            x = stage(up(x) + skip)
            decoder.append(x)
        restored = self.ending(x)
        if self.residual:
            restored = restored + image
        return Features(restored, encoder, tuple(reversed(decoder)))

    @classmethod
    def configuration(cls, shapes: Mapping[str, tuple[int, ...]]) -> dict[str, Any] | None:
        if "middle_blks.0.sca.1.weight" not in shapes:
            return None
        depth = count_blocks(shapes, "downs")
        return {
            "width": shapes["intro.weight"][0],
            "encoder_blocks": tuple(count_blocks(shapes, f"encoders.{i}") for i in range(depth)),
            "middle_blocks": count_blocks(shapes, "middle_blks"),
            "decoder_blocks": tuple(count_blocks(shapes, f"decoders.{i}") for i in range(depth)),
        }
