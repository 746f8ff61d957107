import torch
from hypothesis import given
from hypothesis import strategies as st

from bench.wavelets import haar


def test_it_agrees_with_reference_values(golden):
    case = golden("haar_transform")
    low, high = haar(case["x"], 2)
    expected = case.variant("orthonormal")
    torch.testing.assert_close(low, case.tensor(expected["low"]))
    for ours, key in zip(high, expected["high"], strict=True):
        torch.testing.assert_close(ours, case.tensor(key))


@given(st.integers(1, 4), st.integers(1, 3), st.integers(0, 99))
def test_it_keeps_the_norm(blocks, num_levels, seed):
    image = torch.randn(1, 2, blocks << num_levels, 2 << num_levels, generator=torch.Generator().manual_seed(seed))
    low, high = haar(image, num_levels)
    norm = low.square().sum() + sum(bands.square().sum() for bands in high)
    torch.testing.assert_close(norm, image.square().sum())
    assert len(high) == num_levels
