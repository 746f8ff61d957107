"""The scale conversion module (SCM): features of every level become images in one scale space."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class ScaleConversion(nn.Module):
    """Turns each level's features into RGB-like images at full resolution, by a 1x1 convolution and a pixel shuffle.

    Args:
        channels: Channels of each level, finest first; level ``i`` has ``1 / 2**i`` of the resolution.
    """

    def __init__(self, channels: tuple[int, ...]) -> None:
        super().__init__()
        self.projections = nn.ModuleList(nn.Conv2d(n, 3 * 4**level, 1) for level, n in enumerate(channels))

    def forward(self, features: tuple[Tensor, ...]) -> Tensor:
        """Converts features ``(N, C_i, H / 2**i, W / 2**i)`` to images ``(levels * N, 3, H, W)``, level by level.

        The levels are stacked so that an extractor runs once; nominally the images are in [0, 1].
        """
        levels = enumerate(zip(self.projections, features, strict=True))
        return torch.cat([F.pixel_shuffle(project(feature), 2**level) for level, (project, feature) in levels])


def probe_loss(images: Tensor, target: Tensor) -> Tensor:
    """The mean squared difference of every level's images from the image they are fit to.

    Args:
        images: ``(levels * N, 3, H, W)``, as `ScaleConversion` makes them.
        target: ``(N, 3, H, W)``.
    """
    return (images.unflatten(0, (-1, target.shape[0])) - target).square().mean()
