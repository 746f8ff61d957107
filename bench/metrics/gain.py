"""Scores after a brightness gain, as RealBlur is evaluated: its two cameras differ in exposure."""

import torch
from torch import Tensor

from bench.metrics.levels import check_pair
from bench.metrics.metric import FullReference


def with_gain(metric: FullReference) -> FullReference:
    """The metric of each restored image times the gain that brings it nearest to the clean one.

    ``g = sum(x z) / sum(z^2)`` over all pixels and channels, x clean and z restored; nothing is clipped.

    Args:
        metric: Accepts float64 images.

    References:
        J. Rim et al., "Real-World Blur Dataset for Learning and Benchmarking Deblurring Algorithms", ECCV 2020; the
        released evaluation code, and Restormer's after it.

    Deviations:
        That code then estimates a homography between the two (OpenCV's ECC), whose result changes with the version of
        the library; images are compared where they are.
    """

    def score(restored: Tensor, clean: Tensor) -> Tensor:
        check_pair(restored, clean)
        # Image by image and in one memory layout, so that no batch changes a score's last bits.
        pairs = zip(restored.split(1), clean.split(1), strict=True)
        return torch.cat([metric(_adjusted(z.double().contiguous(), x.double().contiguous()), x) for z, x in pairs])

    return score


def _adjusted(restored: Tensor, clean: Tensor) -> Tensor:
    energy = restored.square().sum()
    return restored * ((clean * restored).sum() / energy) if energy > 0 else restored  # a black image has no gain
