"""Intervals, tests, the correction for many of them and groups, against scipy, statsmodels and worked examples."""

import itertools
import math
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy import stats as scipy_stats
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.power import TTestPower

from bench.bootstrap import crossed_bootstrap
from bench.stats import (
    gap_recovered,
    holm,
    letters,
    mean_interval,
    paired_difference,
    pairwise_tests,
    power_of,
    smallest_difference,
)
from bench.stats_simulations import WORLDS, chosen, differences

SCORES = st.floats(0, 60, allow_nan=False)
P_VALUES = st.lists(st.floats(0, 1), min_size=1, max_size=12)
MATRICES = arrays.arrays(
    float, st.tuples(st.integers(2, 4), st.integers(4, 9)), elements=st.integers(-40, 40).map(lambda k: k / 8)
)


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


def test_the_interval_of_a_mean_is_scipys():
    values = [30.1, 30.4, 30.9]
    low, high = scipy_stats.t.interval(0.95, 2, np.mean(values), scipy_stats.sem(values))
    assert mean_interval(values) == pytest.approx((30.4667, (high - low) / 2), abs=1e-4)
    assert mean_interval([30.0]) == (30.0, None)


def test_holm_of_a_worked_example():
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([]) == []


@pytest.mark.parametrize("p_values", [[0.5], [0.01, 0.01, 0.3], list(np.random.default_rng(0).random(60) ** 4)])
def test_holm_agrees_with_statsmodels(p_values):
    assert holm(p_values) == pytest.approx(multipletests(p_values, method="holm")[1])


@given(P_VALUES)
def test_holm_never_makes_a_test_more_certain_than_it_was_nor_less_than_bonferroni(p_values):
    for before, after in zip(p_values, holm(p_values), strict=True):
        assert before <= after + 1e-12 and after <= min(1, before * len(p_values)) + 1e-12


def test_the_interval_covers_the_truth_as_often_as_it_says():
    """4,000 experiments of three seeds: a 95 % interval misses in 5 % of them, within sampling error."""
    draws = np.random.default_rng(0).normal(0.1, 0.2, size=(4000, 3))
    found = [paired_difference(seeds, np.zeros(3)) for seeds in draws]
    misses = sum(abs(d.mean - 0.1) > d.half_width for d in found)
    assert misses / len(found) == pytest.approx(0.05, abs=4 * math.sqrt(0.05 * 0.95 / len(found)))


STUDENT, ALONE, TEACHER = [30.5, 30.71, 30.89, 30.6], [30.0, 30.2, 30.4, 30.3], 34.2


def test_fiellers_bounds_are_the_ratios_that_a_t_test_just_rejects():
    share = gap_recovered(STUDENT, ALONE, TEACHER)
    assert share.value == pytest.approx(np.subtract(STUDENT, ALONE).mean() / (TEACHER - np.mean(ALONE)))
    for ratio in (share.low, share.high):
        rest = np.subtract(STUDENT, ALONE) - ratio * np.subtract(TEACHER, ALONE)
        assert scipy_stats.ttest_1samp(rest, 0).pvalue == pytest.approx(0.05)


def test_the_gap_knows_neither_the_unit_nor_the_zero_of_the_scores():
    moved = gap_recovered(*(2 * np.add(values, 7) for values in (STUDENT, ALONE)), 2 * (TEACHER + 7))
    assert moved == pytest.approx(gap_recovered(STUDENT, ALONE, TEACHER))


def test_a_gap_without_bounds_says_so():
    assert gap_recovered([31.0], [30.0], 34.0) == (0.25, None, None)
    assert gap_recovered([30.0, 33.0], [29.0, 31.0], 30.5) == (3.0, None, None)  # the lead itself may be none
    assert gap_recovered([30.0, 31.0], [30.0, 31.0], 30.5) is None


def test_fiellers_interval_covers_the_truth_as_often_as_it_says():
    draws = np.random.default_rng(0).normal((30.6, 30.0), (0.3, 0.3), size=(2000, 3, 2))
    found = [gap_recovered(seeds[:, 0], seeds[:, 1], 34.0) for seeds in draws]
    misses = sum(not share.low <= 0.6 / 4 <= share.high for share in found)
    assert misses / len(found) == pytest.approx(0.05, abs=4 * math.sqrt(0.05 * 0.95 / len(found)))


