from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter
from scipy.stats import gennorm
from torch import Tensor

from bench.metrics import natural_scene
from bench.metrics.luma import luma
from bench.metrics.natural_scene import HALVING, SHAPES, WINDOW

GOLDEN = Path(__file__).parents[1] / "golden"

few = settings(max_examples=25, deadline=None)
seeds = st.integers(0, 2**32)
sides = st.integers(1, 24)
borders = pytest.mark.parametrize("border", ["zeros", "replicate"])


def random_images(seed: int, num_images: int = 1, height: int = 14, width: int = 17) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(256, (num_images, 3, height, width), generator=generator, dtype=torch.uint8)


@pytest.fixture(scope="module")
def maps() -> dict[str, Tensor]:
    """Intermediate maps of the clean image of pair c, ``(1, H, W)`` float64."""
    with np.load(GOLDEN / "no_reference.npz") as arrays:
        found = {name: arrays[name] for name in arrays.files if name.startswith("maps/c_clean/")}
    return {name.rpartition("/")[2]: torch.from_numpy(array)[None].double() for name, array in found.items()}


@pytest.fixture(scope="module")
def image() -> Tensor:
    with np.load(GOLDEN / "metrics.npz") as arrays:
        return torch.from_numpy(arrays["c_clean"]).permute(2, 0, 1).unsqueeze(0)


def test_golden_grey(image, maps):
    """The fixture's sums carry rounding errors, which decide exact ties; ours do not."""
    red, green, blue = image.int().unbind(dim=1)
    is_tie = (299 * red + 587 * green + 114 * blue) % 1000 == 500
    difference = natural_scene.grey(image) - maps["grey_full_range_rounded"]
    assert 0 < is_tie.sum() < 10
    assert difference[~is_tie].eq(0).all() and difference.abs().sum() <= 1


def test_golden_local_moments(maps):
    mean, deviation = natural_scene.local_moments(maps["grey_full_range_rounded"], "zeros")
    torch.testing.assert_close(mean, maps["scale1_zero_pad_mu"], rtol=0, atol=2e-5)
    torch.testing.assert_close(deviation, maps["scale1_zero_pad_sigma"], rtol=0, atol=2e-5)


@pytest.mark.parametrize(
    ("of", "border", "expected"),
    [
        ("grey_full_range_rounded", "zeros", "scale1_zero_pad_mscn"),
        ("scale2_grey", "zeros", "scale2_zero_pad_mscn"),
        ("piqe_scaled_grey", "replicate", "piqe_replicate_pad_mscn"),
    ],
)
def test_golden_mscn(maps, of, border, expected):
    # Twice as far for the second scale, whose input is stored as float32.
    torch.testing.assert_close(natural_scene.mscn(maps[of], border), maps[expected], rtol=0, atol=2e-6)


def test_golden_mscn_of_luma(image, maps):
    found = natural_scene.mscn(natural_scene.grey(image, "y"), "replicate")
    torch.testing.assert_close(found, maps["niqe_replicate_pad_mscn"], rtol=0, atol=1e-6)


def test_golden_halving(maps):
    halved = natural_scene.halve(maps["grey_full_range_rounded"])
    torch.testing.assert_close(halved, maps["scale2_grey"], rtol=0, atol=2e-5)


@few
@given(seeds)
def test_luma_is_that_of_the_protocol(seed):
    """But for exact ties, which MATLAB rounds up and BasicSR to even."""
    images = random_images(seed)
    is_tie = (images.int() * torch.tensor([65481, 128553, 24966]).view(3, 1, 1)).sum(dim=1) % 255000 == 127500
    assert torch.equal(natural_scene.grey(images, "y")[~is_tie], luma(images)[:, 0].double()[~is_tie])


@few
@given(seeds, st.sampled_from(["grey", "y"]))
def test_floats_have_the_grey_of_the_same_integers(seed, colour):
    images = random_images(seed)
    assert torch.equal(natural_scene.grey(images.float(), colour), natural_scene.grey(images, colour))


