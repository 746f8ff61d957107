from baselines.scratch import Scratch
from bench.distiller import MethodConfig
from bench.losses import rmse


def test_it_is_the_restoration_loss_and_asks_no_teacher(make_network, lesson):
    scratch = Scratch(make_network(3, 4), {}, MethodConfig())
    lesson._teachers = {}
    assert scratch(lesson) == {"restoration": rmse(scratch.student(lesson.degraded), lesson.clean)}
