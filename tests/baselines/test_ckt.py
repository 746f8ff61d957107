import pytest
import torch
import torch.nn.functional as F

from baselines.ckt import CKT, CKTConfig, projector, transfer_losses
from bench.batch import Batch
from bench.contrast import contrast
from bench.distiller import Lesson, Oracle, OracleLesson
from bench.losses import RESTORATION_LOSSES, l1

TERMS = ["restoration", "output", "projection", "inversion", "contrast"]


def two_convolutions(case, first, second):
    return lambda features: F.conv2d(F.relu(F.conv2d(features, case[first], padding=1)), case[second], padding=1)


def transfer(case, student, teachers):
    """The losses of one level with two teachers, each with its half of the batch."""
    first, second = len(teachers[0]), len(teachers[1])

    def by_teacher(name):
        modules = [two_convolutions(case, f"{name}{k}a", f"{name}{k}b") for k in range(2)]
        halves = lambda x: x.split([first, second])  # noqa: E731
        return lambda x: torch.cat([module(half) for module, half in zip(modules, halves(x), strict=True)])

    modules = two_convolutions(case, "sa", "sb"), by_teacher("p"), by_teacher("r")
    return transfer_losses(*modules, student, torch.cat(teachers))


def later(lesson, teachers, step):
    return Lesson(Batch(lesson.degraded, lesson.clean), teachers, step=step, total_steps=100)


def test_the_transfer_of_a_level_agrees_with_released_code(golden):
    case = golden("twostage_ckt")
    projection, inversion = transfer(case, case["s"], case["t"])
    expected = case.variant("as_released")
    assert projection.item() == pytest.approx(expected["pfe"], rel=1e-5)
    assert 0.05 * inversion.item() == pytest.approx(expected["pfv_weighted"], rel=1e-5)
    case.check(projection + 0.05 * inversion, "as_released")


def test_both_totals_agree_with_released_code(golden):
    case = golden("twostage_stage1_total")
    anchor, clean, degraded = (case.extract(case[role]) for role in ("s", "y", "x"))
    projection, inversion = transfer(case, case["s_feat"], case["t_feat"])
    value = l1(case["s"], case["t"]) + projection + 0.05 * inversion + 0.1 * contrast(anchor, clean, [degraded])
    case.check(value, "as_released_one_level")
    case = golden("twostage_stage2_total")
    anchor, clean, degraded = (case.extract(case[role]) for role in ("s", "y", "x"))
    negatives = [tuple(level[k : k + 1] for level in degraded) for k in range(3)]
    value = l1(case["s"], case["y"]) + 0.2 * contrast(anchor, clean, negatives, is_mean=True)
    case.check(value, "as_released")


@pytest.mark.parametrize("loss", ["l1", "rmse"])
def test_the_first_stage_asks_the_teacher(loss, make_network, teachers, lesson):
    ckt = CKT(make_network(3, 4), teachers, CKTConfig(restoration_loss=loss, projection_weight=0.3))
    student, teacher = ckt.student.forward_features(lesson.degraded), lesson.teacher("removal")
    terms = ckt(later(lesson, teachers, 49))
    assert list(terms) == TERMS
    assert terms["restoration"] == 0
    torch.testing.assert_close(terms["output"], RESTORATION_LOSSES[loss](student.restored, teacher.restored))
    projections, inversions = [], []
    for i in range(5):
        common = ckt.teacher_projectors[i](teacher.levels[i])
        projections.append(l1(ckt.student_projectors[i](student.levels[i]), common))
        inversions.append(l1(ckt.inverse_projectors[i](common), teacher.levels[i]))
    torch.testing.assert_close(terms["projection"], 0.3 * sum(projections))
    torch.testing.assert_close(terms["inversion"], 0.05 * sum(inversions))
    anchor, clean, degraded = map(lesson.perceive, (student.restored, lesson.clean, lesson.degraded))
    torch.testing.assert_close(terms["contrast"], 0.1 * contrast(anchor, clean, [degraded]))


def test_the_second_stage_does_not(make_network, teachers, lesson):
    ckt = CKT(make_network(3, 4), teachers, CKTConfig())
    second = later(lesson, {"perceptual": teachers["perceptual"]}, 50)
    terms, restored = ckt(second), ckt.student(lesson.degraded)
    assert list(terms) == TERMS
    assert [terms[name].item() for name in ("output", "projection", "inversion")] == [0, 0, 0]
    torch.testing.assert_close(terms["restoration"], RESTORATION_LOSSES["rmse"](restored, lesson.clean))
    anchor, clean, degraded = map(lesson.perceive, (restored, lesson.clean, lesson.degraded))
    negatives = [tuple(level[k : k + 1] for level in degraded) for k in range(2)]
    torch.testing.assert_close(terms["contrast"], 0.2 * contrast(anchor, clean, negatives, is_mean=True))
    terms["contrast"].backward()
    assert all(parameter.grad is not None for parameter in ckt.student.parameters())


def test_equal_features_and_projectors_are_at_no_distance():
    features, project = torch.rand(2, 4, 5, 3), projector(4, 2)
    assert transfer_losses(project, project, projector(2, 4), features, features)[0] == 0


@pytest.mark.parametrize("step", [0, 99])
def test_an_oracle_leaves_the_images(step, make_network, teachers, lesson):
    oracle = {"removal": Oracle(), "perceptual": teachers["perceptual"]}
    assert CKT.unsupported(make_network(3, 4), oracle) is None
    ckt = CKT(make_network(3, 4), oracle, CKTConfig())
    assert all(name.startswith("student.") for name in ckt.state_dict())
    terms = ckt(OracleLesson(later(lesson, teachers, step)))
    assert list(terms) == ["restoration", "output", "contrast"]
    loss = RESTORATION_LOSSES["rmse"](ckt.student(lesson.degraded), lesson.clean)
    torch.testing.assert_close(terms["restoration" if step else "output"], loss)


@pytest.mark.parametrize("step", [0, 99])
def test_a_batch_of_one_is_learned_from(step, make_network, teachers, batch):
    single = Lesson(Batch(batch.degraded[:1], batch.clean[:1]), teachers, step, total_steps=100)
    terms = CKT(make_network(3, 4), teachers, CKTConfig(collation_share=0.9))(single)
    assert all(term.isfinite() for term in terms.values())


def test_different_numbers_of_levels_and_blindness_are_refused(make_network, teachers):
    assert "4 encoder levels" in CKT.unsupported(make_network(0, 4, depth=3), teachers)
    assert "perceptual features" in CKT.unsupported(make_network(0, 4), {"removal": Oracle(), "perceptual": Oracle()})
