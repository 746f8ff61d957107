"""What methods do with features before they compare them."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor


def precise(tensor: Tensor) -> Tensor:
    """The tensor in float32 at least: sums, norms and exponentials of half types lose what is compared."""
    return tensor.to(torch.promote_types(tensor.dtype, torch.float32))


def embedding(encoder: Sequence[Tensor]) -> Tensor:
    """One vector ``(N, C)`` for each image: the bottleneck, an encoder's last level, averaged over its positions."""
    return precise(encoder[-1]).mean(dim=(2, 3))


def pooled(features: Tensor, largest_side: int) -> Tensor:
    """Averages the least squares of positions that leave at most ``largest_side`` rows and columns.

    For what is quadratic in the number of positions. At the lower and the right border, what there is of a square.

    Args:
        features: ``(N, C, H, W)``; returned as they are where they are small enough.
        largest_side: At least 1.
    """
    factor = -(-max(features.shape[-2:]) // largest_side)
    return F.avg_pool2d(features, factor, ceil_mode=True)