def test_grey_rounds_ties_to_even():
    images = torch.tensor([[12, 0, 8], [2, 0, 43], [13, 1, 9]]).byte().view(3, 3, 1, 1)  # 4.5, 5.5 and 5.5
    assert natural_scene.grey(images).flatten().tolist() == [4, 6, 6]


def test_unknown_colour():
    with pytest.raises(ValueError, match="expected colour 'grey' or 'y', got 'Y'"):
        natural_scene.grey(random_images(0), "Y")


def test_windows_sum_to_one():
    assert sum(WINDOW) == pytest.approx(1, abs=1e-15)
    assert sum(HALVING) == 1


@borders
@few
@given(seed=seeds, height=sides, width=sides)
def test_mscn_agrees_with_scipy(border, seed, height, width):
    image = natural_scene.grey(random_images(seed, 1, height, width))
    mode = {"zeros": "constant", "replicate": "nearest"}[border]
    array = image[0].numpy()
    mean, mean_square = (gaussian_filter(x, sigma=7 / 6, radius=3, mode=mode) for x in (array, array**2))
    theirs = (array - mean) / (np.sqrt(np.abs(mean_square - mean**2)) + 1)
    np.testing.assert_allclose(natural_scene.mscn(image, border)[0], theirs, atol=1e-6)


@borders
def test_mscn_takes_both_layouts(border):
    image = natural_scene.grey(random_images(0, 2))
    with_channel = natural_scene.mscn(image.unsqueeze(1), border)
    assert torch.equal(with_channel.squeeze(1), natural_scene.mscn(image, border))


@given(st.integers(0, 255))
def test_mscn_of_a_flat_image_is_exactly_zero(level):
    assert not natural_scene.mscn(torch.full((1, 9, 8), float(level)), "replicate").any()


@few
@given(seeds, st.integers(5, 20), st.integers(5, 20))
def test_halving_agrees_with_pytorch_inside(seed, half_height, half_width):
    """Its kernel is the same, its border is not: it renormalises where MATLAB mirrors."""
    image = random_images(seed, 1, 2 * half_height, 2 * half_width).double()
    theirs = F.interpolate(image, scale_factor=0.5, mode="bicubic", antialias=True)
    inside = (..., slice(2, -2), slice(2, -2))
    torch.testing.assert_close(natural_scene.halve(image)[inside], theirs[inside])


