"""The PIQE extractor: texture and edges of an image's blocks, differentiable.

PIQE judges an image block by block: a block counts where the variance of its mean-subtracted contrast-normalised
(MSCN) coefficients says that something is going on in it, and is marked as distorted where a stretch along its edges
is too smooth for that. SLKD compares both measures between student and teacher decoder.

References:
    N. Venkatanath, D. Praneeth, M. Chandrasekhar, S. S. Channappayya, S. S. Medasani, "Blind Image Quality Evaluation
    Using Perception Based Features", National Conference on Communications, 2015.

Deviations:
    PIQE decides by hard thresholds, which carry no gradient: the activity of a block is a sigmoid around PIQE's
    threshold, and edge deviations are compared themselves. Its noise criterion, a ratio of deviations, is left out.
    Incomplete blocks at the right and bottom border are dropped instead of padded, images are not stretched to 255,
    and all channels are used instead of the luminance: a feature map has neither a white point nor a luminance.
"""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from slkd.brisque import into_planes, mscn

BLOCK_SIZE = 16
SEGMENT_LENGTH = 6
ACTIVITY_THRESHOLD = 0.1
ACTIVITY_WIDTH = 0.02
"""The sigmoid rises from 0.27 to 0.73 within this distance on either side of the threshold."""
VARIANCE_FLOOR = 1e-4
"""Bounds the gradient of the deviation of a flat segment."""


class BlockStatistics(NamedTuple):
    """What PIQE sees in the ``b x b`` blocks of an image; ``b`` is 16, or the shorter side of a smaller image.

    Attributes:
        texture: ``(N, C, H // b, W // b)``: the block's variance times its activity, mostly within [0, 1].
        edge: ``(N, C, H // b, 4, W // b, b - 5)``: the deviations of all segments of length 6 along the upper,
            lower, left and right edge of the block, mostly within [0, 1].
    """

    texture: Tensor
    edge: Tensor


def extract(image: Tensor) -> BlockStatistics:
    """Extracts the block statistics of images.

    Args:
        image: ``(N, C, H, W)``, nominally in [0, 1]; sides from 6. Computed in float32 also under autocast.

    Raises:
        ValueError: No such batch, or a side below 6.
    """
    with torch.autocast(image.device.type, enabled=False):
        image = into_planes(image, SEGMENT_LENGTH)
        blocks = into_blocks(mscn(255 * image, "replicate"))
        variance = block_variance(blocks)
        return BlockStatistics(variance * activity(variance), edge_deviation(blocks))


def distance(student: Tensor, teacher: Tensor) -> Tensor:
    """L_ET of two batches of images: the mean absolute difference of texture and of edge, summed."""
    ours, theirs = extract(student), extract(teacher)
    return F.l1_loss(ours.texture, theirs.texture) + F.l1_loss(ours.edge, theirs.edge)


def into_blocks(coefficients: Tensor) -> Tensor:
    """Cuts ``(..., H, W)`` into whole blocks ``(..., H // b, b, W // b, b)``."""
    height, width = coefficients.shape[-2:]
    size = min(BLOCK_SIZE, height, width)
    whole = coefficients[..., : height // size * size, : width // size * size]
    return whole.unflatten(-1, (-1, size)).unflatten(-3, (-1, size))


def block_variance(blocks: Tensor) -> Tensor:
    """The unbiased variance of each block, ``(..., H // b, W // b)``."""
    mean = blocks.mean(dim=-1).mean(dim=-2)
    square = blocks.square().mean(dim=-1).mean(dim=-2)
    return (square - mean.square()) * _unbiased(blocks.shape[-1] ** 2)


def activity(variance: Tensor) -> Tensor:
    """How far a block of this variance counts, in (0, 1): 1/2 at PIQE's threshold."""
    return torch.sigmoid((variance - ACTIVITY_THRESHOLD) / ACTIVITY_WIDTH)


def edge_deviation(blocks: Tensor) -> Tensor:
    """The unbiased standard deviations of the segments along each block's edges; see `BlockStatistics`."""
    last = blocks.shape[-1] - 1
    horizontal = blocks[..., ::last, :, :]
    vertical = blocks[..., ::last].transpose(-3, -1)
    edges = torch.cat([horizontal, vertical], dim=-3)
    sliding = _sliding_mean(blocks.shape[-1], edges)
    variance = edges.square() @ sliding - (edges @ sliding).square()
    return torch.sqrt(variance.clamp_min(0) * _unbiased(SEGMENT_LENGTH) + VARIANCE_FLOOR)


def _sliding_mean(size: int, like: Tensor) -> Tensor:
    """The matrix ``(size, size - 5)`` that averages rows ``x`` over each segment as ``x @ matrix``."""
    position = torch.arange(size, device=like.device)[:, None]
    start = torch.arange(size - SEGMENT_LENGTH + 1, device=like.device)
    is_inside = (position >= start) & (position < start + SEGMENT_LENGTH)
    return is_inside.to(like.dtype) / SEGMENT_LENGTH


def _unbiased(count: int) -> float:
    return count / (count - 1)
