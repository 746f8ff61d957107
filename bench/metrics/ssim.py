"""Structural similarity of 8-bit images, in the two definitions that papers print under one name.

On one blurred photograph they read 0.68 and 0.95, so they are two metrics here, never one with an option.

References:
    Z. Wang, A. C. Bovik, H. R. Sheikh and E. P. Simoncelli, "Image Quality Assessment: From Error Visibility to
    Structural Similarity", IEEE TIP 13(4), 2004, Eq. 13, with its window (11 taps, sigma 1.5), K1 = 0.01, K2 = 0.03.
"""

import math
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from bench.metrics.psnr import check_pair

C1 = (0.01 * 255) ** 2
C2 = (0.03 * 255) ** 2

RADIUS = 5
_GAUSSIAN = [math.exp(-(offset**2) / (2 * 1.5**2)) for offset in range(-RADIUS, RADIUS + 1)]
WINDOW = tuple(weight / sum(_GAUSSIAN) for weight in _GAUSSIAN)


def ssim(restored: Tensor, clean: Tensor) -> Tensor:
    """SSIM of each channel where the whole window fits (``H - 10`` by ``W - 10``), averaged over the channels.

    The definition of Wang et al., and of BasicSR for RGB images.

    Args:
        restored: ``(N, C, H, W)`` uint8, sides of at least 11 pixels.
        clean: The same shape and type.

    Returns:
        ``(N,)`` float64 in [-1, 1]; 1 where the two images are identical.

    Raises:
        ValueError: An image is smaller than the window; also see `check_pair`.
    """
    _check_size(restored, clean)
    # Plane by plane: a plane stays in the cache during the window's passes, and no batch changes a score's last bits.
    planes = zip(restored.flatten(0, 1), clean.flatten(0, 1), strict=True)
    return torch.stack([_similarity(x, y, _blur) for x, y in planes]).view(clean.shape[:2]).mean(dim=1)


def ssim_volume(restored: Tensor, clean: Tensor) -> Tensor:
    """SSIM of the image as a volume: a 3-D Gaussian over row, column and channel, edges repeated in all three.

    What MATLAB's ``ssim(A, B)`` does to an RGB array, hence the number that MATLAB-based papers print.

    Args:
        restored: ``(N, C, H, W)`` uint8, sides of at least 11 pixels.
        clean: The same shape and type.

    Returns:
        ``(N,)`` float64 in [-1, 1], averaged over all ``C * H * W`` positions; 1 where the two images are identical.

    Raises:
        ValueError: An image is smaller than the window; also see `check_pair`.

    References:
        L. Chen et al., "Simple Baselines for Image Restoration", ECCV 2022: ``ssim3d`` of its code emulates MATLAB.
    """
    _check_size(restored, clean)
    return torch.stack([_similarity(x, y, _blur_volume) for x, y in zip(restored, clean, strict=True)])


def _check_size(restored: Tensor, clean: Tensor) -> None:
    check_pair(restored, clean)
    height, width = clean.shape[-2:]
    if min(height, width) < len(WINDOW):
        raise ValueError(
            f"SSIM's window needs images of at least {len(WINDOW)}x{len(WINDOW)} pixels, got {height}x{width}; "
            "score whole images or larger crops"
        )


def _similarity(x: Tensor, y: Tensor, blur: Callable[[Tensor], Tensor]) -> Tensor:
    """Mean of Eq. 13; the two variances appear only as their sum, so four blurred maps suffice."""
    # Double, since the variances are small differences of large numbers: float32 loses up to 5e-5 of the volume's SSIM.
    x, y = x.double().contiguous(), y.double().contiguous()
    mean_x, mean_y = blur(x), blur(y)
    product_of_means = mean_x * mean_y
    squares_of_means = mean_x.square() + mean_y.square()
    covariance = blur(x * y) - product_of_means
    variances = blur(x.square() + y.square()) - squares_of_means
    similarity = (2 * product_of_means + C1) * (2 * covariance + C2)
    return (similarity / ((squares_of_means + C1) * (variances + C2))).mean()


def _blur(image: Tensor) -> Tensor:
    """Weighted means under the 2-D window, where it fits: ``(..., H, W)`` to ``(..., H - 10, W - 10)``."""
    return _blur_along(_blur_along(image, -2), -1)


def _blur_volume(volume: Tensor) -> Tensor:
    """Weighted means under the 3-D window, at every position of ``(C, H, W)``."""
    padded = F.pad(volume.unsqueeze(0), (RADIUS,) * 6, mode="replicate").squeeze(0)
    return _blur(_blur_along(padded, -3))


def _blur_along(image: Tensor, dim: int) -> Tensor:
    """One pass of the window, as a sum of shifted views: faster on CPU than float64 convolutions."""
    num_positions = image.shape[dim] - 2 * RADIUS
    blurred = image.narrow(dim, 0, num_positions) * WINDOW[0]
    for shift, weight in enumerate(WINDOW[1:], start=1):
        blurred.add_(image.narrow(dim, shift, num_positions), alpha=weight)
    return blurred
