"""What both extractors must bear: features are not photographs."""

import pytest
import torch

from slkd import brisque, piqe


def checkerboard(size):
    return (torch.arange(size)[:, None] + torch.arange(size)) % 2 * 2e4 - 1e4


HARD = {
    "flat": torch.full((2, 3, 32, 32), 0.5),
    "dead": torch.zeros(2, 3, 32, 32),
    "one dead channel": torch.rand(2, 3, 32, 32) * torch.tensor([1.0, 0.0, 1.0])[:, None, None],
    "saturated": torch.rand(2, 3, 32, 32).round(),
    "huge": checkerboard(32).expand(2, 3, -1, -1),
    "tiny": 1e-6 * torch.rand(2, 3, 32, 32),
    "one block": torch.rand(1, 3, 16, 16),
}


@pytest.mark.parametrize("extractor", [brisque, piqe])
@pytest.mark.parametrize("name", HARD)
def test_gradients_are_finite(extractor, name):
    image = HARD[name].clone().requires_grad_()
    target = torch.rand(image.shape, generator=torch.Generator().manual_seed(0))
    distance = extractor.distance(image, target)
    distance.backward()
    assert distance.isfinite() and image.grad.isfinite().all()


@pytest.mark.parametrize("extractor", [brisque, piqe])
def test_autocast_changes_nothing(extractor):
    image, target = torch.rand(2, 2, 3, 32, 32, generator=torch.Generator().manual_seed(0)).unbind(0)
    image.requires_grad_()
    expected = extractor.distance(image, target)
    with torch.autocast("cpu", torch.bfloat16):
        found = extractor.distance(image, target)
    assert found.dtype == torch.float32 and torch.equal(found, expected)
    assert extractor.distance(image.bfloat16(), target).dtype == torch.float32


@pytest.mark.parametrize("extractor", [brisque, piqe])
def test_only_the_student_side_carries_gradient(extractor):
    ours, theirs = torch.rand(2, 1, 3, 32, 32).unbind(0)
    assert not extractor.distance(ours, theirs).requires_grad
    assert extractor.distance(ours.clone().requires_grad_(), theirs).requires_grad
