import pytest
import torch

from baselines.skd import SKD, SKDConfig, attend_channels, attend_positions, gaussian_kernel, kernel_loss
from bench.batch import Batch
from bench.contrast import contrast
from bench.distiller import Lesson, Oracle, OracleLesson
from bench.features import pooled
from bench.losses import l1

SUM = SKDConfig(norm="sum", sigma=6)
NORMS = {"sum_norm_per_sample": SUM, "mean_norm_per_sample_sigma1": SKDConfig()}


@pytest.mark.parametrize("variant", NORMS)
@pytest.mark.parametrize(
    ("temperature", "axis"), [("1", "last"), ("1", "convex"), ("0.25", "last"), ("0.25", "convex"), ("1e-06", "last")]
)
def test_the_kernel_term_agrees_with_the_published_equations(temperature, axis, variant, golden):
    case = golden(f"skd_lambda{temperature}_{axis}")
    config = NORMS[variant].model_copy(update={"temperature": float(temperature), "softmax_axis": axis})
    case.check(kernel_loss(case["s"], case["t"], config), variant)


@pytest.mark.parametrize("axis", ["last", "convex"])
def test_attended_features_agree_with_the_published_equations(axis, golden):
    case = golden(f"skd_lambda1_{axis}")
    expected = case.variant("sum_norm_per_sample")
    student, teacher = case["s"].flatten(2), case["t"].flatten(2)
    by_channel, by_position = attend_channels(student, teacher, 1.0), attend_positions(student, teacher, 1.0, axis)
    torch.testing.assert_close(by_channel, case.tensor(expected["S_fc"]), rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(by_position, case.tensor(expected["S_ft"]), rtol=1e-5, atol=1e-6)


def test_the_summed_norm_saturates_and_the_mean_does_not(golden):
    case = golden("skd_saturation")
    case.check(gaussian_kernel(case["s"], case["t"], 1.0, "sum"), "sum_norm_sigma1")
    (gradient,) = torch.autograd.grad(gaussian_kernel(case["s"], case["t"], 1.0, "mean"), case["s"])
    assert gradient.norm() > 1e-3


def test_the_total_agrees_with_the_published_equations(golden):
    case = golden("skd_total")
    kernel = kernel_loss(case["sf"], case["tf"], SUM)
    anchor, positive, negative = (case.extract(case[role]) for role in ("s", "t", "x"))
    value = l1(case["s"], case["y"]) + 0.1 * kernel + 0.2 * contrast(anchor, positive, [negative])
    case.check(value, "positive_teacher_negative_degraded")


@pytest.mark.parametrize("options", [{}, {"norm": "sum", "sigma": 9.0}, {"softmax_axis": "convex", "temperature": 3.0}])
def test_terms_are_composed_of_restoration_kernel_and_contrast(options, make_network, teachers, lesson):
    config = SKDConfig(restoration_loss="l1", largest_side=5, attention_weight=0.3, **options)
    skd = SKD(make_network(3, 4), teachers, config)
    student, teacher = skd.student.forward_features(lesson.degraded), lesson.teacher("removal")
    levels = [
        kernel_loss(pooled(regress(s), 5), pooled(t, 5), config)
        for regress, s, t in zip(skd.regressors, student.levels, teacher.levels, strict=True)
    ]
    terms = skd(lesson)
    assert list(terms) == ["restoration", "kernel", "contrast"]
    torch.testing.assert_close(terms["restoration"], l1(student.restored, lesson.clean))
    torch.testing.assert_close(terms["kernel"], 0.1 * sum(levels) / 5)
    anchor, clean, degraded = map(lesson.perceive, (student.restored, lesson.clean, lesson.degraded))
    torch.testing.assert_close(terms["contrast"], 0.2 * contrast(anchor, clean, [degraded]))


def test_features_of_the_teacher_are_at_no_distance():
    features = torch.rand(2, 3, 5, 7)
    assert gaussian_kernel(features, features, 1.0, "mean") == 0
    assert kernel_loss(features, features, SKDConfig(attention_weight=0)) == 0


def test_pooling_bounds_odd_sides_and_averages_what_there_is():
    assert pooled(torch.rand(1, 2, 33, 7), 16).shape == (1, 2, 11, 3)
    torch.testing.assert_close(pooled(torch.ones(1, 2, 33, 7), 16), torch.ones(1, 2, 11, 3))
    features = torch.rand(1, 2, 16, 16)
    assert torch.equal(pooled(features, 16), features)


def test_an_oracle_leaves_restoration_and_contrast(make_network, teachers, lesson):
    oracle = {"removal": Oracle(), "perceptual": teachers["perceptual"]}
    assert SKD.unsupported(make_network(3, 4), oracle) is None
    skd = SKD(make_network(3, 4), oracle, SKDConfig())
    full = SKD(skd.student, teachers, SKDConfig())(lesson)
    del full["kernel"]
    assert skd(OracleLesson(lesson)) == full
    assert all(name.startswith("student.") for name in skd.state_dict())


def test_dead_features_and_a_batch_of_one_give_finite_gradients(make_network, teachers, batch):
    dead = torch.zeros(1, 3, 5, 4, requires_grad=True)
    kernel_loss(dead, torch.zeros(1, 3, 5, 4), SKDConfig()).backward()
    assert dead.grad.isfinite().all()
    single = Lesson(Batch(batch.degraded[:1], batch.clean[:1]), teachers, step=0)
    assert all(term.isfinite() for term in SKD(make_network(3, 4), teachers, SKDConfig())(single).values())


def test_different_numbers_of_levels_and_blindness_are_refused(make_network, teachers):
    assert "4 encoder levels" in SKD.unsupported(make_network(0, 4, depth=3), teachers)
    assert "perceptual features" in SKD.unsupported(make_network(0, 4), {"removal": Oracle(), "perceptual": Oracle()})
