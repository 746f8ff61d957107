import pytest
import torch

from baselines.at import AT, ATConfig, mean_norms, mean_squares, norms


def test_the_norm_agrees_with_the_paper(golden):
    case = golden("at")
    value = sum(norms(ours, theirs).mean() for ours, theirs in zip(case["s"], case["t"], strict=True))
    case.check(value, "as_in_paper")


def test_the_squared_distance_agrees_with_released_code(golden):
    case = golden("at")
    case.check(mean_squares(case["s"], case["t"]), "as_released")


def test_the_paper_divides_by_the_positions_of_each_level(golden):
    case = golden("at")
    levels = zip(case["s"], case["t"], (80, 30, 16), strict=True)
    expected = sum(norms(ours, theirs).mean() / positions for ours, theirs, positions in levels)
    torch.testing.assert_close(mean_norms(case["s"], case["t"]), expected)


@pytest.mark.parametrize(("distance", "loss", "share"), [("norm", mean_norms, 0.5), ("squared", mean_squares, 1)])
def test_the_terms_and_their_weights(distance, loss, share, make_network, teachers, lesson):
    distiller = AT(make_network(3, 4), teachers, ATConfig(distance=distance, attention_weight=10))
    student, teacher = distiller.student.forward_features(lesson.degraded), lesson.teacher("removal")
    terms = distiller(lesson)
    assert list(terms) == ["restoration", "attention"]
    torch.testing.assert_close(terms["restoration"], distiller.restoration_loss(student.restored, lesson.clean))
    torch.testing.assert_close(terms["attention"], 10 * share * loss(student.levels, teacher.levels))


@pytest.mark.parametrize("loss", [mean_norms, mean_squares])
@pytest.mark.parametrize("scale", [0, 1])
def test_agreement_and_dead_features_give_no_gradient(loss, scale):
    teacher = (scale * torch.rand(2, 6, 5, 7), scale * torch.rand(2, 8, 3, 4))
    student = tuple(level.clone().requires_grad_() for level in teacher)
    value = loss(student, teacher)
    assert value == 0
    assert all(gradient.abs().sum() == 0 for gradient in torch.autograd.grad(value, student))


@pytest.mark.parametrize("loss", [mean_norms, mean_squares])
def test_a_dead_student_gets_finite_gradients(loss):
    student = (torch.zeros(1, 4, 5, 7, requires_grad=True),)
    value = loss(student, (torch.rand(1, 6, 5, 7),))
    assert torch.autograd.grad(value, student)[0].isfinite().all()


def test_different_numbers_of_levels_are_refused(make_network, teachers):
    assert "levels" in AT.unsupported(make_network(0, 4, depth=3), teachers)
    assert AT.unsupported(make_network(0, 4), teachers) is None
