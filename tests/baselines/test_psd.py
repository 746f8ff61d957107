import pytest
import torch

from baselines.psd import PSD, PSDConfig, gated_losses
from bench.distiller import Oracle, OracleLesson
from bench.losses import RESTORATION_LOSSES


def block(*pixels):
    return torch.tensor(pixels, dtype=torch.float64).view(1, 1, 2, 2)


def test_only_coefficients_that_the_teacher_knows_better_are_taught():
    clean = block(0.5, 0.25, 1, 0)
    # The errors' bands, low, rows, columns and diagonal: (2, -1, 0.5, 0) and (-1, 2, 0.25, 0).
    student = (clean + block(0.75, 0.25, 1.75, 1.25)).requires_grad_()
    teacher = clean + block(0.625, 0.375, -1.375, -1.625)
    low, high = gated_losses(student, teacher, clean)
    assert (low.item(), high.item()) == pytest.approx((3, 0.25 / 3))
    gradients = [torch.autograd.grad(term, student, retain_graph=True)[0] for term in (low, high)]
    torch.testing.assert_close(gradients[0], block(0.5, 0.5, 0.5, 0.5))
    torch.testing.assert_close(gradients[1], block(0.5, -0.5, 0.5, -0.5) / 3)


def test_a_teacher_that_is_worse_everywhere_teaches_nothing():
    clean, student = torch.rand(2, 2, 3, 8, 8)
    student.requires_grad_()
    low, high = gated_losses(student, clean + 2 * (student.detach() - clean), clean)
    assert low == high == 0
    assert not torch.autograd.grad(low + high, student)[0].any()


@pytest.mark.parametrize(
    ("loss", "settings"), [("rmse", {}), ("l1", {"low_weight": 2.0, "high_weight": 0.5}), ("l1", {"high_weight": 0})]
)
def test_terms_are_composed_of_restoration_and_gated_bands(loss, settings, make_network, teachers, lesson):
    config = PSDConfig(restoration_loss=loss, **settings)
    psd = PSD(make_network(3, 4), teachers, config)
    restored, taught = psd.student(lesson.degraded), teachers["removal"](lesson.degraded)
    terms = psd(lesson)
    assert list(terms) == ["restoration", "gated"]
    torch.testing.assert_close(terms["restoration"], RESTORATION_LOSSES[loss](restored, lesson.clean))
    low, high = gated_losses(restored, taught, lesson.clean)
    assert low > 0 and high > 0
    weights = {"low_weight": 1.0, "high_weight": 0.1} | settings
    torch.testing.assert_close(terms["gated"], weights["low_weight"] * low + weights["high_weight"] * high)


def test_a_student_that_is_its_teacher_has_nothing_to_learn(teachers, lesson):
    assert PSD(teachers["removal"], teachers, PSDConfig())(lesson)["gated"] == 0


def test_the_gate_of_the_control_is_open_wherever_the_student_errs(make_network, teachers, lesson):
    oracle = {"removal": Oracle(), "perceptual": teachers["perceptual"]}
    assert PSD.unsupported(make_network(3, 4), oracle) is None
    psd = PSD(make_network(3, 4), oracle, PSDConfig())
    terms = psd(OracleLesson(lesson))
    error = psd.student(lesson.degraded) - lesson.clean
    blocks = torch.nn.functional.pixel_unshuffle(error, 2).unflatten(1, (3, 4))
    low = (blocks.sum(dim=2) / 2).abs().mean()
    signs = torch.tensor([[1, 1, -1, -1], [1, -1, 1, -1], [1, -1, -1, 1]]) / 2.0
    high = torch.einsum("ncphw,bp->ncbhw", blocks, signs).abs().mean()
    torch.testing.assert_close(terms["gated"], low + 0.1 * high)


def test_odd_sides_are_taken():
    student, teacher, clean = torch.rand(3, 1, 3, 7, 5)
    assert all(term > 0 for term in gated_losses(student, teacher, clean))
