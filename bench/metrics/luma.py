"""Y of ITU-R BT.601 in studio range: what deraining and super-resolution papers compute PSNR and SSIM on.

``Y = 16 + (65.481 R + 128.553 G + 24.966 B) / 255`` for 8-bit levels, so Y is in [16, 235]. Against Y in full range
(0.299 R + 0.587 G + 0.114 B), PSNR is higher by exactly 20 log10(255 / 219) = 1.32 dB.
"""

import torch
from torch import Tensor

MILLI_WEIGHTS = (65481, 128553, 24966)


def luma(image: Tensor) -> Tensor:
    """Y rounded half up to 8 bits, as MATLAB's ``rgb2ycbcr`` of a uint8 image.

    Args:
        image: ``(N, 3, H, W)`` RGB: uint8, computed in integers so that ties are exact, or float64 levels.

    Returns:
        ``(N, 1, H, W)`` uint8 in [16, 235].
    """
    if image.is_floating_point():
        return luma_unrounded(image).add(0.5).floor().to(torch.uint8)
    scaled = _weighted(image.int())
    return (16 + (scaled + 127500) // 255000).to(torch.uint8).unsqueeze(1)


def luma_unrounded(image: Tensor) -> Tensor:
    """Y as it comes out of the formula, as BasicSR computes it; ``(N, 1, H, W)`` float64."""
    return (16 + _weighted(image.double()) / 255000).unsqueeze(1)


def _weighted(image: Tensor) -> Tensor:
    red, green, blue = image.unbind(dim=1)
    return MILLI_WEIGHTS[0] * red + MILLI_WEIGHTS[1] * green + MILLI_WEIGHTS[2] * blue
