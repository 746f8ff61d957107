"""Images of any size are padded as each family's released test code does."""

import pytest
import torch
import torch.nn.functional as F

from bench.networks import build_network


@pytest.mark.parametrize("name", ["restormer", "drsformer"])
def test_reflection_on_the_right_and_below(name):
    network = build_network(name, "micro").eval()
    image = torch.rand(1, 3, 19, 30)
    with torch.inference_mode():
        expected = network(F.pad(image, (0, 2, 0, 5), mode="reflect"))[..., :19, :30].clamp(0, 1)
        assert torch.equal(network.restore(image), expected)


def test_zeros_on_the_right_and_below_for_nafnet():
    network = build_network("nafnet", "micro").eval()
    image = torch.rand(1, 3, 19, 30)
    padded = torch.zeros(1, 3, 24, 32)
    padded[..., :19, :30] = image
    with torch.inference_mode():
        assert torch.equal(network.restore(image), network(padded)[..., :19, :30].clamp(0, 1))


def test_the_centre_of_a_black_square_for_uformer():
    network = build_network("uformer", "micro").eval()
    image = torch.rand(1, 3, 37, 90)
    square = torch.zeros(1, 3, 128, 128)
    square[..., 45:82, 19:109] = image  # (128 - 37) // 2 and (128 - 90) // 2
    with torch.inference_mode():
        assert torch.equal(network.restore(image), network(square)[..., 45:82, 19:109].clamp(0, 1))
