"""Uformer: a U-net of transformer blocks whose attention runs inside small windows."""

import math
from collections.abc import Mapping
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from bench.networks.base import NETWORKS, Features, Levels, Published, RestorationNetwork, count_blocks

# Inside the stages, maps are (N, H, W, C): what channels-last memory holds, and what linear layers and norms act on.


class WindowAttention(nn.Module):
    """Multi-head attention among the pixels of a window, with a learned bias for every relative position."""

    relative_position_index: Tensor

    def __init__(self, channels: int, num_heads: int, window: int) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.relative_position_bias_table = nn.Parameter(torch.empty((2 * window - 1) ** 2, num_heads))
        self.register_buffer("relative_position_index", _relative_positions(window))
        self.query = nn.Linear(channels, channels)
        self.key_value = nn.Linear(channels, 2 * channels)
        self.proj = nn.Linear(channels, channels)
        nn.init.trunc_normal_(self.relative_position_bias_table, std=0.02)

    def forward(self, windows: Tensor, is_shifted: bool) -> Tensor:
        """Attends within each window of ``(N, window rows, window columns, pixels, channels)``."""
        query = self._heads(self.query(windows))
        key, value = (self._heads(half) for half in self.key_value(windows).chunk(2, dim=-1))
        scores = (query * query.shape[-1] ** -0.5) @ key.transpose(-2, -1)
        scores += self._position_bias()
        if is_shifted:  # only the last windows hold pixels that the cyclic shift has brought together
            below, beside = self._seams(scores)
            scores[:, -1] += below
            scores[:, :, -1] += beside
        return self.proj((scores.softmax(dim=-1) @ value).transpose(-3, -2).flatten(-2))

    def _heads(self, x: Tensor) -> Tensor:
        return x.unflatten(-1, (self.num_heads, -1)).transpose(-3, -2)

    def _position_bias(self) -> Tensor:
        """``(heads, pixels, pixels)``, query pixel first."""
        return self.relative_position_bias_table[self.relative_position_index].permute(2, 0, 1)

    def _seams(self, like: Tensor) -> tuple[Tensor, Tensor]:
        """-100 for pairs of pixels on two sides of the seam in the last window row, and in the last window column."""
        side = math.isqrt(like.shape[-1])
        is_wrapped = torch.arange(side, device=like.device) >= side - side // 2
        rows, columns = is_wrapped.repeat_interleave(side), is_wrapped.repeat(side)
        below, beside = (-100.0 * (half[:, None] != half).to(like.dtype) for half in (rows, columns))
        return below, beside


def _relative_positions(window: int) -> Tensor:
    """The row of the bias table for every query pixel and key pixel of a window."""
    row, column = torch.arange(window).repeat_interleave(window), torch.arange(window).repeat(window)
    rows, columns = row[:, None] - row, column[:, None] - column
    return (rows + window - 1) * (2 * window - 1) + columns + window - 1


class LocallyEnhancedFeedForward(nn.Module):
    """Locally-enhanced feed-forward network (LeFF): a depth-wise convolution between two linear layers."""

    def __init__(self, channels: int, expansion: int) -> None:
        super().__init__()
        hidden = expansion * channels
        self.linear1 = nn.Linear(channels, hidden)
        self.dwconv = nn.Conv2d(hidden, hidden, 3, padding=1, groups=hidden)
        self.linear2 = nn.Linear(hidden, channels)

    def forward(self, x: Tensor) -> Tensor:
        x = F.gelu(self.linear1(x)).permute(0, 3, 1, 2)
        return self.linear2(F.gelu(self.dwconv(x)).permute(0, 2, 3, 1))


class LeWinBlock(nn.Module):
    """Locally-enhanced window block: window attention, then the feed-forward network, both pre-norm and residual."""

    def __init__(
        self, channels: int, num_heads: int, window: int, expansion: int, is_shifted: bool, has_modulator: bool
    ) -> None:
        super().__init__()
        self.window = window
        self.shift = window // 2 if is_shifted else 0
        self.modulator = nn.Embedding(window**2, channels) if has_modulator else None
        self.norm1 = nn.LayerNorm(channels)
        self.attn = WindowAttention(channels, num_heads, window)
        self.norm2 = nn.LayerNorm(channels)
        self.ffn = LocallyEnhancedFeedForward(channels, expansion)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self._attend(self.norm1(x))
        return x + self.ffn(self.norm2(x))

    def _attend(self, x: Tensor) -> Tensor:
        if self.shift:
            x = x.roll((-self.shift, -self.shift), dims=(1, 2))
        side = self.window
        # (N, H, W, C) to (N, window row, window column, pixels of the window, C) and back
        windows = x.unflatten(2, (-1, side)).unflatten(1, (-1, side)).transpose(2, 3).flatten(3, 4)
        if self.modulator is not None:
            windows = windows + self.modulator.weight
        windows = self.attn(windows, is_shifted=self.shift > 0)
        x = windows.unflatten(3, (side, side)).transpose(2, 3).flatten(3, 4).flatten(1, 2)
        return x.roll((self.shift, self.shift), dims=(1, 2)) if self.shift else x


