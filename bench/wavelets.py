"""The orthonormal Haar wavelet transform of images."""

import torch
import torch.nn.functional as F
from torch import Tensor

from bench.features import precise


def band_distances(image: Tensor, other: Tensor, num_levels: int) -> tuple[Tensor, Tensor]:
    """The mean absolute differences of two images' Haar bands: the low one, and the high ones of each level.

    Args:
        image: ``(N, C, H, W)``.
        other: Same shape.
        num_levels: At least 1.

    Returns:
        A scalar, and ``(num_levels,)``, finest level first.
    """
    low, high = haar(precise(image) - other, num_levels)  # linear, so that the transform of the difference is enough
    return low.abs().mean(), torch.stack([bands.abs().mean() for bands in high])


def haar(image: Tensor, num_levels: int) -> tuple[Tensor, list[Tensor]]:
    """Splits an image into a low band and the high bands of each level.

    Blocks ``[[a, b], [c, d]]`` become ``(a+b+c+d)/2`` and the differences ``(a+b-c-d)/2``, ``(a-b+c-d)/2`` and
    ``(a-b-c+d)/2``; the next level splits the low band. Odd sizes are completed by a row or column of zeros at the end.

    Args:
        image: ``(N, C, H, W)``.
        num_levels: At least 1.

    Returns:
        The low band of the last level, and of each level, finest first, the high bands ``(N, C, 3, H', W')``.

    References:
        S. Mallat, "A Theory for Multiresolution Signal Decomposition", TPAMI 11(7), 1989.
    """
    low, high = image, []
    for _ in range(num_levels):
        height, width = low.shape[-2:]
        low = F.pad(low, (0, width % 2, 0, height % 2))
        a, b = low[..., ::2, ::2], low[..., ::2, 1::2]
        c, d = low[..., 1::2, ::2], low[..., 1::2, 1::2]
        high.append(torch.stack([a + b - c - d, a - b + c - d, a - b - c + d], dim=2) / 2)
        low = (a + b + c + d) / 2
    return low, high
