"""The scale conversion module (SCM): features of every level become images in one scale space."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from bench.parts import whole_batch

FORGETTING = 0.02
"""The share of a new batch in the running moments that the probes are fit to: a memory of about 50 steps."""
RIDGE = 1e-4
"""Keeps a fit finite where channels are dead or alike; relative to each channel's second moment."""
SMALLEST_MOMENT = 1e-8
"""Stands for the second moment of a channel that is dead."""


class ScaleConversion(nn.Module):
    """Turns each level's features into RGB-like images at full resolution, by a 1x1 convolution and a pixel shuffle.

    All pixels that come from one feature vector start alike. Otherwise random weights would draw a grid over the image,
    and the statistics of the grid would outweigh those of what is shown.

    Args:
        channels: Channels of each level, finest first; level ``i`` has ``1 / 2**i`` of the resolution.

    References:
        The initial weights: A. Aitken et al., "Checkerboard artifact free sub-pixel convolution", arXiv 1707.02937.
    """

    def __init__(self, channels: tuple[int, ...]) -> None:
        super().__init__()
        self.projections = nn.ModuleList(nn.Conv2d(n, 3 * 4**level, 1) for level, n in enumerate(channels))
        for level, projection in enumerate(self.projections):
            for parameter in projection.parameters():
                parameter.data = parameter.data[:: 4**level].repeat_interleave(4**level, dim=0)

    def forward(self, features: tuple[Tensor, ...]) -> Tensor:
        """Converts features ``(N, C_i, H / 2**i, W / 2**i)`` to images ``(levels * N, 3, H, W)``, level by level.

        The levels are stacked so that an extractor runs once; nominally the images are in [0, 1].
        """
        levels = enumerate(zip(self.projections, features, strict=True))
        return torch.cat([F.pixel_shuffle(project(feature), 2**level) for level, (project, feature) in levels])


class LinearProbes(nn.Module):
    """Shows what a frozen network's features hold, as images of the kind that `ScaleConversion` makes.

    The weights are the linear regression of an image on each level's features over the last batches, solved anew with
    each of them. So they need no learning rate, are as good at the first step as later, and no gradient reaches them.

    Args:
        channels: Channels of each level, finest first; level ``i`` has ``1 / 2**i`` of the resolution.
    """

    is_fit: Tensor

    def __init__(self, channels: tuple[int, ...]) -> None:
        super().__init__()
        self.levels = range(len(channels))
        for level, n in enumerate(channels):
            self.register_buffer(f"moments{level}", torch.zeros(n + 1, n + 1 + 3 * 4**level, dtype=torch.float64))
            self.register_buffer(f"weight{level}", torch.zeros(3 * 4**level, n + 1))
        self.register_buffer("is_fit", torch.tensor(False))

    def forward(self, features: tuple[Tensor, ...]) -> Tensor:
        """Converts features as `ScaleConversion` does."""
        images = []
        for level, feature in zip(self.levels, features, strict=True):
            weight = self.get_buffer(f"weight{level}")
            images.append(F.pixel_shuffle(F.conv2d(feature, weight[:, :-1, None, None], weight[:, -1]), 2**level))
        return torch.cat(images)

    @torch.no_grad()
    def fit(self, features: tuple[Tensor, ...], target: Tensor) -> None:
        """Takes a batch into the running moments, and fits each level's weights to them by least squares.

        Args:
            features: ``(N, C_i, H / 2**i, W / 2**i)`` for each level.
            target: What the images should be, ``(N, 3, H, W)``.
        """
        for level, feature in zip(self.levels, features, strict=True):
            moments = self.get_buffer(f"moments{level}")
            moments.lerp_(
                _moments(whole_batch(feature), whole_batch(target), level), FORGETTING if self.is_fit else 1.0
            )
            self.get_buffer(f"weight{level}").copy_(_solve(moments))
        self.is_fit.fill_(True)


def _moments(feature: Tensor, target: Tensor, level: int) -> Tensor:
    """Mean products of a level's channels, and of a constant one, with each other and with the pixels to predict.

    Returns:
        ``(C + 1, C + 1 + 3 * 4**level)``, in float64, since a fit hangs on small differences of them.
    """
    with torch.autocast(feature.device.type, enabled=False):
        inputs = F.pad(feature.movedim(1, -1).flatten(0, -2).float(), (0, 1), value=1.0)
        outputs = F.pixel_unshuffle(target, 2**level).movedim(1, -1).flatten(0, -2).float()
        return (inputs.mT @ torch.cat([inputs, outputs], dim=-1)).double() / len(inputs)


def _solve(moments: Tensor) -> Tensor:
    """The weights, and last the bias, that predict best in the mean square: ``(3 * 4**level, C + 1)``."""
    inputs, products = moments[:, : len(moments)], moments[:, len(moments) :]
    ridge = RIDGE * inputs.diagonal().clamp_min(SMALLEST_MOMENT)
    return torch.linalg.solve(inputs + ridge.diag(), products).mT
