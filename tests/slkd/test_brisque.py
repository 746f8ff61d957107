from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from slkd import brisque

GOLDEN = np.load(Path(__file__).parents[1] / "golden" / "slkd_mscn.npz")


def golden(name):
    return torch.from_numpy(GOLDEN[name]).double()


def test_mscn_agrees_with_brisque():
    found = brisque.mscn(golden("grey_full_range_rounded"), "constant")
    torch.testing.assert_close(found, golden("scale1_zero_pad_mscn"), atol=1e-3, rtol=0)


def test_mscn_agrees_with_piqe():
    found = brisque.mscn(golden("piqe_scaled_grey"), "replicate")
    torch.testing.assert_close(found, golden("piqe_replicate_pad_mscn"), atol=1e-3, rtol=0)


def test_second_scale_agrees_with_brisque_away_from_the_border():
    half = brisque.halve(golden("grey_full_range_rounded"))
    inside = np.s_[2:-2, 2:-2]  # the reference continues the image beyond its border by reflection
    torch.testing.assert_close(half[inside], golden("scale2_grey")[inside], atol=1e-3, rtol=0)
    found = brisque.mscn(golden("scale2_grey"), "constant")
    torch.testing.assert_close(found, golden("scale2_zero_pad_mscn"), atol=1e-3, rtol=0)


def test_moments_are_those_of_the_definition():
    image = torch.rand(2, 3, 20, 24, dtype=torch.float64)
    found = brisque.extract(image)
    m = found.structure[0][1, 2].numpy()
    expected = [np.abs(m).mean(), (m**2).mean()]
    for p in (m[:, :-1] * m[:, 1:], m[:-1] * m[1:], m[:-1, :-1] * m[1:, 1:], m[:-1, 1:] * m[1:, :-1]):
        expected += [p.mean(), (p**2 * (p < 0)).mean(), (p**2 * (p > 0)).mean()]
    np.testing.assert_allclose(found.naturalness[1, 2, :14], expected, rtol=1e-10)


def test_colour_is_in_units_of_the_image():
    image = torch.rand(2, 3, 16, 16, dtype=torch.float64)
    red, green, blue = image.mean(dim=(-2, -1)).unbind(1)
    colour = brisque.extract(image).colour
    torch.testing.assert_close(colour[:, :3], torch.stack([red, green, blue], 1))
    torch.testing.assert_close(colour[:, 3:6], image.std(dim=(-2, -1), correction=0), atol=1e-5, rtol=0)
    torch.testing.assert_close(colour[:, 6:], torch.stack([red - green, (red + green) / 2 - blue], 1))


@pytest.mark.parametrize("padding", ["constant", "replicate"])
def test_gradient_of_mscn(padding):
    image = (255 * torch.rand(2, 8, 9, dtype=torch.float64)).requires_grad_()
    assert torch.autograd.gradcheck(lambda x: brisque.mscn(x, padding), image, fast_mode=True)


def test_gradient_of_neighbour_means():
    maps = torch.randn(2, 3, 3, 5, 6, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(brisque.NeighbourMeans.apply, maps)


def test_gradient_of_the_statistics():
    torch.manual_seed(0)
    image = torch.rand(1, 3, 10, 12, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x: brisque.extract(x)[1:], image, fast_mode=True)


@settings(max_examples=15, deadline=None)
@given(height=st.integers(8, 40), width=st.integers(8, 40))
def test_any_size(height, width):
    found = brisque.extract(torch.rand(1, 3, height, width))
    assert found.structure[0].shape == (1, 3, height, width)
    assert found.structure[1].shape == (1, 3, height // 2, width // 2)
    assert found.naturalness.shape == (1, 3, 28) and found.naturalness.isfinite().all()


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 2**16))
def test_transposition_exchanges_right_and_down(seed):
    image = torch.rand(1, 3, 24, 24, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    right_and_down = [*range(2), *range(5, 8), *range(2, 5), *range(8, 14)]
    exchanged = [*right_and_down, *(14 + i for i in right_and_down)]
    turned = brisque.extract(image.mT).naturalness
    torch.testing.assert_close(turned, brisque.extract(image).naturalness[..., exchanged])


def test_noise_and_blur_are_told_apart_from_the_clean_image():
    clean = (golden("piqe_scaled_grey") / 255).expand(1, 3, -1, -1)
    noise = torch.randn(clean.shape, generator=torch.Generator().manual_seed(0))
    noisy = [clean + strength * noise for strength in (0.02, 0.1)]
    assert brisque.distance(clean, clean) == 0
    assert 0 < brisque.distance(noisy[0], clean) < brisque.distance(noisy[1], clean)
