"""The 8-bit images that scores are of: how a network's output becomes one, and what a metric accepts."""

from typing import Literal

import torch
from torch import Tensor

Rounding = Literal["round", "trunc", "none"]


def to_levels(restored: Tensor, rounding: Rounding = "round") -> Tensor:
    """The levels of 0 to 255 that a network's output stands for, clamped first.

    In float32 whatever the precision of the network. Published scores differ in this alone by up to 0.9 dB.

    Args:
        restored: ``(N, 3, H, W)`` floating-point, nominally in [0, 1].
        rounding: ``round`` half to even, as image files are usually written; ``trunc`` towards zero, as by
            ``astype(uint8)``; ``none`` for scores of unrounded values, as MATLAB scripts compute on SIDD.

    Returns:
        uint8; float64 where nothing is rounded.

    Raises:
        ValueError: The output is not floating-point, or holds NaN, which has no 8-bit value.
    """
    if not restored.is_floating_point():
        raise ValueError(
            f"expected a network's floating-point output in [0, 1], got {restored.dtype}; score 8-bit images as is"
        )
    if restored.isnan().any():
        raise ValueError("expected a network's output in [0, 1], got NaN; the network has diverged, do not score it")
    if rounding == "none":
        return restored.double().clamp(0, 1).mul(255)
    levels = restored.float().clamp(0, 1).mul(255)
    return (levels.round() if rounding == "round" else levels).to(torch.uint8)


def check_images(images: Tensor, role: str = "restored") -> None:
    """Refuses what no metric can score.

    Raises:
        ValueError: The images are not a non-empty batch ``(N, C, H, W)`` of uint8, or of float64 on the same scale.
    """
    if images.dtype not in (torch.uint8, torch.float64):
        raise ValueError(
            f"{role} images: expected uint8, or float64 on the scale of 0 to 255, got {images.dtype}; "
            "convert a network's output with bench.metrics.levels.to_levels"
        )
    if images.ndim != 4 or not images.numel():
        raise ValueError(f"{role} images: expected a non-empty batch (N, C, H, W), got {tuple(images.shape)}")


def check_pair(restored: Tensor, clean: Tensor, side: int = 1) -> None:
    """Refuses what a full-reference metric cannot score.

    Args:
        restored: See `check_images`.
        clean: Likewise.
        side: The least height and width in pixels.

    Raises:
        ValueError: The two differ in shape or are too small; also see `check_images`.
    """
    check_images(restored)
    check_images(clean, "clean")
    if restored.shape != clean.shape:
        raise ValueError(
            f"expected two batches of one shape (N, C, H, W), got restored {tuple(restored.shape)} and clean "
            f"{tuple(clean.shape)}; crop padding away before scoring"
        )
    height, width = clean.shape[-2:]
    if min(height, width) < side:
        raise ValueError(
            f"this metric needs images of at least {side}x{side} pixels, got {height}x{width}; "
            "score whole images or larger crops"
        )


def cropped(images: Tensor, border: int) -> Tensor:
    """The images without ``border`` pixels on every side.

    Raises:
        ValueError: Nothing would be left.
    """
    if 2 * border >= min(images.shape[-2:]):
        raise ValueError(f"a border of {border} pixels leaves nothing of images of {tuple(images.shape[-2:])} pixels")
    return images[..., border : images.shape[-2] - border, border : images.shape[-1] - border]
