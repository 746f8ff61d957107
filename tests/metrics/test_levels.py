import math

import pytest
import torch

from bench.metrics.levels import check_pair, cropped, to_levels


def test_clamps_and_rounds_half_to_even():
    output = torch.tensor([-1.0, 0, 0.5 / 255, 1.5 / 255, 2.4 / 255, 254.5 / 255, 1, 7, math.inf])
    assert to_levels(output).tolist() == [0, 0, 0, 2, 2, 254, 255, 255, 255]


def test_truncates_towards_zero_or_keeps_the_fraction():
    output = torch.tensor([-1.0, 1.9 / 255, 254.99 / 255, 7])
    assert to_levels(output, "trunc").tolist() == [0, 1, 254, 255]
    unrounded = to_levels(output, "none")
    assert unrounded.dtype == torch.float64
    assert unrounded.tolist() == pytest.approx([0, 1.9, 254.99, 255], abs=1e-4)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_keeps_every_level(dtype):
    levels = torch.arange(256, dtype=torch.uint8)
    assert torch.equal(to_levels(levels.to(dtype) / 255), levels)


@pytest.mark.parametrize(
    ("output", "message"),
    [
        (torch.tensor([0.5, math.nan]), "NaN; the network has diverged"),
        (torch.tensor([128], dtype=torch.uint8), "floating-point output .* got torch.uint8"),
    ],
)
def test_refuses(output, message):
    with pytest.raises(ValueError, match=message):
        to_levels(output)


def test_crops_every_side():
    image = torch.arange(5 * 6).view(1, 1, 5, 6)
    assert torch.equal(cropped(image, 2), image[..., 2:3, 2:4])
    assert torch.equal(cropped(image, 0), image)
    with pytest.raises(ValueError, match="border of 3 pixels leaves nothing"):
        cropped(image, 3)


def test_refuses_a_missing_batch_axis_and_empty_batches():
    image = torch.zeros(3, 8, 8, dtype=torch.uint8)
    for images in (image, image[None][:0]):
        with pytest.raises(ValueError, match="non-empty batch"):
            check_pair(images, images)