@few
@given(seeds, sides, sides)
def test_halving_rounds_sizes_up_and_knows_no_direction(seed, height, width):
    image = random_images(seed, 1, height, width).double()
    halved = natural_scene.halve(image)
    assert halved.shape == (1, 3, -(-height // 2), -(-width // 2))
    torch.testing.assert_close(natural_scene.halve(image.mT), halved.mT)
    if height % 2 == 0:
        torch.testing.assert_close(natural_scene.halve(image.flip(-2)), halved.flip(-2))


@given(st.integers(0, 255), sides, sides)
def test_halving_keeps_a_constant_exactly(level, height, width):
    assert natural_scene.halve(torch.full((height, width), float(level))).eq(level).all()


@given(st.integers(1, 9), st.integers(0, 20), st.integers(0, 20))
def test_mirror_agrees_with_numpy(size, before, after):
    found = natural_scene.mirror(torch.arange(size).view(1, size, 1), 1, before, after)
    assert found.flatten().tolist() == np.pad(np.arange(size), (before, after), mode="symmetric").tolist()


def moment_ratio() -> Tensor:
    """``E[x^2] / E[|x|]^2`` on the grid, through the logarithm of the gamma function."""
    shape = 0.2 + 0.001 * torch.arange(9801, dtype=torch.float64)
    return (torch.lgamma(1 / shape) + torch.lgamma(3 / shape) - 2 * torch.lgamma(2 / shape)).exp()


def random_values(seed: int) -> Tensor:
    """Heavy and light tails, some of them outside of the grid, and skewed."""
    generator = torch.Generator().manual_seed(seed)
    values = torch.randn(6, 40, generator=generator, dtype=torch.float64)
    values = values.sign() * values.abs() ** torch.tensor([0.1, 0.3, 1, 1.5, 3, 8]).view(6, 1)
    return torch.where(values > 0, values * torch.rand(6, 1, generator=generator), values)


@few
@given(seeds)
def test_symmetric_fit_is_the_minimum_over_the_grid(seed):
    values = random_values(seed)
    ratio = values.square().mean(dim=-1) / values.abs().mean(dim=-1).square()
    expected = torch.tensor(SHAPES)[(ratio.unsqueeze(-1) - moment_ratio()).abs().argmin(dim=-1)]
    shape, variance = natural_scene.fit_symmetric(values)
    torch.testing.assert_close(shape.float(), expected)
    torch.testing.assert_close(variance, values.square().mean(dim=-1))


@few
@given(seeds)
def test_asymmetric_fit_is_the_minimum_over_the_grid(seed):
    values = random_values(seed)
    for row, shape, left, right in zip(values, *natural_scene.fit_asymmetric(values)[:3], strict=True):
        negative, positive = row[row < 0], row[row > 0]
        skew = (negative.square().mean() / positive.square().mean()).sqrt()
        ratio = row.abs().mean() ** 2 / row.square().mean() * (skew**3 + 1) * (skew + 1) / (skew**2 + 1) ** 2
        assert shape.item() == pytest.approx(SHAPES[(1 / moment_ratio() - ratio).abs().argmin()])
        assert left.item() == pytest.approx(negative.square().mean().sqrt().item())
        assert right.item() == pytest.approx(positive.square().mean().sqrt().item())


@pytest.mark.parametrize("shape", [0.5, 1.0, 2.0, 4.0])
def test_fits_find_the_shape_of_a_generalised_gaussian(shape):
    values = torch.from_numpy(gennorm(shape).rvs(200_000, random_state=0))
    assert natural_scene.fit_symmetric(values)[0].item() == pytest.approx(shape, rel=0.02)
    fit = natural_scene.fit_asymmetric(torch.where(values < 0, 3 * values, values))
    assert (fit.left / fit.right).item() == pytest.approx(3, rel=0.02)


def test_asymmetric_fit_gives_the_gammas_of_its_shape():
    fit = natural_scene.fit_asymmetric(random_values(0))
    for order, gamma in enumerate((fit.inverse_gamma, fit.double_gamma, fit.triple_gamma), start=1):
        torch.testing.assert_close(torch.lgamma(order / fit.shape), gamma.log())


@pytest.mark.parametrize("values", [[0.0, 0.0, 0.0], [0.0, 1.0, 2.0], [-1.0, -3.0, 0.0]])
def test_a_side_without_values_has_no_asymmetric_fit(values):
    assert torch.stack(natural_scene.fit_asymmetric(torch.tensor(values).double())).isnan().all()


def test_zeros_have_no_symmetric_shape():
    shape, variance = natural_scene.fit_symmetric(torch.zeros(2, 5).double())
    assert shape.isnan().all() and variance.tolist() == [0, 0]


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (torch.zeros(3, 8, 8), r"non-empty batch of RGB images \(N, 3, H, W\), got \(3, 8, 8\)"),
        (torch.zeros(1, 1, 8, 8), r"got \(1, 1, 8, 8\); repeat grey as three channels"),
        (torch.zeros(0, 3, 8, 8), "non-empty"),
        (torch.zeros(1, 3, 8, 8, dtype=torch.int32), "uint8 images, or floats in .* got torch.int32"),
        (torch.full((1, 3, 8, 8), 256.0), "from 256.0 to 256.0; clamp"),
        (torch.full((1, 3, 8, 8), -0.5), "clamp"),
        (torch.full((1, 3, 8, 8), torch.nan), "values from nan to nan"),
    ],
)
def test_refuses(images, message):
    with pytest.raises(ValueError, match=message):
        natural_scene.check_rgb(images)
