"""Structural similarity, in the definitions that papers print under one name.

On one blurred photograph two of them read 0.68 and 0.95, so each is a metric of its own here, never an option of one.

References:
    Z. Wang, A. C. Bovik, H. R. Sheikh and E. P. Simoncelli, "Image Quality Assessment: From Error Visibility to
    Structural Similarity", IEEE TIP 13(4), 2004, Eq. 13, with its window (11 taps, sigma 1.5), K1 = 0.01, K2 = 0.03.
"""

import math
from collections.abc import Callable, Sequence
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor

from bench.metrics.gain import with_gain
from bench.metrics.levels import check_pair
from bench.metrics.luma import luma, luma_unrounded
from bench.metrics.metric import METRICS, Metric

C1 = (0.01 * 255) ** 2
C2 = (0.03 * 255) ** 2

RADIUS = 5
_GAUSSIAN = [math.exp(-(offset**2) / (2 * 1.5**2)) for offset in range(-RADIUS, RADIUS + 1)]
WINDOW = tuple(weight / sum(_GAUSSIAN) for weight in _GAUSSIAN)


UNIFORM = (1 / 7,) * 7


def ssim(restored: Tensor, clean: Tensor) -> Tensor:
    """SSIM of each channel where the whole window fits (``H - 10`` by ``W - 10``), averaged over the channels.

    The definition of Wang et al., and of BasicSR, KAIR and piq (``downsample=False``) for RGB images.

    Args:
        restored: ``(N, C, H, W)``, sides of at least 11 pixels; see `check_pair`.
        clean: The same shape.

    Returns:
        ``(N,)`` float64 in [-1, 1]; 1 where the two images are identical.

    Raises:
        ValueError: An image is smaller than the window; also see `check_pair`.
    """
    return _mean_of_channels(restored, clean, partial(_blur, window=WINDOW))


def ssim_replicate(restored: Tensor, clean: Tensor) -> Tensor:
    """`ssim` at every pixel, edges repeated; NAFNet's for luma."""
    return _mean_of_channels(restored, clean, _blur_replicated)


def ssim_sample_covariance(restored: Tensor, clean: Tensor) -> Tensor:
    """`ssim` with (co)variances times 121/120: scikit-image's with ``gaussian_weights`` and else its defaults."""
    return _mean_of_channels(restored, clean, partial(_blur, window=WINDOW), bessel=121 / 120)


def ssim_uniform(restored: Tensor, clean: Tensor) -> Tensor:
    """SSIM under a uniform window of 7x7, (co)variances times 49/48: scikit-image's default; sides from 7 pixels."""
    return _mean_of_channels(restored, clean, partial(_blur, window=UNIFORM), bessel=49 / 48, side=len(UNIFORM))


def ssim_volume(restored: Tensor, clean: Tensor) -> Tensor:
    """SSIM of the image as a volume: a 3-D Gaussian over row, column and channel, edges repeated in all three.

    What MATLAB's ``ssim(A, B)`` does to an RGB array, hence the number that MATLAB-based papers print.

    Args:
        restored: ``(N, C, H, W)``, sides of at least 11 pixels; see `check_pair`.
        clean: The same shape.

    Returns:
        ``(N,)`` float64 in [-1, 1], averaged over all ``C * H * W`` positions; 1 where the two images are identical.

    Raises:
        ValueError: An image is smaller than the window; also see `check_pair`.

    References:
        L. Chen et al., "Simple Baselines for Image Restoration", ECCV 2022: ``ssim3d`` of its code emulates MATLAB.
    """
    check_pair(restored, clean, side=len(WINDOW))
    return torch.stack([_similarity(x, y, _blur_volume) for x, y in zip(restored, clean, strict=True)])


Blur = Callable[[Tensor], Tensor]


def _mean_of_channels(
    restored: Tensor, clean: Tensor, blur: Blur, bessel: float = 1.0, side: int = len(WINDOW)
) -> Tensor:
    check_pair(restored, clean, side)
    # Plane by plane: a plane stays in the cache during the window's passes, and no batch changes a score's last bits.
    planes = zip(restored.flatten(0, 1), clean.flatten(0, 1), strict=True)
    return torch.stack([_similarity(x, y, blur, bessel) for x, y in planes]).view(clean.shape[:2]).mean(dim=1)


