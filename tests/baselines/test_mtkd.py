import pytest
import torch

from baselines.mtkd import MTKD, MTKDConfig, wavelet_loss
from bench.distiller import Oracle, OracleLesson
from bench.losses import RESTORATION_LOSSES, l1


@pytest.mark.parametrize(("variant", "num_levels"), [("as_in_paper", 4), ("as_in_paper_1_level", 1)])
def test_all_bands_agree_with_reference_values(variant, num_levels, golden):
    case = golden("mtkd_dwt")
    case.check(wavelet_loss(case["s"], case["t"], num_levels), variant)


def test_the_total_agrees_with_reference_values(golden):
    case, config = golden("mtkd_total"), MTKDConfig()
    total = config.restoration_weight * l1(case["s"], case["y"])
    total = total + config.wavelet_weight * wavelet_loss(case["s"], case["t"], config.num_levels)
    case.check(total, "as_in_paper")


@pytest.mark.parametrize(
    ("loss", "settings"),
    [
        ("rmse", {"restoration_weight": 0.1, "wavelet_weight": 1.0, "num_levels": 4}),
        ("l1", {"restoration_weight": 0.0, "wavelet_weight": 0.5, "num_levels": 1}),
    ],
)
def test_terms_are_composed_of_restoration_and_bands(loss, settings, make_network, teachers, lesson):
    mtkd = MTKD(make_network(3, 4), teachers, MTKDConfig(restoration_loss=loss, **settings))
    restored, taught = mtkd.student(lesson.degraded), teachers["removal"](lesson.degraded)
    terms = mtkd(lesson)
    assert list(terms) == ["restoration", "wavelet"]
    restoration = RESTORATION_LOSSES[loss](restored, lesson.clean)
    torch.testing.assert_close(terms["restoration"], settings["restoration_weight"] * restoration)
    wavelet = wavelet_loss(restored, taught, settings["num_levels"])
    torch.testing.assert_close(terms["wavelet"], settings["wavelet_weight"] * wavelet)


def test_the_low_band_of_every_image_is_taught():
    image = torch.rand(2, 3, 16, 16, dtype=torch.float64)
    brighter = image + torch.tensor([0.1, 0.3]).view(2, 1, 1, 1)
    assert wavelet_loss(brighter, image, 4) == pytest.approx(2**4 * 0.2)


def test_a_student_that_is_its_teacher_has_nothing_to_learn(teachers, lesson):
    assert MTKD(teachers["removal"], teachers, MTKDConfig())(lesson)["wavelet"] == 0


def test_the_control_is_taught_the_bands_of_the_clean_image(make_network, teachers, lesson):
    oracle = {"removal": Oracle(), "perceptual": teachers["perceptual"]}
    assert MTKD.unsupported(make_network(3, 4), oracle) is None
    mtkd = MTKD(make_network(3, 4), oracle, MTKDConfig())
    expected = wavelet_loss(mtkd.student(lesson.degraded), lesson.clean, 4)
    torch.testing.assert_close(mtkd(OracleLesson(lesson))["wavelet"], expected)
