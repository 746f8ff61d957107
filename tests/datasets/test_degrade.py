import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.datasets.degrade import Haze, MotionBlur, Noise, Rain, smooth_field, to_float, to_pixels
from bench.seeding import generator

strengths = st.tuples(st.floats(0, 1), st.floats(0, 1)).map(sorted)
degradations = st.one_of(
    strengths.map(lambda s: Noise((100 * s[0], 100 * s[1]))),
    strengths.map(lambda s: Haze((3 * s[0], 3 * s[1]))),
    strengths.map(lambda s: Rain((200 * s[0], 200 * s[1]), (s[0], s[1]))),
    strengths.map(lambda s: MotionBlur((40 * s[0], 40 * s[1]))),
)


def image(height: int, width: int, margin: int = 0) -> np.ndarray:
    pixels = generator("image", height, width).integers(0, 256, (height + 2 * margin, width + 2 * margin, 3))
    return to_float(pixels.astype(np.uint8))


@settings(max_examples=60, deadline=None)
@given(degradation=degradations, height=st.integers(1, 40), width=st.integers(1, 40), seed=st.integers(0, 9))
def test_shape_range_and_determinism(degradation, height, width, seed):
    clean = image(height, width, degradation.margin)
    before = clean.copy()
    degraded = degradation(clean, generator(seed))
    assert degraded.shape == (height, width, 3) and degraded.dtype == np.float32
    np.testing.assert_array_equal(degraded, to_float(to_pixels(degraded)))  # 8-bit values in [0, 1]
    np.testing.assert_array_equal(degraded, degradation(clean, generator(seed)))
    np.testing.assert_array_equal(clean, before)


@pytest.mark.parametrize(
    "nothing",
    [Noise((0, 0)), Haze((0, 0)), Rain((0, 0), (0.5, 0.5)), Rain((50, 50), (0, 0)), MotionBlur((0, 0))],
    ids=str,
)
def test_without_strength_nothing_changes_and_nothing_moves(nothing):
    clean = image(21, 34, nothing.margin)
    margin = nothing.margin
    np.testing.assert_array_equal(nothing(clean, generator(0)), clean[margin : 21 + margin, margin : 34 + margin])


@pytest.mark.parametrize("sigma", [5.0, 25.0, 50.0])
def test_noise_has_its_standard_deviation(sigma):
    grey = np.full((200, 200, 3), 0.5, np.float32)
    noise = 255 * (Noise((sigma, sigma))(grey, generator(0)) - 0.5)
    assert noise.std() == pytest.approx(sigma, rel=0.03)
    assert noise.mean() == pytest.approx(0, abs=sigma / 20 + 0.5)


def test_haze_follows_the_scattering_model():
    """With a depth of their own, all pixels of an image move along lines to one and the same airlight."""
    clean = image(60, 60)
    hazy = Haze((2.0, 2.0), airlight=(0.9, 0.9), tint=0.0)(clean, generator(0))
    transmission = (hazy - np.float32(0.9)) / (clean - np.float32(0.9))
    clear = np.abs(clean - 0.9).min(axis=2) > 0.3
    spread = np.ptp(transmission[clear], axis=1)
    assert spread.max() < 0.02  # one transmission for the three channels, up to rounding
    assert transmission[clear].min() > np.exp(-2.0) - 0.01 and transmission[clear].max() < 1.01


def test_rain_only_adds_light_and_has_no_colour():
    dark = np.full((96, 96, 3), 0.1, np.float32)
    rainy = Rain((40, 40), (0.4, 0.4))(dark, generator(0))
    added = rainy - to_float(to_pixels(dark))
    assert added.min() >= 0 and 0.2 < added.max() < 0.9
    assert np.ptp(added, axis=2).max() == 0
    assert 0.02 < (added[..., 0] > 0.05).mean() < 0.6


def test_denser_rain_covers_more():
    dark = np.zeros((96, 96, 3), np.float32)
    covered = [(Rain((d, d), (0.4, 0.4))(dark, generator(1)) > 0.05).mean() for d in (5, 20, 80)]
    assert covered == sorted(covered) and covered[2] > 2 * covered[0]


@settings(max_examples=30, deadline=None)
@given(length=st.floats(0, 60), seed=st.integers(0, 99))
def test_blur_kernels_are_positive_centred_and_sum_to_one(length, seed):
    blur = MotionBlur((length, length))
    point = np.zeros((4 * blur.margin + 1, 4 * blur.margin + 1, 3), np.float32)
    point[2 * blur.margin, 2 * blur.margin] = 1
    kernel = blur._kernel(generator(seed))
    assert kernel.min() >= 0 and kernel.sum() == pytest.approx(1, abs=1e-5)
    positions = np.arange(len(kernel)) - blur.margin
    assert kernel.sum(axis=1) @ positions == pytest.approx(0, abs=0.02)
    assert kernel.sum(axis=0) @ positions == pytest.approx(0, abs=0.02)
    # What a point light leaves on the image is the kernel itself.
    np.testing.assert_allclose(blur(point, generator(seed))[..., 0], kernel, atol=0.51 / 255)


def test_longer_trajectories_blur_more():
    clean = image(80, 80, 12)
    inner = clean[12:-12, 12:-12]
    errors = [
        np.mean([np.square(MotionBlur((n, n))(clean, generator(k)) - inner).mean() for k in range(5)])
        for n in (1, 4, 16)
    ]
    assert errors == sorted(errors)


@settings(max_examples=30, deadline=None)
@given(shape=st.tuples(st.integers(1, 70), st.integers(1, 70)), cell=st.integers(1, 200), seed=st.integers(0, 9))
def test_smooth_fields_stay_in_range_and_change_slowly(shape, cell, seed):
    field = smooth_field(shape, cell, generator(seed))
    assert field.shape == shape and field.dtype == np.float32
    assert field.min() >= -1e-6 and field.max() <= 1 + 1e-6
    for axis in (0, 1):
        steps = np.abs(np.diff(field, axis=axis))
        assert not steps.size or steps.max() <= 1.5 / cell + 1e-5
