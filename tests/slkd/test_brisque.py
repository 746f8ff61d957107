"""Golden values are float64; what of ours coincides with them is stated test by test."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import gamma

from bench.metrics import natural_scene
from slkd import brisque

FOLDER = Path(__file__).parents[1] / "golden"
GOLDEN = np.load(FOLDER / "slkd_mscn.npz")
FEATURES = {
    name: np.array(scores["brisque"]["features"]).reshape(2, 18)
    for name, scores in json.loads((FOLDER / "no_reference.json").read_text())["expected"].items()
    if scores["brisque"]["flat_fraction"] < 1e-5  # elsewhere the signs of rounding errors decide
}
"""BRISQUE's features of photographs at two scales: of the coefficients shape and variance, then of the products with
each neighbour shape, mean, and the mean square of the negative and of the positive ones."""

SHAPES = 0.2 + 0.001 * np.arange(9801)
KURTOSES = gamma(1 / SHAPES) * gamma(3 / SHAPES) / gamma(2 / SHAPES) ** 2


def golden(name):
    return torch.from_numpy(GOLDEN[name]).double()


def golden_grey(name):
    for file in ("metrics", "no_reference"):
        with np.load(FOLDER / f"{file}.npz") as arrays:
            if name in arrays.files:
                return natural_scene.grey(torch.from_numpy(arrays[name]).permute(2, 0, 1)[None])[0]
    raise KeyError(name)


def shape_of(mean_magnitude, mean_square):
    """BRISQUE's look-up of the shape of a generalised Gaussian."""
    return SHAPES[np.abs(mean_square / mean_magnitude**2 - KURTOSES).argmin()]


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


@pytest.mark.parametrize("name", FEATURES)
@pytest.mark.parametrize("scale", [0, 1])
def test_moments_give_the_features_of_brisque(name, scale):
    """But for the means and shapes of the products: BRISQUE's mean is that of its fit, whose shape needs ``E|p|``.

    Up to 2e-5, our variance floor, and 2e-4, a few grey levels that are exact ties, which we round to even.
    """
    grey = golden_grey(name)
    coefficients = brisque.mscn(natural_scene.halve(grey) if scale else grey, "constant")
    expected = FEATURES[name][scale]
    magnitude, square = brisque.Moments.apply(coefficients)[:2].numpy()
    assert abs(shape_of(magnitude, square) - expected[0]) < 1e-9
    np.testing.assert_allclose(square, expected[1], atol=5e-5)
    # BRISQUE's neighbours wrap round the border: as much of the opposite border is appended.
    for k, (down, right) in enumerate([(0, 1), (1, 0), (1, 1), (1, 1)]):
        wrapped = F.pad(coefficients[None, None], (0, right, 0, down), mode="circular")[0, 0]
        left_and_right = brisque.Moments.apply(wrapped)[3 + 3 * k : 5 + 3 * k].numpy()
        product = brisque._neighbours(wrapped)[k][0] * brisque._neighbours(wrapped)[k][1]
        share = [(product < 0).double().mean(), (product > 0).double().mean()]
        np.testing.assert_allclose(left_and_right / share, expected[4 + 4 * k : 6 + 4 * k], atol=2e-4)


@pytest.mark.parametrize("name", FEATURES)
def test_extracted_moments_are_close_to_the_features_of_brisque(name):
    """The whole extractor: the second scale's border differs, hence 2e-3 for the variance, 0.04 for the shape."""
    found = brisque.extract(golden_grey(name)[None, None] / 255).naturalness.view(2, 14).numpy()
    for (magnitude, square), expected in zip(found[:, :2], FEATURES[name], strict=True):
        assert abs(shape_of(magnitude, square) - expected[0]) < 0.04
        np.testing.assert_allclose(square, expected[1], atol=2e-3)


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


def formula(image):
    """`brisque.mscn` with zeros around as autograd sees it."""
    window = brisque._window(image.shape[-1], "constant", image)
    mean = window.mT @ image @ window
    variance = window.mT @ image.square() @ window - mean.square()
    return (image - mean) / ((variance.clamp_min(0) + brisque.VARIANCE_FLOOR).sqrt() + brisque.CONTRAST_OFFSET)


@pytest.mark.parametrize("image", [torch.zeros(12, 12), torch.full((12, 12), 255.0), 255 * torch.eye(12)])
def test_gradient_of_mscn_is_that_of_its_formula_where_it_has_kinks(image):
    upstream = torch.rand(image.shape, generator=torch.Generator().manual_seed(0))
    gradients = []
    for function in (lambda x: brisque.mscn(x, "constant"), formula):
        x = image.clone().requires_grad_()
        gradients += torch.autograd.grad((function(x) * upstream).sum(), x)
    torch.testing.assert_close(*gradients, rtol=1e-3, atol=1e-4)


def test_gradient_of_the_moments():
    maps = torch.randn(2, 3, 5, 6, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(brisque.Moments.apply, maps)


def test_gradient_of_the_statistics():
    torch.manual_seed(0)
    image = torch.rand(1, 3, 10, 12, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x: brisque.extract(x)[1:], image, fast_mode=True)


@settings(max_examples=15, deadline=None)
@given(channels=st.integers(1, 5), height=st.integers(4, 40), width=st.integers(4, 40))
def test_any_size_and_number_of_channels(channels, height, width):
    found = brisque.extract(torch.rand(2, channels, height, width))
    assert found.structure[0].shape == (2, channels, height, width)
    assert found.structure[1].shape == (2, channels, height // 2, width // 2)
    assert found.naturalness.shape == (2, channels, 28) and found.naturalness.isfinite().all()
    assert found.colour.shape == (2, 8 if channels == 3 else 2 * channels) and found.colour.isfinite().all()


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
