import pytest
import torch

from bench.contrast import contrast, each_image, level_weights


def test_one_negative_agrees_with_released_code(golden):
    case = golden("aecr_cr")
    anchor, positive, negative = (case.extract(case[role]) for role in ("s", "y", "x"))
    case.check(contrast(anchor, positive, [negative]), "as_released")


def test_negatives_for_all_anchors_are_summed(golden):
    case = golden("csd_contrast")
    anchor, positive, pool = (case.extract(case[role]) for role in ("s", "t", "neg"))
    negatives = each_image(pool)
    case.check(contrast(anchor, positive, negatives), "as_released_teacher_not_detached")


def test_the_mean_over_all_pairs_agrees_with_released_code(golden):
    case = golden("twostage_hcr")
    anchor, positive, pool = (case.extract(case[role]) for role in ("s", "y", "x"))
    negatives = each_image(pool)
    case.check(contrast(anchor, positive, negatives, is_mean=True), "as_released")


def test_the_weights_are_those_of_the_five_published_levels():
    assert level_weights(5) == (1 / 32, 1 / 16, 1 / 8, 1 / 4, 1)
    assert level_weights(1) == (1,)


def test_equal_images_are_at_no_distance():
    levels = (torch.rand(2, 3, 8, 8), torch.rand(2, 3, 4, 4))
    assert contrast(levels, levels, [tuple(level + 1 for level in levels)]) == 0
    assert contrast(levels, levels, [levels]) == pytest.approx(0)
