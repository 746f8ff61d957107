import pytest
import torch

from baselines.rkd import RKD, RKDConfig, angle_loss, distance_loss
from bench.batch import Batch
from bench.distiller import Lesson, Oracle
from bench.features import embedding


def test_distances_and_angles_agree_with_released_code(golden):
    case = golden("rkd")
    distance, angle = distance_loss(case["s"], case["t"]), angle_loss(case["s"], case["t"])
    config = RKDConfig()
    case.check(config.distance_weight * distance + config.angle_weight * angle, "as_released_total")
    case.check(distance_loss(case["s"], case["t"]), "distance_only")
    case.check(angle_loss(case["s"], case["t"]), "angle_only")


def test_the_terms_and_their_weights(make_network, teachers, batch):
    images = [torch.cat([image, image.flip(-1), image.flip(-2)]) for image in batch]
    lesson = Lesson(Batch(*images), teachers, step=0)
    distiller = RKD(make_network(3, 4), teachers, RKDConfig(distance_weight=2, angle_weight=3))
    student = distiller.student.forward_features(lesson.degraded)
    points = embedding(student.encoder), embedding(lesson.teacher("removal").encoder)
    assert [point.shape for point in points] == [(6, 16), (6, 32)]
    terms = distiller(lesson)
    assert list(terms) == ["restoration", "distance", "angle"]
    torch.testing.assert_close(terms["restoration"], distiller.restoration_loss(student.restored, lesson.clean))
    torch.testing.assert_close(terms["distance"], 2 * distance_loss(*points))
    torch.testing.assert_close(terms["angle"], 3 * angle_loss(*points))
    assert terms["distance"] > 0 < terms["angle"]


@pytest.mark.parametrize("loss", [distance_loss, angle_loss])
@pytest.mark.parametrize("size", [1, 2])
def test_batches_of_one_and_two_have_no_relations(loss, size):
    student = torch.rand(size, 4, requires_grad=True)
    value = loss(student, torch.rand(size, 6))
    assert value < 1e-12
    torch.testing.assert_close(torch.autograd.grad(value, student)[0], torch.zeros(size, 4), atol=1e-5, rtol=0)


@pytest.mark.parametrize("loss", [distance_loss, angle_loss])
def test_dead_features_give_bounded_gradients(loss):
    student = torch.zeros(5, 4, requires_grad=True)
    assert torch.autograd.grad(loss(student, torch.rand(5, 6)), student)[0].abs().max() < 1
    assert loss(student, torch.zeros(5, 6)) == 0


def test_a_student_that_is_its_teacher_has_nothing_to_learn(teachers, lesson):
    terms = RKD(teachers["removal"], teachers, RKDConfig())(lesson)
    assert terms["distance"] == terms["angle"] == 0


def test_a_teacher_needs_features_but_not_as_many_levels(make_network, teachers):
    assert RKD.unsupported(make_network(0, 4, depth=3), teachers) is None
    assert "by its output only" in RKD.unsupported(make_network(0, 4), {"removal": Oracle()})
