"""Peak signal-to-noise ratio of 8-bit images."""

import torch
from torch import Tensor


def psnr(restored: Tensor, clean: Tensor) -> Tensor:
    """Peak signal-to-noise ratio of each image, with one mean squared error over all its pixels and channels.

    The squared differences are integers and summed as such, so the error is exact, whatever the device, the number of
    threads or the rest of the batch.

    Args:
        restored: ``(N, C, H, W)`` uint8.
        clean: The same shape and type.

    Returns:
        ``(N,)`` float64 in dB; infinite where the two images are identical.

    Raises:
        ValueError: See `check_pair`.
    """
    check_pair(restored, clean)
    squared_error = (restored.int() - clean.int()).square().flatten(1).sum(dim=1, dtype=torch.int64)
    mse = squared_error.double() / clean[0].numel()
    return 10 * torch.log10(255**2 / mse)


def check_pair(restored: Tensor, clean: Tensor) -> None:
    """Refuses what no full-reference metric can score.

    Raises:
        ValueError: An image is not uint8, or the two are not non-empty batches ``(N, C, H, W)`` of the same shape.
    """
    for role, images in (("restored", restored), ("clean", clean)):
        if images.dtype != torch.uint8:
            raise ValueError(
                f"{role} images: expected uint8, got {images.dtype}; convert with bench.metrics.protocol.to_uint8"
            )
    if restored.shape != clean.shape or clean.ndim != 4 or not clean.numel():
        raise ValueError(
            f"expected two non-empty batches of one shape (N, C, H, W), got restored {tuple(restored.shape)} and clean "
            f"{tuple(clean.shape)}; crop padding away and add the batch axis before scoring"
        )
