import pytest
import torch

from baselines.csd import CSD, CSDConfig
from bench.batch import Batch
from bench.contrast import contrast, each_image
from bench.distiller import Lesson, Oracle, OracleLesson
from bench.losses import RESTORATION_LOSSES, l1


def test_a_frozen_teacher_and_negatives_for_all_anchors_agree_with_released_code(golden):
    case = golden("csd_contrast")
    anchor, positive = case.extract(case["s"]), case.extract(case["t"].detach())
    negatives = each_image(case.extract(case["neg"]))
    case.check(contrast(anchor, positive, negatives), "teacher_detached")


def test_the_total_agrees_with_released_code(golden):
    case = golden("csd_contrast")
    anchor, positive, pool = (case.extract(case[role]) for role in ("s", "t", "neg"))
    value = l1(case["s"], case["y"]) + 200 * contrast(anchor, positive, each_image(pool))
    case.check(value + l1(case["t"], case["y"]), "total_lambda200")


@pytest.mark.parametrize(("loss", "weight", "count"), [("rmse", 200 / 255, 10), ("l1", 2.0, 1)])
def test_terms_are_composed_of_restoration_and_contrast(loss, weight, count, make_network, teachers, lesson):
    config = CSDConfig(restoration_loss=loss, contrast_weight=weight, num_negatives=count)
    csd = CSD(make_network(3, 4), teachers, config)
    restored = csd.student(lesson.degraded)
    terms = csd(lesson)
    assert list(terms) == ["restoration", "contrast"]
    torch.testing.assert_close(terms["restoration"], RESTORATION_LOSSES[loss](restored, lesson.clean))
    restored, taught, degraded = (
        teachers["perceptual"].forward_features(image).encoder
        for image in (restored, teachers["removal"](lesson.degraded), lesson.degraded)
    )
    negatives = [tuple(level[k : k + 1] for level in degraded) for k in range(min(count, 2))]
    torch.testing.assert_close(terms["contrast"], weight * contrast(restored, taught, negatives))


def test_a_student_that_is_its_teacher_has_nothing_to_learn(teachers, lesson):
    assert CSD(teachers["removal"], teachers, CSDConfig())(lesson)["contrast"] == 0


def test_the_positive_of_the_control_is_the_clean_image(make_network, teachers, lesson):
    oracle = {"removal": Oracle(), "perceptual": teachers["perceptual"]}
    assert CSD.unsupported(make_network(3, 4), oracle) is None
    csd = CSD(make_network(3, 4), oracle, CSDConfig(contrast_weight=1))
    anchor = lesson.perceive(csd.student(lesson.degraded))
    negatives = each_image(lesson.perceive(lesson.degraded))[:2]
    expected = contrast(anchor, lesson.perceive(lesson.clean), negatives)
    torch.testing.assert_close(csd(OracleLesson(lesson))["contrast"], expected)


def test_a_batch_of_one_has_one_negative(make_network, teachers, batch):
    single = Lesson(Batch(batch.degraded[:1], batch.clean[:1]), teachers, step=0)
    terms = CSD(make_network(3, 4), teachers, CSDConfig())(single)
    assert all(term.isfinite() for term in terms.values())


def test_it_needs_perceptual_features(make_network, teachers):
    unseeing = {"removal": Oracle(), "perceptual": Oracle()}
    assert "perceptual features" in CSD.unsupported(make_network(3, 4), unseeing)
    assert CSD.unsupported(make_network(3, 4), teachers) is None