_PAPER = "Z. Wang et al., Uformer, CVPR 2022"
_SMALL: dict[str, Any] = {"encoder_blocks": (2, 2, 2, 2), "bottleneck_blocks": 2, "decoder_blocks": (2, 2, 2, 2)}
_LARGE: dict[str, Any] = {"encoder_blocks": (1, 2, 8, 8), "bottleneck_blocks": 2, "decoder_blocks": (8, 8, 2, 1)}
_REDUCED: dict[str, Any] = {
    "encoder_blocks": (1, 1, 1, 1), "bottleneck_blocks": 1, "decoder_blocks": (1, 1, 1, 1), "window": 4
}  # fmt: skip


@NETWORKS.register("uformer")
class Uformer(RestorationNetwork):
    """Uformer with four levels and a bottleneck; skips are concatenated, so that the decoder is twice as wide.

    Args:
        dim: Channels at full resolution.
        encoder_blocks: Blocks of the four encoder levels, fine to coarse.
        bottleneck_blocks: Blocks of the bottleneck, at 1/16 of the resolution.
        decoder_blocks: Blocks of the four decoder levels, **coarse to fine**, as published configurations list them.
        window: Side of the attention windows, in pixels.
        expansion: Hidden width of the feed-forward network, in channels.
        has_modulator: Whether each decoder block adds a learned table to its windows.
        nominal_side: Side of the images that the blocks are laid out for: every other block is shifted by half a
            window, but for levels where such an image is not larger than one window. The released test code says 128
            for all weights.
        residual: See `RestorationNetwork`.

    References:
        Z. Wang et al., "Uformer: A General U-Shaped Transformer for Image Restoration", CVPR 2022, arXiv 2106.03106.

    Deviations: No stochastic depth in training; its draws would not be repeatable. The released code takes square
        images only, this takes rectangles, and `restore` pads to squares as it does.
    """

    sizes: ClassVar = {
        "b": {"dim": 32, **_LARGE},
        "s": {"dim": 32, **_SMALL},
        "t": {"dim": 16, **_SMALL},
        "b_plain": {"dim": 32, **_LARGE, "has_modulator": False},
        "s_plain": {"dim": 32, **_SMALL, "has_modulator": False},
        "t_plain": {"dim": 16, **_SMALL, "has_modulator": False},
        "sl": {"dim": 16, "encoder_blocks": (1, 2, 4, 4), "bottleneck_blocks": 2, "decoder_blocks": (4, 4, 2, 1)},
        "mini": {"dim": 12, **_REDUCED},
        "micro": {"dim": 4, **_REDUCED},
    }
    releases: ClassVar = {"b_denoise_sidd": "b", "b_deblur_gopro": "b"}
    published: ClassVar = {
        "t_plain": Published(_PAPER, params_m=5.23),
        "s_plain": Published(_PAPER, params_m=20.63),
        "b": Published(f"{_PAPER} (parameters), and the count of its repository (MACs)", params_m=50.88, macs_g=89.46),
    }
    official_names: ClassVar = (
        (r"^input_proj", "input_proj.proj.0"),
        (r"^output_proj", "output_proj.proj.0"),
        (r"^encoder_levels\.(\d)", r"encoderlayer_\1.blocks"),
        (r"^bottleneck", "conv.blocks"),
        *((rf"^decoder_levels\.{level}", f"decoderlayer_{3 - level}.blocks") for level in range(4)),
        (r"^downs\.(\d)", r"dowsample_\1.conv.0"),
        *((rf"^ups\.{level}", f"upsample_{3 - level}.deconv.0") for level in range(4)),
        (r"\battn\.query\b", "attn.qkv.to_q"),
        (r"\battn\.key_value\b", "attn.qkv.to_kv"),
        (r"\bffn\.(\w+)", r"mlp.\1.0"),
    )

    def __init__(
        self,
        dim: int,
        encoder_blocks: tuple[int, int, int, int],
        bottleneck_blocks: int,
        decoder_blocks: tuple[int, int, int, int],
        window: int = 8,
        expansion: int = 4,
        has_modulator: bool = True,
        nominal_side: int = 128,
        residual: bool = True,
    ) -> None:
        super().__init__()
        self.residual = residual
        self.size_multiple = 16 * window
        self.encoder_channels = tuple(dim * 2**level for level in range(5))
        self.decoder_channels = self.encoder_channels[1:]

        def stage(channels: int, level: int, count: int, is_decoder: bool = False) -> nn.Sequential:
            has_shifts = nominal_side // 2**level > window
            num_heads = channels // dim
            blocks = (
                LeWinBlock(
                    channels, num_heads, window, expansion, has_shifts and bool(i % 2), is_decoder and has_modulator
                )
                for i in range(count)
            )
            return nn.Sequential(*blocks)

        levels = range(4)
        encoder, decoder = self.encoder_channels, self.decoder_channels
        self.input_proj = nn.Conv2d(3, dim, 3, padding=1)
        self.encoder_levels = nn.ModuleList(stage(encoder[i], i, encoder_blocks[i]) for i in levels)
        self.downs = nn.ModuleList(nn.Conv2d(encoder[i], encoder[i + 1], 4, stride=2, padding=1) for i in levels)
        self.bottleneck = stage(encoder[4], 4, bottleneck_blocks)
        below = (*decoder[1:], encoder[4])
        self.ups = nn.ModuleList(nn.ConvTranspose2d(below[i], encoder[i], 2, stride=2) for i in levels)
        self.decoder_levels = nn.ModuleList(stage(decoder[i], i, decoder_blocks[3 - i], True) for i in levels)
        self.output_proj = nn.Conv2d(2 * dim, 3, 3, padding=1)
        self.apply(_initialise)

    def pad(self, image: Tensor) -> tuple[Tensor, int, int]:
        """Puts the image in the centre of a black square, as the released test code does."""
        height, width = image.shape[-2:]
        longer = (height + width + abs(height - width)) // 2  # a traced graph cannot have `max`
        side = longer + -longer % self.size_multiple
        top, left = (side - height) // 2, (side - width) // 2
        return F.pad(image, (left, side - width - left, top, side - height - top)), top, left

    def encode(self, image: Tensor) -> Levels:
        self.check_input(image)
        encoder: list[Tensor] = []
        x = F.leaky_relu(self.input_proj(image), 0.01)
        for stage, down in zip(self.encoder_levels, self.downs, strict=True):
            encoder.append(_on_maps(stage, x))
            x = down(encoder[-1])
        return (*encoder, _on_maps(self.bottleneck, x))

    def forward_features(self, image: Tensor) -> Features:
        *_, x = encoder = self.encode(image)
        decoder: list[Tensor] = []
        for level in (3, 2, 1, 0):
            x = torch.cat([self.ups[level](x), encoder[level]], dim=1)
            x = _on_maps(self.decoder_levels[level], x)
            decoder.append(x)
        restored = self.output_proj(x)
        if self.residual:
            restored = restored + image
        return Features(restored, encoder, tuple(reversed(decoder)))

    @classmethod
    def configuration(cls, shapes: Mapping[str, tuple[int, ...]]) -> dict[str, Any] | None:
        first = "encoderlayer_0.blocks.0.attn.relative_position_bias_table"
        if first not in shapes:
            return None
        dim = shapes["input_proj.proj.0.weight"][0]
        return {
            "dim": dim,
            "encoder_blocks": tuple(count_blocks(shapes, f"encoderlayer_{i}.blocks") for i in range(4)),
            "bottleneck_blocks": count_blocks(shapes, "conv.blocks"),
            "decoder_blocks": tuple(count_blocks(shapes, f"decoderlayer_{i}.blocks") for i in range(4)),
            "window": (math.isqrt(shapes[first][0]) + 1) // 2,
            "expansion": shapes["encoderlayer_0.blocks.0.mlp.linear1.0.weight"][0] // dim,
            "has_modulator": any(name.endswith(".modulator.weight") for name in shapes),
        }


def _on_maps(stage: nn.Module, x: Tensor) -> Tensor:
    """Runs blocks, which take (N, H, W, C), on an (N, C, H, W) map; both permutations are free in channels-last."""
    return stage(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


def _initialise(module: nn.Module) -> None:
    """The published initial values of linear layers; those of all others are PyTorch's."""
    if isinstance(module, nn.Linear):
        nn.init.trunc_normal_(module.weight, std=0.02)
        nn.init.zeros_(module.bias)
