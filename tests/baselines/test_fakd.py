import pytest
import torch

from baselines.fakd import FAKD, FAKDConfig, affinities, affinity_loss
from bench.distiller import Oracle, OracleLesson
from bench.losses import l1


def test_affinities_agree_with_released_code(golden):
    case = golden("fakd_sa")
    case.check(affinity_loss(case["s"], case["t"], largest_side=10), "as_released")


def test_pooled_affinities_agree_with_released_code(golden):
    case = golden("fakd_psa_avg2")
    halves = zip(case["s"], case["t"], (5, 3, 2), strict=True)
    case.check(sum(affinity_loss((ours,), (theirs,), side) for ours, theirs, side in halves), "as_released")


def test_the_weighted_sum_agrees_with_released_code(golden):
    case, config = golden("fakd_total"), FAKDConfig()
    images = l1(case["S"], case["y"]), l1(case["S"], case["T"])
    share, weight = config.output_share, 255 * config.affinity_weight
    affinity = affinity_loss(case["s"], case["t"], config.largest_side)
    case.check((1 - share) * images[0] + share * images[1] + weight * affinity, "as_released")


def test_the_terms_and_their_weights(make_network, teachers, lesson):
    config = FAKDConfig(output_share=0.2, affinity_weight=2, largest_side=7)
    distiller = FAKD(make_network(3, 4), teachers, config)
    student, teacher = distiller.student.forward_features(lesson.degraded), lesson.teacher("removal")
    terms = distiller(lesson)
    assert list(terms) == ["restoration", "output", "affinity"]
    torch.testing.assert_close(terms["restoration"], 0.8 * distiller.restoration_loss(student.restored, lesson.clean))
    torch.testing.assert_close(terms["output"], 0.2 * distiller.restoration_loss(student.restored, teacher.restored))
    torch.testing.assert_close(terms["affinity"], 2 * affinity_loss(student.levels, teacher.levels, 7))


@pytest.mark.parametrize(("height", "width", "positions"), [(32, 32, 1024), (33, 32, 17 * 16), (128, 50, 32 * 13)])
def test_no_side_is_longer_than_the_bound(height, width, positions):
    assert affinities(torch.rand(1, 4, height, width), 32).shape == (1, positions, positions)


def test_an_oracle_teaches_by_its_output_only(make_network, lesson):
    teachers = {"removal": Oracle()}
    distiller = FAKD(make_network(3, 4), teachers, FAKDConfig())
    terms = distiller(OracleLesson(lesson))
    assert list(terms) == ["restoration", "output"]
    assert terms["restoration"] == terms["output"]
    assert FAKD.unsupported(distiller.student, teachers) is None


def test_a_student_that_is_its_teacher_has_nothing_to_learn(teachers, lesson):
    terms = FAKD(teachers["removal"], teachers, FAKDConfig(restoration_loss="l1"))(lesson)
    assert terms["output"] == terms["affinity"] == 0


@pytest.mark.parametrize("teacher", [torch.zeros(1, 6, 5, 7), torch.ones(1, 6, 5, 7)])
def test_dead_features_give_finite_gradients(teacher):
    student = torch.zeros(1, 4, 5, 7, requires_grad=True)
    value = affinity_loss((student,), (teacher,), 32)
    assert torch.autograd.grad(value, student)[0].isfinite().all()


def test_different_numbers_of_levels_are_refused(make_network, teachers):
    assert "levels" in FAKD.unsupported(make_network(0, 4, depth=3), teachers)
    assert FAKD.unsupported(make_network(0, 4), teachers) is None