def _similarity(x: Tensor, y: Tensor, blur: Blur, bessel: float = 1.0) -> Tensor:
    """Mean of Eq. 13; the two variances appear only as their sum, so four blurred maps suffice."""
    # Double, since the variances are small differences of large numbers: float32 loses up to 5e-5 of the volume's SSIM.
    x, y = x.double().contiguous(), y.double().contiguous()
    mean_x, mean_y = blur(x), blur(y)
    product_of_means = mean_x * mean_y
    squares_of_means = mean_x.square() + mean_y.square()
    covariance = bessel * (blur(x * y) - product_of_means)
    variances = bessel * (blur(x.square() + y.square()) - squares_of_means)
    similarity = (2 * product_of_means + C1) * (2 * covariance + C2)
    return (similarity / ((squares_of_means + C1) * (variances + C2))).mean()


def _blur(image: Tensor, window: Sequence[float]) -> Tensor:
    """Weighted means under the 2-D window, where it fits: ``(..., H, W)`` to ``(..., H - 10, W - 10)`` for 11 taps."""
    return _blur_along(_blur_along(image, -2, window), -1, window)


def _blur_replicated(plane: Tensor) -> Tensor:
    """Weighted means under the 2-D window, at every position of ``(H, W)``."""
    return _blur(F.pad(plane[None, None], (RADIUS,) * 4, mode="replicate")[0, 0], WINDOW)


def _blur_volume(volume: Tensor) -> Tensor:
    """Weighted means under the 3-D window, at every position of ``(C, H, W)``."""
    padded = F.pad(volume.unsqueeze(0), (RADIUS,) * 6, mode="replicate").squeeze(0)
    return _blur(_blur_along(padded, -3, WINDOW), WINDOW)


def _blur_along(image: Tensor, dim: int, window: Sequence[float]) -> Tensor:
    """One pass of the window, as a sum of shifted views: faster on CPU than float64 convolutions."""
    num_positions = image.shape[dim] - len(window) + 1
    blurred = image.narrow(dim, 0, num_positions) * window[0]
    for shift, weight in enumerate(window[1:], start=1):
        blurred.add_(image.narrow(dim, shift, num_positions), alpha=weight)
    return blurred


def ssim_y(restored: Tensor, clean: Tensor) -> Tensor:
    """`ssim` of 8-bit luma."""
    return ssim(luma(restored), luma(clean))


def ssim_y_unrounded(restored: Tensor, clean: Tensor) -> Tensor:
    """`ssim` of luma as it comes out of its formula."""
    return ssim(luma_unrounded(restored), luma_unrounded(clean))


def ssim_y_replicate(restored: Tensor, clean: Tensor) -> Tensor:
    """`ssim_replicate` of luma as it comes out of its formula."""
    return ssim_replicate(luma_unrounded(restored), luma_unrounded(clean))


_Y, _Y_FLOAT = "y|range:bt601|y:uint8", "y|range:bt601|y:float"
_VALID = "window:gauss11x11,1.5|border:valid"
_VOLUME = "window:gauss11x11x11,1.5|border:replicate"

for _name, _title, _definition, _function, _source in (
    ("ssim_rgb", "SSIM", f"ssim:rgb|{_VALID}", ssim, "Wang et al.; BasicSR, KAIR, piq without downsampling"),
    ("ssim_y", "SSIM (Y)", f"ssim:{_Y}|{_VALID}", ssim_y, "MATLAB scripts of deraining papers (MPRNet, Restormer)"),
    ("ssim_y_unrounded", "SSIM (Y, not rounded)", f"ssim:{_Y_FLOAT}|{_VALID}", ssim_y_unrounded, "BasicSR"),
    (
        "ssim_y_replicate",
        "SSIM (Y, edges repeated)",
        f"ssim:{_Y_FLOAT}|window:gauss11x11,1.5|border:replicate",
        ssim_y_replicate,
        "NAFNet's luma branch",
    ),
    (
        "ssim_volume",
        "SSIM (volume)",
        f"ssim:rgb_volume|{_VOLUME}",
        ssim_volume,
        "MATLAB's ssim of an RGB array; NAFNet",
    ),
    (
        "ssim_uniform",
        "SSIM (7x7)",
        "ssim:rgb|window:uniform7x7|border:valid|covariance:sample",
        ssim_uniform,
        "scikit-image's default; Restormer's defocus deblurring",
    ),
    (
        "ssim_sample_covariance",
        "SSIM (sample covariance)",
        f"ssim:rgb|{_VALID}|covariance:sample",
        ssim_sample_covariance,
        "scikit-image with gaussian_weights=True",
    ),
    (
        "ssim_gain",
        "SSIM (gain)",
        f"ssim:rgb|gain:least_squares|{_VALID}",
        with_gain(ssim),
        "Restormer's RealBlur script, not aligned",
    ),
):
    METRICS.register(_name)(Metric(_title, _definition, _function, _source))
