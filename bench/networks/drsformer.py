"""DRSformer: Restormer's U-net with top-k sparse attention and a mixture of experts at both ends."""

from collections.abc import Mapping
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from bench.networks.base import NETWORKS
from bench.networks.norm import BiasFreeNorm, ChannelNorm
from bench.networks.restormer import Restormer, TransformerBlock, TransposedAttention, skeleton


class TopKSparseAttention(TransposedAttention):
    """Top-k sparse attention (TKSA): a learned sum of four soft-maxes, each over the largest scores of a row only."""

    def __init__(self, channels: int, num_heads: int) -> None:
        super().__init__(channels, num_heads)
        width = channels // num_heads
        self.kept = (width // 2, width * 2 // 3, width * 3 // 4, width * 4 // 5)
        if self.kept[0] < 1:
            raise ValueError(f"{channels} channels in {num_heads} heads: top-k attention needs two channels a head")
        self.shares = nn.ParameterList(nn.Parameter(torch.full((1,), 0.2)) for _ in self.kept)

    def attention(self, scores: Tensor) -> Tensor:
        # Sorted, the k largest scores are the first k, and the four sums of a row are prefixes of one running sum. The
        # four matrices multiply the same values, so that they are added first.
        ordered, order = scores.sort(dim=-1, descending=True)
        exponential = (ordered - ordered[..., :1]).exp()
        totals = exponential.cumsum(dim=-1)
        weight = torch.zeros_like(totals)
        for share, kept in zip(self.shares, self.kept, strict=True):
            weight[..., :kept] += share / totals[..., kept - 1 : kept]
        return torch.zeros_like(scores).scatter(-1, order, weight * exponential)


class MixedScaleFeedForward(nn.Module):
    """Mixed-scale feed-forward network (MSFN): 3x3 and 5x5 depth-wise branches that exchange halves."""

    def __init__(self, channels: int, expansion: float) -> None:
        super().__init__()
        hidden = int(channels * expansion)
        self.project_in = nn.Conv2d(channels, 2 * hidden, 1, bias=False)
        self.dwconv3x3 = nn.Conv2d(2 * hidden, 2 * hidden, 3, padding=1, groups=2 * hidden, bias=False)
        self.dwconv5x5 = nn.Conv2d(2 * hidden, 2 * hidden, 5, padding=2, groups=2 * hidden, bias=False)
        self.dwconv3x3_1 = nn.Conv2d(2 * hidden, hidden, 3, padding=1, groups=hidden, bias=False)
        self.dwconv5x5_1 = nn.Conv2d(2 * hidden, hidden, 5, padding=2, groups=hidden, bias=False)
        self.project_out = nn.Conv2d(2 * hidden, channels, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        x = self.project_in(x)
        fine = F.relu(self.dwconv3x3(x)).chunk(2, dim=1)
        coarse = F.relu(self.dwconv5x5(x)).chunk(2, dim=1)
        first, second = (torch.cat(halves, dim=1) for halves in zip(fine, coarse, strict=True))
        return self.project_out(torch.cat([F.relu(self.dwconv3x3_1(first)), F.relu(self.dwconv5x5_1(second))], dim=1))


class ExpertLayer(nn.Module):
    """One step of the compensator: eight experts, weighted per image and merged."""

    NUM_EXPERTS = 8

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.experts = nn.ModuleList(
            [
                *(_separable(channels, kernel) for kernel in (1, 3, 5, 7)),
                *(_dilated(channels, kernel) for kernel in (3, 5, 7)),
                nn.AvgPool2d(3, stride=1, padding=1, count_include_pad=False),
            ]
        )
        self.merge = nn.Conv2d(self.NUM_EXPERTS * channels, channels, 1, bias=False)

    def forward(self, x: Tensor, routing: Tensor) -> Tensor:
        answers = [e(x) * weight for e, weight in zip(self.experts, routing.unbind(dim=1), strict=True)]
        return x + F.relu(self.merge(torch.cat(answers, dim=1)))


class ExpertCompensator(nn.Module):
    """Mixture of experts feature compensator (MEFC): steps of experts, routed by the mean of the features."""

    NUM_STEPS = 4

    def __init__(self, channels: int) -> None:
        super().__init__()
        num_weights = self.NUM_STEPS * ExpertLayer.NUM_EXPERTS
        self.routing = nn.Sequential(
            nn.Linear(channels, 2 * num_weights), nn.ReLU(), nn.Linear(2 * num_weights, num_weights)
        )
        self.project_in = nn.Conv2d(channels, channels, 1, bias=False)
        self.steps = nn.ModuleList(ExpertLayer(channels) for _ in range(self.NUM_STEPS))

    def forward(self, x: Tensor) -> Tensor:
        weights = self.routing(x.mean(dim=(2, 3))).unflatten(1, (self.NUM_STEPS, ExpertLayer.NUM_EXPERTS, 1, 1, 1))
        x = F.relu(self.project_in(x))
        for step, routing in zip(self.steps, weights.softmax(dim=2).unbind(dim=1), strict=True):
            x = step(x, routing)
        return x


_BASE: dict[str, Any] = {"dim": 48, "num_blocks": (4, 6, 6, 8), "num_heads": (1, 2, 4, 8)}


@NETWORKS.register("drsformer")
class DRSformer(Restormer):
    """DRSformer: Restormer with sparse attention, mixed-scale feed-forward networks and expert compensators.

    Args:
        dim: Channels at full resolution.
        num_blocks: Blocks of the four levels, finest first; encoder and decoder share them.
        num_heads: Attention heads of the four levels; each needs two channels or more.
        expansion: Hidden width of the feed-forward network, in channels.
        has_experts: Whether a compensator stands before the first and behind the last block.
        has_bias_free_norm: Whether the norms neither centre nor shift.
        in_channels: 3 for RGB.
        residual: See `RestorationNetwork`.

    References:
        X. Chen, H. Li, M. Li, J. Pan, "Learning A Sparse Transformer Network for Effective Image Deraining", CVPR 2023,
        arXiv 2303.11950.

    Deviations: The four sparse attention matrices are added before they are multiplied with the values, not after:
        the same function with fewer multiply-accumulates than the released code, which multiplies four times.
    """

    sizes: ClassVar = {
        "base": _BASE,
        "base_no_experts": {**_BASE, "has_experts": False},
        "sl": {"dim": 24, "num_blocks": (2, 3, 3, 4), "num_heads": (1, 2, 4, 8)},
        "mini": {"dim": 12, "num_blocks": (1, 1, 1, 2), "num_heads": (1, 2, 4, 8)},
        "micro": {"dim": 4, "num_blocks": (1, 1, 1, 1), "num_heads": (1, 1, 2, 4)},
    }
    releases: ClassVar = {
        "rain200h": "base",
        "did_data": "base",
        "ddn_data": "base",
        "rain200l": "base_no_experts",
        "spa_data": "base_no_experts",
    }
    published: ClassVar = {}
    official_names: ClassVar = (
        *((rf"\bshares\.{index}", f"attn{index + 1}") for index in range(4)),
        (r"^compensator\b", "encoder_level0"),
        (r"\brouting\b", "layers.0.ca_fc"),
        (r"^(encoder_level0|refinement)\.project_in", r"\1.layers.1.preprocess.op.0"),
        (r"\bsteps\.(\d)\.experts\.(\d)", r"layers.1._ops.\1._ops.\2.op"),
        (r"\bsteps\.(\d)\.merge", r"layers.1._ops.\1._out.0"),
        *Restormer.official_names,
    )

    def __init__(
        self,
        dim: int,
        num_blocks: tuple[int, int, int, int],
        num_heads: tuple[int, int, int, int],
        expansion: float = 2.66,
        has_experts: bool = True,
        has_bias_free_norm: bool = False,
        in_channels: int = 3,
        residual: bool = True,
    ) -> None:
        super().__init__(
            dim, num_blocks, 0, num_heads, expansion, has_bias_free_norm, in_channels, residual=residual
        )  # fmt: skip
        self.compensator = ExpertCompensator(dim) if has_experts else nn.Identity()
        self.refinement = ExpertCompensator(2 * dim) if has_experts else nn.Identity()

    def block(
        self, channels: int, num_heads: int, expansion: float, norm: type[ChannelNorm | BiasFreeNorm]
    ) -> TransformerBlock:
        attention = TopKSparseAttention(channels, num_heads)
        return TransformerBlock(norm, attention, MixedScaleFeedForward(channels, expansion))

    def embed(self, image: Tensor) -> Tensor:
        return self.compensator(self.patch_embed(image))

    @classmethod
    def configuration(cls, shapes: Mapping[str, tuple[int, ...]]) -> dict[str, Any] | None:
        if "encoder_level1.0.attn.attn1" not in shapes:
            return None
        return {
            **skeleton(shapes),
            "has_experts": any(name.startswith("encoder_level0.") for name in shapes),
            "has_bias_free_norm": "encoder_level1.0.norm1.body.bias" not in shapes,
        }


def _separable(channels: int, kernel: int) -> nn.Sequential:
    def pair() -> list[nn.Module]:
        depthwise = nn.Conv2d(channels, channels, kernel, padding=kernel // 2, groups=channels, bias=False)
        return [depthwise, nn.Conv2d(channels, channels, 1, bias=False)]

    return nn.Sequential(*pair(), nn.ReLU(), *pair())


def _dilated(channels: int, kernel: int) -> nn.Sequential:
    # On a CPU, in bfloat16 and channels-last, PyTorch 2.6 to 2.15 computes a wrong gradient of this weight.
    depthwise = nn.Conv2d(channels, channels, kernel, padding=kernel - 1, dilation=2, groups=channels, bias=False)
    return nn.Sequential(depthwise, nn.Conv2d(channels, channels, 1, bias=False))
