"""Restormer: a U-net of transformer blocks whose attention runs over channels."""

from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from bench.networks.base import NETWORKS, Features, RestorationNetwork


class ChannelNorm(nn.Module):
    """Layer normalisation of each pixel over its channels, on ``(N, C, H, W)`` in channels-last memory."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.body = nn.LayerNorm(channels)

    def forward(self, x: Tensor) -> Tensor:
        # A channels-last tensor is already (N, H, W, C) in memory, so both permutations are free.
        return self.body(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


class TransposedAttention(nn.Module):
    """Multi-Dconv head transposed attention (MDTA): a channels x channels attention matrix per head."""

    def __init__(self, channels: int, num_heads: int) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.temperature = nn.Parameter(torch.ones(num_heads, 1, 1))
        self.qkv = nn.Conv2d(channels, 3 * channels, 1, bias=False)
        self.qkv_dwconv = nn.Conv2d(3 * channels, 3 * channels, 3, padding=1, groups=3 * channels, bias=False)
        self.project_out = nn.Conv2d(channels, channels, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        batch, channels, height, width = x.shape
        qkv = self.qkv_dwconv(self.qkv(x)).permute(0, 2, 3, 1).reshape(batch, height * width, 3, self.num_heads, -1)
        query, key, value = qkv.permute(2, 0, 3, 1, 4)  # each (N, heads, pixels, channels per head)
        # Unit length along the pixels, applied to the small score matrix instead of the two large maps.
        query_norm = query.norm(dim=2).clamp_min(1e-12)
        key_norm = key.norm(dim=2).clamp_min(1e-12)
        scores = query.transpose(-2, -1) @ key / (query_norm.unsqueeze(-1) * key_norm.unsqueeze(-2))
        attention = (scores * self.temperature).softmax(dim=-1)
        mixed = value @ attention.transpose(-2, -1)
        mixed = mixed.transpose(1, 2).reshape(batch, height, width, channels).permute(0, 3, 1, 2)
        return self.project_out(mixed)


class GatedFeedForward(nn.Module):
    """Gated-Dconv feed-forward network (GDFN)."""

    def __init__(self, channels: int, expansion: float) -> None:
        super().__init__()
        hidden = int(channels * expansion)
        self.project_in = nn.Conv2d(channels, 2 * hidden, 1, bias=False)
        self.dwconv = nn.Conv2d(2 * hidden, 2 * hidden, 3, padding=1, groups=2 * hidden, bias=False)
        self.project_out = nn.Conv2d(hidden, channels, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        gate, value = self.dwconv(self.project_in(x)).chunk(2, dim=1)
        return self.project_out(F.gelu(gate) * value)


class TransformerBlock(nn.Module):
    """Pre-norm attention over channels, then the gated feed-forward network, both residual."""

    def __init__(self, channels: int, num_heads: int, expansion: float) -> None:
        super().__init__()
        self.norm1 = ChannelNorm(channels)
        self.attn = TransposedAttention(channels, num_heads)
        self.norm2 = ChannelNorm(channels)
        self.ffn = GatedFeedForward(channels, expansion)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.attn(self.norm1(x))
        return x + self.ffn(self.norm2(x))


@NETWORKS.register("restormer")
class Restormer(RestorationNetwork):
    """Restormer with four levels of ``dim * 2**i`` channels; skips are concatenated.

    The finest decoder level keeps the concatenation's ``2 * dim`` channels, as published.

    Args:
        dim: Channels at full resolution.
        num_blocks: Blocks of the four levels, finest first; encoder and decoder share them.
        num_refinement_blocks: Blocks behind the finest decoder level.
        num_heads: Attention heads of the four levels.
        expansion: Hidden width of the feed-forward network, in channels.
        residual: See `RestorationNetwork`.

    References:
        S. W. Zamir et al., "Restormer: Efficient Transformer for High-Resolution Image Restoration", CVPR 2022,
        arXiv 2111.09881.
    """

    sizes: ClassVar = {
        "mini": {"dim": 12, "num_blocks": (1, 1, 1, 2), "num_refinement_blocks": 1, "num_heads": (1, 2, 4, 8)},
        "micro": {"dim": 4, "num_blocks": (1, 1, 1, 1), "num_refinement_blocks": 0, "num_heads": (1, 1, 2, 4)},
    }

    def __init__(
        self,
        dim: int,
        num_blocks: tuple[int, int, int, int],
        num_refinement_blocks: int,
        num_heads: tuple[int, int, int, int],
        expansion: float = 2.66,
        residual: bool = True,
    ) -> None:
        super().__init__()
        self.residual = residual
        self.size_multiple = 8
        self.encoder_channels = (dim, 2 * dim, 4 * dim, 8 * dim)
        self.decoder_channels = (2 * dim, 2 * dim, 4 * dim)

        def stage(channels: int, level: int, count: int) -> nn.Sequential:
            return nn.Sequential(*(TransformerBlock(channels, num_heads[level], expansion) for _ in range(count)))

        self.patch_embed = nn.Conv2d(3, dim, 3, padding=1, bias=False)
        self.encoder_levels = nn.ModuleList(stage(dim * 2**i, i, num_blocks[i]) for i in range(4))
        self.downs = nn.ModuleList(_downsample(dim * 2**i) for i in range(3))
        self.ups = nn.ModuleList(_upsample(dim * 2 ** (i + 1)) for i in range(3))
        self.reductions = nn.ModuleList(nn.Conv2d(dim * 2 ** (i + 1), dim * 2**i, 1, bias=False) for i in (1, 2))
        self.decoder_levels = nn.ModuleList(stage(self.decoder_channels[i], i, num_blocks[i]) for i in range(3))
        self.refinement = stage(2 * dim, 0, num_refinement_blocks)
        self.output = nn.Conv2d(2 * dim, 3, 3, padding=1, bias=False)

    def forward_features(self, image: Tensor) -> Features:
        encoder: list[Tensor] = []
        x = self.patch_embed(image)
        for level, stage in enumerate(self.encoder_levels):
            x = stage(x if level == 0 else self.downs[level - 1](x))
            encoder.append(x)
        decoder: list[Tensor] = []
        for level in (2, 1, 0):
            x = torch.cat([self.ups[level](x), encoder[level]], dim=1)
            x = self.decoder_levels[level](x if level == 0 else self.reductions[level - 1](x))
            decoder.append(x)
        restored = self.output(self.refinement(x))
        if self.residual:
            restored = restored + image
        return Features(restored, tuple(encoder), tuple(reversed(decoder)))


def _downsample(channels: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(channels, channels // 2, 3, padding=1, bias=False), nn.PixelUnshuffle(2))


def _upsample(channels: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(channels, 2 * channels, 3, padding=1, bias=False), nn.PixelShuffle(2))