def close(found, expected):
    return found == pytest.approx(expected, rel=1e-6, abs=1e-9)


@settings(deadline=None)
@given(MATRICES, st.randoms(use_true_random=False), st.sampled_from([-4.0, -1.0, 0.5, 8.0]))
def test_the_order_of_seeds_and_images_and_the_unit_do_not_matter(matrix, random, scale):
    found = crossed_bootstrap(matrix)
    rows, columns = (random.sample(range(n), n) for n in matrix.shape)
    assert close(crossed_bootstrap(matrix[rows][:, columns])[:3], found[:3])
    other = crossed_bootstrap(matrix * scale)
    assert close(other[:3], (found.mean * scale, found.half_width * abs(scale), found.p_value))


@settings(deadline=None)
@given(MATRICES, st.floats(-9, 9))
def test_a_shift_moves_the_interval_as_it_is(matrix, shift):
    found, moved = crossed_bootstrap(matrix), crossed_bootstrap(matrix + shift)
    assert close(moved[:2], (found.mean + shift, found.half_width))


@settings(deadline=None)
@given(MATRICES)
def test_the_p_value_is_below_five_percent_where_the_interval_leaves_zero_out(matrix):
    found = crossed_bootstrap(matrix)
    if abs(abs(found.mean) - found.half_width) > 1e-9:
        assert (found.p_value <= 0.05) == (abs(found.mean) > found.half_width)


def test_the_bootstrap_is_the_same_every_time_and_no_narrower_than_the_seeds():
    matrix = np.random.default_rng(1).normal(0.2, 1, (3, 20))
    found = crossed_bootstrap(matrix)
    assert found == crossed_bootstrap(matrix) and found[3:] == (3, 20)
    assert found.half_width > mean_interval(matrix.mean(1)).half_width


def test_many_images_of_one_seed_give_the_t_interval_of_the_images():
    """And nothing else: other seeds are unknown, so there is no p value."""
    matrix = np.random.default_rng(1).normal(0.2, 1, (1, 400))
    found = crossed_bootstrap(matrix)
    assert found.half_width == pytest.approx(mean_interval(matrix[0]).half_width, rel=0.1)
    assert found.p_value is None and found.num_seeds == 1


def test_three_images_are_too_few_to_be_resampled():
    assert crossed_bootstrap(np.ones((3, 3))) == (1.0, None, None, 3, 3)


def test_without_spread_the_difference_is_certain():
    assert crossed_bootstrap(np.ones((3, 5))) == (1.0, 0.0, 0.001, 3, 5)
    assert crossed_bootstrap(np.zeros((3, 5))) == (0.0, 0.0, 1.0, 3, 5)


@pytest.mark.parametrize("world", ["seeds", "images", "interaction", "skewed images"])
@pytest.mark.parametrize("num_seeds", [2, 3, 10])
def test_a_difference_of_none_is_found_in_at_most_five_percent_of_experiments(world, num_seeds):
    """2,000 experiments of five images, the fewest; thoroughly in tests/slow."""
    matrices = differences(WORLDS[world], 2000, num_seeds, 5)
    found = abs(matrices.mean((1, 2))) > chosen(matrices)[0]
    assert found.mean() <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / len(found))


def test_simulated_intervals_are_those_of_the_bootstrap():
    matrices = differences(WORLDS["seeds and images"], 5, 3, 20)
    assert chosen(matrices)[0] == pytest.approx([crossed_bootstrap(matrix).half_width for matrix in matrices])


def test_differences_are_drawn_with_a_standard_error_of_one():
    for name, world in WORLDS.items():
        assert differences(world, 4000, 3, 20).mean((1, 2)).std() == pytest.approx(1, abs=0.06), name


def test_a_bootstrap_takes_milliseconds():
    matrix = np.random.default_rng(0).normal(size=(3, 100))
    crossed_bootstrap(matrix)
    times = []
    for _ in range(5):
        started = time.perf_counter()
        crossed_bootstrap(matrix)
        times.append(time.perf_counter() - started)
    assert min(times) < 0.02  # 0.2 ms where the processor is free


