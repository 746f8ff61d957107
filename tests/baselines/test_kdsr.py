import math

import pytest
import torch

from baselines.kdsr import KDSR, KDSRConfig, vector_kl
from bench.distiller import Oracle
from bench.features import embedding


def test_the_divergence_agrees_with_released_code(golden):
    case, tau = golden("kdsr_kl"), KDSRConfig().tau
    assert tau == case.params["tau"]
    teachers = [vectors.detach() for vectors in case["t"]]
    pairs = zip(case["s"], teachers, strict=True)
    case.check(sum(vector_kl(ours, theirs, tau) for ours, theirs in pairs), "as_released")


def test_the_terms_and_their_weights(make_network, teachers, lesson):
    distiller = KDSR(make_network(3, 4), teachers, KDSRConfig(kl_weight=10, tau=0.5))
    student, teacher = distiller.student.forward_features(lesson.degraded), lesson.teacher("removal")
    ours, theirs = student.encoder[-1].mean(dim=(2, 3)), teacher.encoder[-1].mean(dim=(2, 3))
    terms = distiller(lesson)
    assert list(terms) == ["restoration", "kl"]
    torch.testing.assert_close(terms["restoration"], distiller.restoration_loss(student.restored, lesson.clean))
    torch.testing.assert_close(terms["kl"], 10 * vector_kl(distiller.regressor(ours), theirs, 0.5))


def test_equal_vectors_are_at_no_distance_and_give_no_gradient():
    student = torch.randn(1, 8, requires_grad=True)
    value = vector_kl(student, student.detach(), 0.15)
    assert value == 0
    torch.testing.assert_close(torch.autograd.grad(value, student)[0], torch.zeros(1, 8), atol=1e-6, rtol=0)


def test_the_expectation_is_that_of_the_teacher():
    student, teacher = torch.tensor([[0.0, 1.0]]), torch.tensor([[0.0, 0.0]])
    expected = math.log(1 + math.e) - 1 / 2 - math.log(2)
    assert vector_kl(student, teacher, tau=1).item() == pytest.approx(expected, rel=1e-5)
    assert vector_kl(student / 2, teacher, tau=0.5).item() == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("size", [1e-30, 1e4])
def test_features_of_any_size_give_finite_gradients(size):
    student = torch.rand(2, 8).mul(size).requires_grad_()
    value = vector_kl(student, size * torch.rand(2, 8), 0.15)
    assert value.isfinite()
    assert torch.autograd.grad(value, student)[0].isfinite().all()


def test_half_precision_is_left_before_the_mean():
    assert embedding((torch.ones(1, 4, 3, 5, dtype=torch.bfloat16),)).equal(torch.ones(1, 4))


def test_a_teacher_needs_features_but_not_as_many_levels(make_network, teachers):
    assert KDSR.unsupported(make_network(0, 4, depth=3), teachers) is None
    assert "by its output only" in KDSR.unsupported(make_network(0, 4), {"removal": Oracle()})
