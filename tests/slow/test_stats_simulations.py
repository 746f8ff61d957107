"""Intervals over seeds and images in worlds whose truth is known: they reject no more often than they say."""

import math

import pytest

from bench.record import write_record
from bench.stats_simulations import (
    CONSTRUCTIONS,
    IMAGES,
    SEEDS,
    WORLDS,
    Simulations,
    chosen,
    simulate,
    simulation_tables,
)

pytestmark = pytest.mark.slow

NUM_EXPERIMENTS = 4000
BOUND = 0.05 + 3 * math.sqrt(0.05 * 0.95 / NUM_EXPERIMENTS)
"""5 % and three standard deviations of a binomial share: 6 %."""


@pytest.fixture(scope="module")
def rates():
    return list(simulate(NUM_EXPERIMENTS, {"ours": chosen}))


def test_a_true_difference_of_none_is_found_in_at_most_five_percent_of_experiments(rates):
    assert len(rates) == len(WORLDS) * len(SEEDS) * len(IMAGES)
    assert [rate for rate in rates if rate.false_positives > BOUND] == []


def test_coverage_is_not_bought_with_power(rates):
    """Ten seeds and a hundred images find three standard errors where the t test of known sources finds them."""
    power = {rate.world: rate.power for rate in rates if (rate.num_seeds, rate.num_images) == (10, 100)}
    assert power["seeds"] > 0.75 and power["images"] > 0.75 and power["seeds and images"] > 0.7


def test_power_grows_with_the_number_of_seeds(rates):
    power = [r.power for r in rates if r.world == "seeds" and r.num_images == 100]
    assert power == sorted(power)


def test_the_plain_percentile_bootstrap_rejects_far_too_often():
    """The simulation can tell: of two seeds, every other experiment is a false positive."""
    percentiles = {"percentiles": CONSTRUCTIONS["pigeonhole bootstrap, percentiles"]}
    worst = max(rate.false_positives for rate in simulate(200, percentiles) if rate.world == "seeds")
    assert worst > 0.3


def test_every_construction_has_a_row_and_every_size_another(tmp_path):
    write_record(tmp_path / "s.json", Simulations(rates=tuple(simulate(20, CONSTRUCTIONS))))
    tried, ours = simulation_tables(tmp_path / "s.json")
    assert [row[0] for row in tried.rows] == list(CONSTRUCTIONS)
    assert [row[0] for row in ours.rows] == [f"{s} x {i}" for s in SEEDS for i in IMAGES]
    assert tried.header[1:] == ours.header[1:] == tuple(WORLDS)
