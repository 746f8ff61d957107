import pytest
import torch

from baselines.wkd import WKD, WKDConfig, high_band_loss
from bench.distiller import Oracle, OracleLesson
from bench.losses import RESTORATION_LOSSES


@pytest.mark.parametrize("name", ["wavelet_kd", "wavelet_kd_odd"])
def test_the_high_bands_agree_with_released_code(name, golden):
    case = golden(name)
    case.check(high_band_loss(case["s"], case["t"], 4), "as_released")


@pytest.mark.parametrize(("loss", "weight", "num_levels"), [("rmse", 1.0, 4), ("l1", 2.0, 1)])
def test_terms_are_composed_of_restoration_and_high_bands(loss, weight, num_levels, make_network, teachers, lesson):
    config = WKDConfig(restoration_loss=loss, wavelet_weight=weight, num_levels=num_levels)
    wkd = WKD(make_network(3, 4), teachers, config)
    restored, taught = wkd.student(lesson.degraded), teachers["removal"](lesson.degraded)
    terms = wkd(lesson)
    assert list(terms) == ["restoration", "wavelet"]
    torch.testing.assert_close(terms["restoration"], RESTORATION_LOSSES[loss](restored, lesson.clean))
    torch.testing.assert_close(terms["wavelet"], weight * high_band_loss(restored, taught, num_levels))


def test_the_low_band_is_not_taught():
    image = torch.rand(2, 3, 16, 16, dtype=torch.float64)
    assert high_band_loss(image + 0.5, image, 4) == pytest.approx(0, abs=1e-12)


def test_a_student_that_is_its_teacher_has_nothing_to_learn(teachers, lesson):
    assert WKD(teachers["removal"], teachers, WKDConfig())(lesson)["wavelet"] == 0


def test_images_of_half_types_are_compared_in_float32():
    student, teacher = torch.rand(2, 1, 3, 16, 16).bfloat16()
    torch.testing.assert_close(
        high_band_loss(student, teacher, 4), high_band_loss(student.float(), teacher.float(), 4), rtol=1e-6, atol=0
    )


def test_the_control_is_taught_the_details_of_the_clean_image(make_network, teachers, lesson):
    oracle = {"removal": Oracle(), "perceptual": teachers["perceptual"]}
    assert WKD.unsupported(make_network(3, 4), oracle) is None
    wkd = WKD(make_network(3, 4), oracle, WKDConfig())
    expected = high_band_loss(wkd.student(lesson.degraded), lesson.clean, 4)
    torch.testing.assert_close(wkd(OracleLesson(lesson))["wavelet"], expected)
