"""HaarPSI: a perceptual similarity of Haar wavelet coefficients, without learnt weights."""

import torch
from torch import Tensor

from bench.metrics.levels import check_pair
from bench.metrics.metric import METRICS, Metric


def haarpsi(restored: Tensor, clean: Tensor) -> Tensor:
    """Haar wavelet-based perceptual similarity index of RGB images, computed by the library piq in float64.

    Args:
        restored: ``(N, 3, H, W)``, sides of at least 16 pixels; see `check_pair`.
        clean: The same shape.

    Returns:
        ``(N,)`` float64 in [0, 1]; 1 where the two images are identical.

    Raises:
        ValueError: See `check_pair`.

    References:
        R. Reisenhofer et al., "A Haar wavelet-based perceptual similarity index for image quality assessment", Signal
        Processing: Image Communication 2018.
    """
    import piq  # takes seconds

    check_pair(restored, clean, side=16)
    # Image by image and in one memory layout, so that no batch changes a score's last bits.
    pairs = zip(restored.double().contiguous().split(1), clean.double().contiguous().split(1), strict=True)
    return torch.cat([piq.haarpsi(x, y, data_range=255, reduction="none") for x, y in pairs])


METRICS.register("haarpsi")(Metric("HaarPSI", "haarpsi:rgb|impl:piq0.8", haarpsi, "piq"))
