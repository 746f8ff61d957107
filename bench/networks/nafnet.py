"""NAFNet: a U-net of activation-free blocks."""

from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from bench.networks.base import NETWORKS, Features, RestorationNetwork


class ChannelNorm(nn.Module):
    """Layer normalisation of each pixel over its channels, on ``(N, C, H, W)`` in channels-last memory."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, x: Tensor) -> Tensor:
        # A channels-last tensor is already (N, H, W, C) in memory, so both permutations are free.
        x = F.layer_norm(x.permute(0, 2, 3, 1), self.weight.shape, self.weight, self.bias, eps=1e-6)
        return x.permute(0, 3, 1, 2)


class NAFBlock(nn.Module):
    """Two gated residual halves: one with spatial mixing and channel attention, one pixelwise."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm1 = ChannelNorm(channels)
        self.conv1 = nn.Conv2d(channels, 2 * channels, 1)
        self.conv2 = nn.Conv2d(2 * channels, 2 * channels, 3, padding=1, groups=2 * channels)
        self.sca = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Conv2d(channels, channels, 1))
        self.conv3 = nn.Conv2d(channels, channels, 1)
        self.norm2 = ChannelNorm(channels)
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


@NETWORKS.register("nafnet")
class NAFNet(RestorationNetwork):
    """NAFNet, with simple gates and simplified channel attention.

    Level ``i`` has ``width * 2**i`` channels at ``1 / 2**i`` of the resolution; skips are added, not concatenated.

    Args:
        width: Channels at full resolution.
        encoder_blocks: Blocks of each encoder level, fine to coarse.
        middle_blocks: Blocks of the bottleneck.
        decoder_blocks: Blocks of each decoder level, **coarse to fine**, as published configurations list them.
        residual: See `RestorationNetwork`.

    References:
        L. Chen, X. Chu, X. Zhang, J. Sun, "Simple Baselines for Image Restoration", ECCV 2022, arXiv 2204.04676.
    """

    sizes: ClassVar = {
        "mini": {"width": 24, "encoder_blocks": (1, 1, 2), "middle_blocks": 2, "decoder_blocks": (1, 1, 1)},
        "micro": {"width": 8, "encoder_blocks": (1, 1, 1), "middle_blocks": 1, "decoder_blocks": (1, 1, 1)},
    }

    def __init__(
        self,
        width: int,
        encoder_blocks: tuple[int, ...],
        middle_blocks: int,
        decoder_blocks: tuple[int, ...],
        residual: bool = True,
    ) -> None:
        super().__init__()
        depth = len(encoder_blocks)
        self.residual = residual
        self.size_multiple = 2**depth
        self.encoder_channels = tuple(width * 2**level for level in range(depth + 1))
        self.decoder_channels = self.encoder_channels[:depth]

        self.intro = nn.Conv2d(3, width, 3, padding=1)
        self.encoders = nn.ModuleList(
            _stage(n, count) for n, count in zip(self.decoder_channels, encoder_blocks, strict=True)
        )
        self.downs = nn.ModuleList(nn.Conv2d(n, 2 * n, 2, stride=2) for n in self.decoder_channels)
        self.middle_blks = _stage(self.encoder_channels[-1], middle_blocks)
        coarse_to_fine = self.decoder_channels[::-1]
        self.ups = nn.ModuleList(
            nn.Sequential(nn.Conv2d(2 * n, 4 * n, 1, bias=False), nn.PixelShuffle(2)) for n in coarse_to_fine
        )
        self.decoders = nn.ModuleList(_stage(n, count) for n, count in zip(coarse_to_fine, decoder_blocks, strict=True))
        self.ending = nn.Conv2d(width, 3, 3, padding=1)

    def forward_features(self, image: Tensor) -> Features:
        encoder, decoder = [], []
        x = self.intro(image)
        for stage, down in zip(self.encoders, self.downs, strict=True):
            encoder.append(stage(x))
            x = down(encoder[-1])
        bottleneck = x = self.middle_blks(x)
        for stage, up, skip in zip(self.decoders, self.ups, reversed(encoder), strict=True):
            x = stage(up(x) + skip)
            decoder.append(x)
        restored = self.ending(x)
        if self.residual:
            restored = restored + image
        return Features(restored, (*encoder, bottleneck), tuple(reversed(decoder)))


def _stage(channels: int, num_blocks: int) -> nn.Sequential:
    return nn.Sequential(*(NAFBlock(channels) for _ in range(num_blocks)))
