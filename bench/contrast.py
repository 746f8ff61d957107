"""Contrastive distances: near to a positive image and far from negative ones, as perceptual features tell them."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from bench.parts import mean_over_batch, whole_batch

Levels = Sequence[Tensor]

EPS = 1e-7


def contrast(anchor: Levels, positive: Levels, negatives: Sequence[Levels], is_mean: bool = False) -> Tensor:
    """The distance to the positive over the distance to the negatives, weighted and summed over the levels.

    ``sum_l w_l |a_l - p_l| / (sum_k |a_l - n_kl| + 1e-7)``, ``|.|`` the mean absolute value.

    Args:
        anchor: Perceptual features ``(N, C_l, H_l, W_l)``, finest level first.
        positive: Same shapes.
        negatives: Of each, the same shapes, or one image ``(1, C_l, H_l, W_l)`` for all anchors.
        is_mean: Whether to divide by the mean over the negatives instead of the sum, which makes the value as many
            times larger as there are negatives.

    References:
        H. Wu et al., "Contrastive Learning for Compact Single Image Dehazing", CVPR 2021, Eq. 4: one negative.
        Y. Wang et al., "Towards Compact Single Image Super-Resolution via Contrastive Self-distillation", IJCAI 2021,
        Eq. 2: several.
    """
    terms = []
    for level, weight in enumerate(level_weights(len(anchor))):
        near = mean_over_batch(F.l1_loss(anchor[level], positive[level]))
        far = mean_over_batch(torch.stack([(anchor[level] - negative[level]).abs().mean() for negative in negatives]))
        terms.append(weight * near / ((far.mean() if is_mean else far.sum()) + EPS))
    return torch.stack(terms).sum()


def each_image(levels: Levels) -> list[Levels]:
    """The features of a batch as those of each image, ``(1, C_l, H_l, W_l)``: a negative for all anchors."""
    return [tuple(whole_batch(level)[k : k + 1] for level in levels) for k in range(len(whole_batch(levels[0])))]


def level_weights(count: int) -> tuple[float, ...]:
    """The published weights of VGG19's five levels, 1/32, 1/16, 1/8, 1/4 and 1; of others, the deepest has 1."""
    return (*(2.0 ** -(count - level) for level in range(count - 1)), 1.0)
