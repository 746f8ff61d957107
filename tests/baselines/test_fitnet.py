from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from baselines.fitnet import FitNet, FitNetConfig, hint_loss

GOLDEN = np.load(Path(__file__).parents[1] / "golden" / "fitnet.npz")
"""One level, computed in float64 with the released code of RepDistiller and mdistiller (without batch norm, ReLU)."""


@pytest.mark.parametrize(("dtype", "value_rtol", "gradient_rtol"), [("float64", 1e-7, 1e-6), ("float32", 2e-5, 2e-4)])
def test_hint_agrees_with_released_code(dtype, value_rtol, gradient_rtol):
    dtype = getattr(torch, dtype)
    student, teacher, weight, bias = (
        torch.from_numpy(GOLDEN[k]).to(dtype) for k in ("student", "teacher", "weight", "bias")
    )
    regressor = torch.nn.Conv2d(4, 6, 1).to(dtype)
    regressor.load_state_dict({"weight": weight, "bias": bias})
    student.requires_grad_()
    value = hint_loss([regressor], (student,), (teacher,))
    value.backward()
    assert value.item() == pytest.approx(GOLDEN["value"].item(), rel=value_rtol)
    for name, tensor in (("student", student), ("weight", regressor.weight), ("bias", regressor.bias)):
        expected = torch.from_numpy(GOLDEN[f"gradient_{name}"]).to(dtype)
        assert (tensor.grad - expected).norm() < gradient_rtol * expected.norm()


def test_the_hint_is_the_mean_over_encoder_and_decoder_levels(make_network, teachers, lesson):
    fitnet = FitNet(make_network(3, 4), teachers, FitNetConfig(hint_weight=0.5))
    student, teacher = fitnet.student.forward_features(lesson.degraded), lesson.teacher("removal")
    pairs = zip((*student.encoder, *student.decoder), (*teacher.encoder, *teacher.decoder), strict=True)
    levels = [F.mse_loss(regress(s), t) for regress, (s, t) in zip(fitnet.regressors, pairs, strict=True)]
    assert len(levels) == 5
    torch.testing.assert_close(fitnet(lesson)["hint"], 0.5 * sum(levels) / 5)


def test_different_numbers_of_levels_are_refused(make_network, teachers):
    reason = FitNet.unsupported(make_network(0, 4, depth=3), teachers)
    assert reason == "the student has 4 encoder levels, the removal teacher 3"
    assert FitNet.unsupported(make_network(0, 4), teachers) is None
