"""GMSD: how unevenly the gradients of two images differ, without learnt weights."""

import torch
from torch import Tensor

from bench.metrics.levels import check_pair
from bench.metrics.metric import METRICS, Metric


def gmsd(restored: Tensor, clean: Tensor) -> Tensor:
    """Gradient magnitude similarity deviation of RGB images, computed by the library piq in float64.

    Args:
        restored: ``(N, 3, H, W)``, sides of at least 8 pixels; see `check_pair`.
        clean: The same shape.

    Returns:
        ``(N,)`` float64 from 0, smaller for better images; 0 where the two images are identical.

    Raises:
        ValueError: See `check_pair`.

    References:
        W. Xue et al., "Gradient Magnitude Similarity Deviation: A Highly Efficient Perceptual Image Quality Index",
        IEEE TIP 2014.
    """
    import piq  # takes seconds

    check_pair(restored, clean, side=8)
    # Image by image and in one memory layout, so that no batch changes a score's last bits.
    pairs = zip(restored.double().contiguous().split(1), clean.double().contiguous().split(1), strict=True)
    return torch.cat([piq.gmsd(x, y, data_range=255, reduction="none") for x, y in pairs])


METRICS.register("gmsd")(Metric("GMSD", "gmsd:rgb|impl:piq0.8", gmsd, "piq", is_lower_better=True))
