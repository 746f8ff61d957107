"""Losses that two or more methods use. Every one returns a scalar; images are ``(N, 3, H, W)`` in [0, 1]."""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from bench.config import RestorationLoss


def l1(restored: Tensor, target: Tensor) -> Tensor:
    """Mean absolute difference."""
    return F.l1_loss(restored, target)


def charbonnier(restored: Tensor, target: Tensor) -> Tensor:
    """Smooth L1: the mean of ``sqrt(d**2 + 1e-3**2)``.

    References:
        P. Charbonnier et al., "Two deterministic half-quadratic regularization algorithms", ICIP 1994; with this
        constant in W.-S. Lai et al., "Deep Laplacian Pyramid Networks", CVPR 2017.
    """
    return torch.sqrt(F.mse_loss(restored, target, reduction="none") + 1e-6).mean()


def mse(restored: Tensor, target: Tensor) -> Tensor:
    """Mean squared difference."""
    return F.mse_loss(restored, target)


def rmse(restored: Tensor, target: Tensor) -> Tensor:
    """Root mean squared difference of each image, averaged over the batch.

    In the units of L1, but it stresses the few pixels that are far off (streaks, edges), which the median-seeking L1
    leaves alone. Like the logarithmic loss of NAFNet it rescales each image's squared error, but it stays positive,
    so that other terms can be weighed against it.
    """
    squared = F.mse_loss(restored, target, reduction="none").flatten(1).mean(dim=1)
    return torch.sqrt(squared + 1e-8).mean()


def l1_fft(restored: Tensor, target: Tensor) -> Tensor:
    """L1 plus 0.1 times the L1 of the 2-D Fourier coefficients, in float32.

    References:
        S.-J. Cho et al., "Rethinking Coarse-to-Fine Approach in Single Image Deblurring", ICCV 2021, Eq. 8.
    """
    difference = torch.fft.rfft2((restored - target).float())
    return F.l1_loss(restored, target) + 0.1 * torch.view_as_real(difference).abs().mean()


def image_kl(restored: Tensor, target: Tensor, tau: float) -> Tensor:
    """KL divergence of two images' channels, each taken as a distribution over its pixels.

    ``tau**2 * KL(softmax(target / tau) || softmax(restored / tau))``, the softmax over all pixels of a channel, mean
    over channels and batch. For images much closer than ``tau`` it is half the variance of their difference.

    Args:
        restored: The student's images.
        target: The teacher's images, same shape.
        tau: The temperature, positive, in units of the images' range [0, 1].
    """
    student, teacher = (F.log_softmax(image.float().flatten(2) / tau, dim=-1) for image in (restored, target))
    return tau**2 * F.kl_div(student, teacher, reduction="sum", log_target=True) / student[..., 0].numel()


RESTORATION_LOSSES: dict[RestorationLoss, Callable[[Tensor, Tensor], Tensor]] = {
    "l1": l1,
    "charbonnier": charbonnier,
    "mse": mse,
    "rmse": rmse,
    "l1_fft": l1_fft,
}
