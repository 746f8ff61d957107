"""Peak signal-to-noise ratio."""

import torch
from torch import Tensor

from bench.metrics.gain import with_gain
from bench.metrics.levels import check_pair
from bench.metrics.luma import luma, luma_unrounded
from bench.metrics.metric import METRICS, Metric


def psnr(restored: Tensor, clean: Tensor) -> Tensor:
    """Peak signal-to-noise ratio of each image, with one mean squared error over all its pixels and channels.

    The squared differences of 8-bit images are integers and summed as such, so the error is exact, whatever the
    device, the number of threads or the rest of the batch.

    Args:
        restored: ``(N, C, H, W)``, see `check_pair`.
        clean: The same shape.

    Returns:
        ``(N,)`` float64 in dB; infinite where the two images are identical.

    Raises:
        ValueError: See `check_pair`.
    """
    check_pair(restored, clean)
    if restored.is_floating_point() or clean.is_floating_point():
        # Image by image and in one memory layout, so that no batch changes a score's last bits.
        pairs = zip(restored.double().contiguous(), clean.double().contiguous(), strict=True)
        mse = torch.stack([(x - y).square().mean() for x, y in pairs])
    else:
        squared_error = (restored.int() - clean.int()).square().flatten(1).sum(dim=1, dtype=torch.int64)
        mse = squared_error.double() / clean[0].numel()
    return 10 * torch.log10(255**2 / mse)


def psnr_y(restored: Tensor, clean: Tensor) -> Tensor:
    """`psnr` of 8-bit luma; the peak stays 255."""
    return psnr(luma(restored), luma(clean))


def psnr_y_unrounded(restored: Tensor, clean: Tensor) -> Tensor:
    """`psnr` of luma as it comes out of its formula."""
    return psnr(luma_unrounded(restored), luma_unrounded(clean))


METRICS.register("psnr_rgb")(Metric("PSNR", "psnr:rgb", psnr, "BasicSR, scikit-image, every deblurring paper's script"))
METRICS.register("psnr_y")(
    Metric("PSNR (Y)", "psnr:y|range:bt601|y:uint8", psnr_y, "MATLAB scripts of deraining papers (MPRNet, Restormer)")
)
METRICS.register("psnr_y_unrounded")(
    Metric("PSNR (Y, not rounded)", "psnr:y|range:bt601|y:float", psnr_y_unrounded, "BasicSR's calculate_psnr")
)
METRICS.register("psnr_gain")(
    Metric("PSNR (gain)", "psnr:rgb|gain:least_squares", with_gain(psnr), "Restormer's RealBlur script, not aligned")
)
