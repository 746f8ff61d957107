"""Restormer: a U-net of transformer blocks whose attention runs over channels."""

from collections.abc import Mapping
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from bench.networks.base import NETWORKS, Features, Levels, Published, RestorationNetwork, count_blocks
from bench.networks.norm import BiasFreeNorm, ChannelNorm


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
        height, width = x.shape[-2:]
        tokens = self.qkv_dwconv(self.qkv(x)).permute(0, 2, 3, 1).flatten(1, 2)
        query, key, value = (self.heads(part) for part in tokens.chunk(3, dim=-1))
        # Unit length along the pixels, applied to the small score matrix instead of the two large maps.
        scores = query.transpose(-2, -1) @ key / (_length(query).unsqueeze(-1) * _length(key).unsqueeze(-2))
        mixed = value @ self.attention(scores * self.temperature).transpose(-2, -1)
        mixed = mixed.transpose(1, 2).flatten(2).unflatten(1, (height, width)).permute(0, 3, 1, 2)
        return self.project_out(mixed)

    def heads(self, tokens: Tensor) -> Tensor:
        """``(N, pixels, channels)`` as ``(N, heads, pixels, channels per head)``."""
        return tokens.unflatten(-1, (self.num_heads, -1)).transpose(1, 2)

    def attention(self, scores: Tensor) -> Tensor:
        """How much of each value channel (last axis) goes to each query channel."""
        return scores.softmax(dim=-1)


def _length(tokens: Tensor) -> Tensor:
    """The norm along the pixels, but at least 1e-12; in both directions faster than `torch.norm` over that axis."""
    return tokens.square().sum(dim=2).clamp_min(1e-24).sqrt()


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
        # On a CPU, gelu takes several times as long where it finds the gate's channels between those of the value.
        return self.project_out(F.gelu(gate.contiguous(memory_format=torch.channels_last)) * value)


class TransformerBlock(nn.Module):
    """Pre-norm attention over channels, then a feed-forward network, both residual."""

    def __init__(self, norm: type[ChannelNorm | BiasFreeNorm], attn: TransposedAttention, ffn: nn.Module) -> None:
        super().__init__()
        channels = attn.project_out.out_channels
        self.norm1 = norm(channels, eps=1e-5)
        self.attn = attn
        self.norm2 = norm(channels, eps=1e-5)
        self.ffn = ffn

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.attn(self.norm1(x))
        return x + self.ffn(self.norm2(x))


