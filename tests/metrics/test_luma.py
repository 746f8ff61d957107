import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.metrics.luma import luma, luma_unrounded


def colour(red: int, green: int, blue: int) -> torch.Tensor:
    return torch.tensor([red, green, blue], dtype=torch.uint8).view(1, 3, 1, 1)


@pytest.mark.parametrize(
    ("rgb", "expected"),
    [
        ((0, 0, 0), 16),
        ((255, 255, 255), 235),
        ((255, 0, 0), 81),
        ((0, 255, 0), 145),
        ((0, 0, 255), 41),
        ((0, 204, 68), 126),  # 125.5 exactly: half up
        ((6, 34, 182), 53),  # 52.5 exactly: half up, where half to even would be 52
    ],
)
def test_by_hand(rgb, expected):
    assert luma(colour(*rgb)).item() == expected


@settings(deadline=None)
@given(st.tuples(*[st.integers(0, 255)] * 3))
def test_agrees_with_floating_point(rgb):
    value = 16 + np.dot(rgb, [65.481, 128.553, 24.966]) / 255
    assert luma_unrounded(colour(*rgb)).item() == pytest.approx(value, abs=1e-12)
    is_tie = abs(value % 1 - 0.5) < 1e-9
    assert is_tie or luma(colour(*rgb)).item() == math.floor(value + 0.5)
    assert is_tie or torch.equal(luma(colour(*rgb).double()), luma(colour(*rgb)))
