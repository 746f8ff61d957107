import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage.metrics import peak_signal_noise_ratio
from torch import Tensor

from bench.metrics.levels import check_pair
from bench.metrics.psnr import psnr


def random_images(seed: int, num_images: int = 1, height: int = 12, width: int = 13) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(256, (num_images, 3, height, width), generator=generator, dtype=torch.uint8)


def test_golden(golden_pair):
    score = psnr(golden_pair.restored, golden_pair.clean)
    assert score.dtype == torch.float64
    assert score.item() == pytest.approx(golden_pair.expected["psnr_rgb_db"], rel=1e-12)


def test_agrees_with_scikit_image(golden_pair):
    restored, clean, _ = golden_pair
    theirs = peak_signal_noise_ratio(clean.numpy(), restored.numpy(), data_range=255)
    assert psnr(restored, clean).item() == pytest.approx(theirs, rel=1e-12)


def test_extremes():
    black, white = torch.zeros(2, 1, 3, 12, 12, dtype=torch.uint8)
    white = white + 255
    assert psnr(black, white).item() == 0
    assert psnr(white, white).item() == math.inf


def test_one_level_off_by_hand():
    clean = torch.full((1, 3, 10, 10), 100, dtype=torch.uint8)
    assert psnr(clean + 1, clean).item() == pytest.approx(20 * math.log10(255))


def test_is_per_image_not_pooled():
    clean = torch.full((2, 3, 10, 10), 100, dtype=torch.uint8)
    restored = torch.stack([clean[0] + 1, clean[1] + 10])
    assert psnr(restored, clean).tolist() == pytest.approx([20 * math.log10(255), 20 * math.log10(25.5)])


def test_large_image_does_not_overflow():
    """The squared error of 4k images exceeds 32 bits."""
    black = torch.zeros(1, 3, 2160, 3840, dtype=torch.uint8)
    assert psnr(black, black + 255).item() == 0


@settings(deadline=None)
@given(st.integers(0, 2**32), st.integers(0, 2**32))
def test_symmetric(seed, other_seed):
    x, y = random_images(seed), random_images(other_seed)
    assert torch.equal(psnr(x, y), psnr(y, x))


@settings(deadline=None)
@given(st.integers(0, 2**32))
def test_identity_is_infinite(seed):
    x = random_images(seed)
    assert psnr(x, x).isposinf().all()


@settings(deadline=None)
@given(st.integers(0, 2**32), st.integers(1, 30), st.integers(1, 30))
def test_falls_with_noise(seed, amplitude, increase):
    clean = random_images(seed) // 2 + 64
    sign = (random_images(seed + 1) % 2).int() * 2 - 1
    weak, strong = ((clean + level * sign).byte() for level in (amplitude, amplitude + increase))
    assert psnr(strong, clean) < psnr(weak, clean)


@settings(deadline=None)
@given(st.integers(0, 2**32))
def test_independent_of_the_batch(seed):
    x, y = random_images(seed, 3), random_images(seed + 1, 3)
    alone = torch.cat([psnr(x[i : i + 1], y[i : i + 1]) for i in range(3)])
    assert torch.equal(psnr(x, y), alone)


@pytest.mark.parametrize(
    ("restored", "message"),
    [
        (torch.zeros(1, 3, 8, 8), "restored images: expected uint8, .* got torch.float32; convert .*to_levels"),
        (torch.zeros(1, 3, 8, 9, dtype=torch.uint8), r"one shape .* \(1, 3, 8, 9\) and clean \(1, 3, 8, 8\); crop"),
        (torch.zeros(3, 8, 8, dtype=torch.uint8), r"restored images: expected .* got \(3, 8, 8\)"),
    ],
)
def test_refuses_other_types_and_shapes(restored, message):
    with pytest.raises(ValueError, match=message):
        psnr(restored, torch.zeros(1, 3, 8, 8, dtype=torch.uint8))


def test_refuses_a_missing_batch_axis_and_empty_batches():
    image = torch.zeros(3, 8, 8, dtype=torch.uint8)
    for images in (image, image[None][:0]):
        with pytest.raises(ValueError, match="non-empty batch"):
            check_pair(images, images)
