from typing import get_args

import pytest
import torch

from bench.config import RestorationLoss
from bench.losses import RESTORATION_LOSSES


@pytest.fixture(params=RESTORATION_LOSSES)
def loss(request):
    return RESTORATION_LOSSES[request.param]


def test_params_may_choose_every_loss_and_no_other():
    assert set(get_args(RestorationLoss)) == set(RESTORATION_LOSSES)


def test_equal_images_are_the_minimum_and_have_finite_gradients(loss):
    image = torch.rand(2, 3, 16, 16)
    same, other = image.clone().requires_grad_(), (image + 0.1).requires_grad_()
    lowest, higher = loss(same, image), loss(other, image)
    assert 0 <= lowest.item() < 2e-3 < higher.item()
    (lowest + higher).backward()
    assert same.grad.isfinite().all() and other.grad.abs().sum() > 0


def test_a_batch_is_the_mean_of_its_images(loss):
    restored, clean = torch.rand(2, 4, 3, 16, 16, dtype=torch.float64)
    alone = torch.stack([loss(r[None], c[None]) for r, c in zip(restored, clean, strict=True)]).mean()
    torch.testing.assert_close(loss(restored, clean), alone, rtol=1e-5, atol=1e-6)


def test_rmse_is_in_the_units_of_a_pixel_difference():
    clean = torch.rand(2, 3, 16, 16)
    assert RESTORATION_LOSSES["rmse"](clean + 0.2, clean).item() == pytest.approx(0.2, abs=1e-4)


def test_rmse_stresses_what_is_far_off_more_than_l1():
    clean = torch.zeros(1, 3, 10, 10)
    spread, streak = clean + 0.03, clean.clone()
    streak[..., 0, :3] = 1.0  # the same mean difference, in three pixels
    l1, rmse = RESTORATION_LOSSES["l1"], RESTORATION_LOSSES["rmse"]
    assert l1(spread, clean).item() == pytest.approx(l1(streak, clean).item())
    assert rmse(streak, clean) > 3 * rmse(spread, clean)
