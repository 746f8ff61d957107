import piq
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter
from skimage.metrics import structural_similarity
from torch import Tensor

from bench.metrics.ssim import ssim, ssim_volume

both = pytest.mark.parametrize("metric", [ssim, ssim_volume])
few = settings(max_examples=25, deadline=None)
seeds = st.integers(0, 2**32)
sides = st.integers(11, 24)


def random_images(seed: int, num_images: int = 1, height: int = 14, width: int = 17) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(256, (num_images, 3, height, width), generator=generator, dtype=torch.uint8)


@pytest.mark.parametrize(("metric", "key"), [(ssim, "ssim_rgb"), (ssim_volume, "ssim_volume")])
def test_golden(metric, key, golden_pair):
    score = metric(golden_pair.restored, golden_pair.clean)
    assert score.dtype == torch.float64
    assert score.item() == pytest.approx(golden_pair.expected[key], abs=1e-10)


def test_agrees_with_scikit_image(golden_pair):
    """Its map has the size of the image, but its mean leaves out the same border."""
    theirs = structural_similarity(
        *(image[0].numpy() for image in (golden_pair.clean, golden_pair.restored)),
        channel_axis=0,
        gaussian_weights=True,
        use_sample_covariance=False,
        data_range=255,
    )
    assert ssim(golden_pair.restored, golden_pair.clean).item() == pytest.approx(theirs, abs=1e-10)


@few
@given(seeds, sides, sides)
def test_agrees_with_piq(seed, height, width):
    """With the downsampling off that piq applies to large images by default."""
    x, y = random_images(seed, 2, height, width), random_images(seed + 1, 2, height, width)
    theirs = piq.ssim(x.double() / 255, y.double() / 255, data_range=1.0, downsample=False, reduction="none")
    torch.testing.assert_close(ssim(x, y), theirs, rtol=0, atol=1e-10)


@few
@given(seeds, sides, sides)
def test_volume_agrees_with_scipy(seed, height, width):
    x, y = (random_images(s, 1, height, width)[0].double().numpy() for s in (seed, seed + 1))

    def blur(volume):
        return gaussian_filter(volume, sigma=1.5, radius=5, mode="nearest")

    mean_x, mean_y = blur(x), blur(y)
    covariance, variances = blur(x * y) - mean_x * mean_y, blur(x**2 + y**2) - mean_x**2 - mean_y**2
    luminance = (2 * mean_x * mean_y + 2.55**2) / (mean_x**2 + mean_y**2 + 2.55**2)
    theirs = (luminance * (2 * covariance + 7.65**2) / (variances + 7.65**2)).mean()
    assert ssim_volume(random_images(seed, 1, height, width), random_images(seed + 1, 1, height, width)).item() == (
        pytest.approx(theirs, abs=1e-10)
    )


@both
@few
@given(seed=seeds)
def test_identity_is_exactly_one(metric, seed):
    x = random_images(seed)
    assert metric(x, x).tolist() == [1.0]


@both
@few
@given(seed=seeds, other_seed=seeds)
def test_symmetric_and_bounded(metric, seed, other_seed):
    x, y = random_images(seed), random_images(other_seed)
    assert torch.equal(metric(x, y), metric(y, x))
    assert metric(x, y).abs().item() <= 1


@both
@few
@given(seed=seeds, amplitude=st.integers(2, 30))
def test_falls_with_noise(metric, seed, amplitude):
    clean = random_images(seed) // 2 + 64
    sign = (random_images(seed + 1) % 2).int() * 2 - 1
    weak, strong = ((clean + level * sign).byte() for level in (amplitude, 2 * amplitude))
    assert metric(strong, clean) < metric(weak, clean) < 1


@both
@few
@given(seed=seeds)
def test_independent_of_the_batch_and_of_the_memory_layout(metric, seed):
    x, y = random_images(seed, 3), random_images(seed + 1, 3)
    alone = torch.cat([metric(x[i : i + 1], y[i : i + 1]) for i in range(3)])
    assert torch.equal(metric(x, y), alone)
    assert torch.equal(metric(x.to(memory_format=torch.channels_last), y), alone)


def test_rgb_is_the_mean_of_the_channels():
    x, y = random_images(0), random_images(1)
    channels = torch.cat([ssim(x[:, i : i + 1], y[:, i : i + 1]) for i in range(3)])
    assert ssim(x, y).item() == pytest.approx(channels.mean().item())


@both
def test_refuses_images_smaller_than_the_window(metric):
    small = torch.zeros(1, 3, 10, 40, dtype=torch.uint8)
    with pytest.raises(ValueError, match="at least 11x11 pixels, got 10x40; score whole images"):
        metric(small, small)


@both
def test_refuses_floats(metric):
    with pytest.raises(ValueError, match="expected uint8"):
        metric(random_images(0) / 255, random_images(0))