_BASE: dict[str, Any] = {
    "dim": 48, "num_blocks": (4, 6, 6, 8), "num_refinement_blocks": 4, "num_heads": (1, 2, 4, 8)
}  # fmt: skip


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
        has_bias_free_norm: Whether the norms neither centre nor shift, as in the networks for denoising.
        in_channels: 3 for RGB, 1 for grey, 6 for the two views of a dual-pixel sensor.
        is_dual_pixel: Whether the image is restored from two views: the embedding of the views, not one of them, is
            added behind the decoder.
        residual: See `RestorationNetwork`.

    References:
        S. W. Zamir et al., "Restormer: Efficient Transformer for High-Resolution Image Restoration", CVPR 2022,
        arXiv 2111.09881.
    """

    sizes: ClassVar = {
        "base": _BASE,
        "base_bias_free": {**_BASE, "has_bias_free_norm": True},
        "base_grey": {**_BASE, "has_bias_free_norm": True, "in_channels": 1},
        "base_dual_pixel": {**_BASE, "in_channels": 6, "is_dual_pixel": True},
        "sl": {"dim": 24, "num_blocks": (2, 3, 3, 4), "num_refinement_blocks": 2, "num_heads": (1, 2, 4, 8)},
        "mini": {"dim": 12, "num_blocks": (1, 1, 1, 2), "num_refinement_blocks": 1, "num_heads": (1, 2, 4, 8)},
        "micro": {"dim": 4, "num_blocks": (1, 1, 1, 1), "num_refinement_blocks": 0, "num_heads": (1, 1, 2, 4)},
    }
    releases: ClassVar = {
        "derain": "base",
        "motion_deblur": "base",
        "defocus_deblur": "base",
        "defocus_deblur_dual_pixel": "base_dual_pixel",
        "denoise_color": "base_bias_free",
        "denoise_grey": "base_grey",
        "denoise_real": "base_bias_free",
    }
    published: ClassVar = {
        "base_bias_free": Published("L. Chen et al., NAFNet, ECCV 2022, results on SIDD", macs_g=140)
    }
    official_names: ClassVar = (
        (r"^patch_embed", "patch_embed.proj"),
        (r"\b(norm[12]|(?:downs|ups)\.\d)\.", r"\1.body."),
        *((rf"^(en|de)coder_levels\.{level}", rf"\1coder_level{level + 1}") for level in (0, 1, 2)),
        (r"^encoder_levels\.3", "latent"),
        *((rf"^downs\.{level}", f"down{level + 1}_{level + 2}") for level in (0, 1, 2)),
        *((rf"^ups\.{level}", f"up{level + 2}_{level + 1}") for level in (0, 1, 2)),
        *((rf"^reductions\.{index}", f"reduce_chan_level{index + 2}") for index in (0, 1)),
    )

    def __init__(
        self,
        dim: int,
        num_blocks: tuple[int, int, int, int],
        num_refinement_blocks: int,
        num_heads: tuple[int, int, int, int],
        expansion: float = 2.66,
        has_bias_free_norm: bool = False,
        in_channels: int = 3,
        is_dual_pixel: bool = False,
        residual: bool = True,
    ) -> None:
        super().__init__()
        self.residual = residual
        self.in_channels = in_channels
        self.size_multiple = 8
        self.encoder_channels = (dim, 2 * dim, 4 * dim, 8 * dim)
        self.decoder_channels = (2 * dim, 2 * dim, 4 * dim)
        norm = BiasFreeNorm if has_bias_free_norm else ChannelNorm

        def stage(channels: int, level: int, count: int) -> nn.Sequential:
            return nn.Sequential(*(self.block(channels, num_heads[level], expansion, norm) for _ in range(count)))

        self.patch_embed = nn.Conv2d(in_channels, dim, 3, padding=1, bias=False)
        self.encoder_levels = nn.ModuleList(stage(dim * 2**i, i, num_blocks[i]) for i in range(4))
        self.downs = nn.ModuleList(_downsample(dim * 2**i) for i in range(3))
        self.ups = nn.ModuleList(_upsample(dim * 2 ** (i + 1)) for i in range(3))
        self.reductions = nn.ModuleList(nn.Conv2d(dim * 2 ** (i + 1), dim * 2**i, 1, bias=False) for i in (1, 2))
        self.decoder_levels = nn.ModuleList(stage(self.decoder_channels[i], i, num_blocks[i]) for i in range(3))
        self.refinement: nn.Module = stage(2 * dim, 0, num_refinement_blocks)
        self.skip_conv = nn.Conv2d(dim, 2 * dim, 1, bias=False) if is_dual_pixel else None
        self.output = nn.Conv2d(2 * dim, 1 if in_channels == 1 else 3, 3, padding=1, bias=False)

    def block(
        self, channels: int, num_heads: int, expansion: float, norm: type[ChannelNorm | BiasFreeNorm]
    ) -> TransformerBlock:
        """One transformer block of a level."""
        return TransformerBlock(norm, TransposedAttention(channels, num_heads), GatedFeedForward(channels, expansion))

    def embed(self, image: Tensor) -> Tensor:
        """The first ``dim`` channels at full resolution."""
        return self.patch_embed(image)

    def encode(self, image: Tensor) -> Levels:
        self.check_input(image)
        return self._encode(self.embed(image))

    def _encode(self, x: Tensor) -> Levels:
        encoder: list[Tensor] = []
        for level, stage in enumerate(self.encoder_levels):
            x = stage(x if level == 0 else self.downs[level - 1](x))
            encoder.append(x)
        return tuple(encoder)

    def forward_features(self, image: Tensor) -> Features:
        self.check_input(image)
        embedded = self.embed(image)
        *_, x = encoder = self._encode(embedded)
        decoder: list[Tensor] = []
        for level in (2, 1, 0):
            x = torch.cat([self.ups[level](x), encoder[level]], dim=1)
            x = self.decoder_levels[level](x if level == 0 else self.reductions[level - 1](x))
            decoder.append(x)
        x = self.refinement(x)
        if self.skip_conv is not None:
            restored = self.output(x + self.skip_conv(embedded))
        else:
            restored = self.output(x) + image if self.residual else self.output(x)
        return Features(restored, encoder, tuple(reversed(decoder)))

    @classmethod
    def configuration(cls, shapes: Mapping[str, tuple[int, ...]]) -> dict[str, Any] | None:
        if "encoder_level1.0.ffn.dwconv.weight" not in shapes:
            return None
        return {
            **skeleton(shapes),
            "num_refinement_blocks": count_blocks(shapes, "refinement"),
            "has_bias_free_norm": "encoder_level1.0.norm1.body.bias" not in shapes,
            "is_dual_pixel": "skip_conv.weight" in shapes,
        }


def skeleton(shapes: Mapping[str, tuple[int, ...]]) -> dict[str, Any]:
    """The arguments that Restormer and its descendants share, read off an official state dict."""
    dim, in_channels = shapes["patch_embed.proj.weight"][:2]
    levels = ("encoder_level1", "encoder_level2", "encoder_level3", "latent")
    hidden = shapes["latent.0.ffn.project_in.weight"][0] // 2
    usual = 2.66
    return {
        "dim": dim,
        "num_blocks": tuple(count_blocks(shapes, level) for level in levels),
        "num_heads": tuple(shapes[f"{level}.0.attn.temperature"][0] for level in levels),
        # The hidden width is rounded down, so that many expansions have one shape.
        "expansion": usual if int(8 * dim * usual) == hidden else (hidden + 0.5) / (8 * dim),
        "in_channels": in_channels,
    }


def _downsample(channels: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(channels, channels // 2, 3, padding=1, bias=False), nn.PixelUnshuffle(2))


def _upsample(channels: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(channels, 2 * channels, 3, padding=1, bias=False), nn.PixelShuffle(2))
