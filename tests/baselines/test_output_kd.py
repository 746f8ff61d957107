import pytest
import torch

from baselines.output_kd import OutputKD, OutputKDConfig
from bench.losses import RESTORATION_LOSSES


@pytest.mark.parametrize("loss", ["l1", "rmse"])
def test_both_terms_use_the_restoration_loss(loss, make_network, teachers, lesson):
    distiller = OutputKD(make_network(3, 4), teachers, OutputKDConfig(restoration_loss=loss, output_weight=2))
    restored = distiller.student(lesson.degraded)
    terms = distiller(lesson)
    assert list(terms) == ["restoration", "output"]
    torch.testing.assert_close(terms["restoration"], RESTORATION_LOSSES[loss](restored, lesson.clean))
    taught = teachers["removal"](lesson.degraded)
    torch.testing.assert_close(terms["output"], 2 * RESTORATION_LOSSES[loss](restored, taught))


def test_a_student_that_is_its_teacher_has_nothing_to_learn(teachers, lesson):
    distiller = OutputKD(teachers["removal"], teachers, OutputKDConfig(restoration_loss="l1"))
    assert distiller(lesson)["output"] == 0
