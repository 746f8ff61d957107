"""PIQE: the share of an image's textured blocks that are noisy or have smooth edges, without a reference.

Lower is better, about 0 to 100. The decisions are those of MATLAB's ``piqe``, in one point not those of the paper.

References:
    N. Venkatanath et al., "Blind Image Quality Evaluation Using Perception Based Features", NCC 2015.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from bench.metrics.metric import METRICS, Metric
from bench.metrics.natural_scene import mirror, mscn, per_image

BLOCK = 16
EDGE_SEGMENT = 6
ACTIVITY_THRESHOLD = 0.1
"""Of a block's variance."""

SMOOTHNESS_THRESHOLD = 0.1
"""Of the standard deviation of a segment of a block's edge."""

CENTRE = (7, 8)
# The original code deletes column 7, and then column 8 of what is left, which is column 9.
SURROUND = tuple(column for column in range(BLOCK) if column not in (7, 9))


class PiqeMasks(NamedTuple):
    """What PIQE decides on each block of 16x16 pixels, ``(N, ceil(H / 16), ceil(W / 16))``.

    Attributes:
        active: Textured: the only blocks that count. bool.
        artefact: Part of its edge is smooth, as after compression. Also decided for inactive blocks; bool.
        noise: As noisy at its centre as around it. Also decided for inactive blocks; bool.
        block_variance: Of the contrast-normalised pixels, unbiased. float64.
    """

    active: Tensor
    artefact: Tensor
    noise: Tensor
    block_variance: Tensor


def piqe(images: Tensor) -> Tensor:
    """PIQE of each image; 100 where no block is textured.

    Args:
        images: ``(N, 3, H, W)`` RGB, uint8 or floats in [0, 255].

    Returns:
        ``(N,)`` float64, lower for better images, about 0 to 100.

    Raises:
        ValueError: See `natural_scene.check_rgb`.
    """
    masks = piqe_masks(images)
    variance = masks.block_variance
    distortion = masks.artefact * (1 - variance) + masks.noise * variance
    # Image by image, as everywhere: the order of a sum follows the shape of the batch.
    total = torch.stack([image.sum() for image in distortion * masks.active])
    return 100 * (total + 1) / (masks.active.flatten(1).sum(dim=1) + 1)


def piqe_masks(images: Tensor) -> PiqeMasks:
    """PIQE's decisions on each block; images are mirrored at the bottom and at the right to whole blocks.

    Args:
        images: ``(N, 3, H, W)`` RGB, uint8 or floats in [0, 255].

    Raises:
        ValueError: See `natural_scene.check_rgb`.
    """
    active, artefact, noise, variance = per_image(_decide, images).unbind(dim=1)
    return PiqeMasks(active.bool(), artefact.bool(), noise.bool(), variance)


def _decide(grey: Tensor) -> Tensor:
    """The four maps of `PiqeMasks` as float64, ``(4, rows, columns)``."""
    blocks = _into_blocks(mscn(_fill_blocks(_stretch(grey)).unsqueeze(0), "replicate")[0])
    variance = blocks.var(dim=(-2, -1))
    is_active = variance > ACTIVITY_THRESHOLD
    return torch.stack([is_active, _has_smooth_edge(blocks), _is_noisy(blocks, variance.sqrt()), variance])


def _stretch(grey: Tensor) -> Tensor:
    """Scales the brightest pixel to 255; a black image stays black."""
    return (255 * grey / grey.amax().clamp(min=1)).round()


def _fill_blocks(grey: Tensor) -> Tensor:
    for dim in (0, 1):
        grey = mirror(grey, dim, after=-grey.shape[dim] % BLOCK)
    return grey


def _into_blocks(normalised: Tensor) -> Tensor:
    """``(H, W)`` to ``(rows, columns, 16, 16)``."""
    return normalised.unfold(0, BLOCK, BLOCK).unfold(1, BLOCK, BLOCK).contiguous()


def _has_smooth_edge(blocks: Tensor) -> Tensor:
    edges = torch.stack([blocks[..., 0, :], blocks[..., -1, :], blocks[..., 0], blocks[..., -1]], dim=-2)
    deviation = edges.unfold(-1, EDGE_SEGMENT, 1).std(dim=-1)
    return (deviation < SMOOTHNESS_THRESHOLD).any(dim=-1).any(dim=-1)


def _is_noisy(blocks: Tensor, deviation: Tensor) -> Tensor:
    centre, surround = (blocks[..., list(columns)].std(dim=(-2, -1)) for columns in (CENTRE, SURROUND))
    contrast = (centre / surround).where(surround > 0, 0)
    # 0 / 0, of a flat block, compares as false: it is not noisy.
    imbalance = (deviation - contrast).abs() / torch.maximum(deviation, contrast)
    return deviation > 2 * imbalance


METRICS.register("piqe")(
    Metric(
        "PIQE",
        "piqe:grey|variant:matlab",
        piqe,
        "MATLAB, pypiqe",
        is_full_reference=False,
        is_lower_better=True,
    )
)
