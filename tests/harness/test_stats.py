"""Intervals, paired tests and the correction for many of them, against scipy and worked examples."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats as scipy_stats

from bench.stats import holm, paired_difference

SCORES = st.floats(0, 60, allow_nan=False)


@given(st.lists(st.tuples(SCORES, SCORES), min_size=2, max_size=8))
def test_it_agrees_with_scipys_paired_t_test(pairs):
    first, second = zip(*pairs, strict=True)
    differences = np.subtract(first, second)
    if differences.std() < 1e-6:
        return
    found, expected = paired_difference(first, second), scipy_stats.ttest_rel(first, second)
    low, high = expected.confidence_interval(0.95)
    assert found.p_value == pytest.approx(expected.pvalue, abs=1e-9)
    assert (found.mean - found.half_width, found.mean + found.half_width) == pytest.approx((low, high))


def test_pairing_removes_what_both_share():
    luck = np.array([0.0, 3.0, -2.0])
    found = paired_difference(30.1 + luck, 30.0 + luck)
    assert found.mean == pytest.approx(0.1) and found.half_width < 1e-9


def test_one_pair_has_no_spread():
    assert paired_difference([31.0], [30.0]) == (1.0, None, None, 1)


def test_equal_differences_are_certain():
    assert paired_difference([31.0, 32.0], [30.0, 31.0]).p_value == 0
    assert paired_difference([31.0, 32.0], [31.0, 32.0]).p_value == 1


def test_holm_of_a_worked_example():
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([]) == []


@given(st.lists(st.floats(0, 1), max_size=12))
def test_holm_never_makes_a_test_more_certain_than_it_was_nor_less_than_bonferroni(p_values):
    for before, after in zip(p_values, holm(p_values), strict=True):
        assert before <= after + 1e-12 and after <= min(1, before * len(p_values)) + 1e-12


def test_the_interval_covers_the_truth_as_often_as_it_says():
    """4,000 experiments of three seeds: a 95 % interval misses in 5 % of them, within sampling error."""
    draws = np.random.default_rng(0).normal(0.1, 0.2, size=(4000, 3))
    found = [paired_difference(seeds, np.zeros(3)) for seeds in draws]
    misses = sum(abs(d.mean - 0.1) > d.half_width for d in found)
    assert misses / len(found) == pytest.approx(0.05, abs=4 * math.sqrt(0.05 * 0.95 / len(found)))
