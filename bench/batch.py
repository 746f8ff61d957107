"""The batch that data sets make and methods see."""

from typing import NamedTuple

from torch import Tensor


class Batch(NamedTuple):
    """Aligned training crops.

    Attributes:
        degraded: ``(N, 3, H, W)`` float32 RGB in [0, 1].
        clean: The same scene without the degradation, same shape and range.
    """

    degraded: Tensor
    clean: Tensor