@pytest.mark.parametrize("num_pairs", [2, 3, 5, 10, 40])
def test_power_agrees_with_statsmodels(num_pairs):
    expected = TTestPower().solve_power(nobs=num_pairs, alpha=0.05, power=0.8)
    assert smallest_difference(0.3, num_pairs) == pytest.approx(0.3 * expected, rel=1e-5)
    found = [power_of(0.3 * effect, 0.3, num_pairs) for effect in (0, 0.5, 1, 2)]
    assert found == pytest.approx([TTestPower().power(effect, num_pairs, 0.05) for effect in (0, 0.5, 1, 2)], abs=1e-6)


def test_power_is_even_and_never_fails_for_large_differences():
    assert power_of(-0.5, 1.0, 3) == power_of(0.5, 1.0, 3)
    assert power_of(1e3, 1.0, 3) == pytest.approx(1) and power_of(1.0, 0.0, 3) == 1 and power_of(0.0, 0.0, 3) == 0.05


def test_one_pair_finds_nothing():
    assert power_of(9.0, 1.0, 1) is None and smallest_difference(1.0, 1) is None


def test_an_impossible_power_is_refused():
    with pytest.raises(ValueError, match=r"above 0\.05 and below 1, got 1$"):
        smallest_difference(1.0, 3, power=1)


def test_pairwise_tests_agree_with_scipy_and_statsmodels():
    scores = np.random.default_rng(0).normal((30.0, 30.5, 31.0, 30.1), 0.2, (5, 4)).T
    pairs = list(itertools.combinations(range(4), 2))
    adjusted = multipletests([scipy_stats.ttest_rel(scores[i], scores[j]).pvalue for i, j in pairs], method="holm")[1]
    found, sd = pairwise_tests(scores)
    assert [found[i, j] for i, j in pairs] == pytest.approx(adjusted) and (found == found.T).all()
    assert sd == pytest.approx(np.sqrt(np.mean([np.var(scores[i] - scores[j], ddof=1) for i, j in pairs])))


def test_methods_without_any_spread_are_told_apart_unless_alike():
    found, sd = pairwise_tests(np.array([[30.0, 31.0], [30.0, 31.0], [31.0, 32.0]]))
    assert sd == 0 and found[0, 1] == 1 and found[0, 2] == found[1, 2] == 0


def test_letters_of_a_worked_example():
    """Four methods, of which the outer pairs differ: the middle ones belong to both groups."""
    p_values = np.ones((4, 4))
    for i, j in ((0, 2), (0, 3), (1, 3)):
        p_values[i, j] = p_values[j, i] = 0.01
    assert letters(p_values, [31.0, 30.5, 30.0, 29.0]) == [("a",), ("a", "b"), ("b", "c"), ("c",)]
    assert letters(p_values, [29.0, 30.0, 30.5, 31.0]) == [("c",), ("b", "c"), ("a", "b"), ("a",)]
    assert letters(np.zeros((3, 3)), [1.0, 3.0, 2.0]) == [("c",), ("a",), ("b",)]
    assert letters(np.ones((0, 0)), []) == []


@settings(deadline=None)
@given(st.integers(1, 9).flatmap(lambda n: st.tuples(st.lists(SCORES, min_size=n, max_size=n), st.randoms())))
def test_two_methods_share_a_letter_where_their_difference_is_not_significant(drawn):
    means, random = drawn
    p_values = np.ones((len(means), len(means)))
    for i, j in itertools.combinations(range(len(means)), 2):
        p_values[i, j] = p_values[j, i] = random.choice([0.01, 0.5])
    found = letters(p_values, means)
    for i, j in itertools.combinations(range(len(means)), 2):
        assert bool({*found[i]} & {*found[j]}) == (p_values[i, j] >= 0.05)
    assert "a" in found[int(np.argmax(means))]


def test_there_are_no_letters_for_more_than_26_groups():
    assert letters(np.zeros((26, 26)), list(range(26)))[0] == ("z",)
    assert letters(np.zeros((27, 27)), list(range(27))) is None
    crossed = np.ones((40, 40))  # 2**20 groups: of each of 20 pairs, one of the two
    crossed[range(0, 40, 2), range(1, 40, 2)] = crossed[range(1, 40, 2), range(0, 40, 2)] = 0
    assert letters(crossed, list(range(40))) is None
