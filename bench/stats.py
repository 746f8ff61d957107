"""What the spread over seeds and images allows to conclude: docs/statistics.md says which quantity answers what."""

import itertools
import math
from collections.abc import Sequence
from functools import cache
from string import ascii_lowercase
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, stats

ALPHA = 0.05
"""Intervals miss, and tests of no difference reject, in at most this share of experiments."""
Array = NDArray[np.float64]


class Mean(NamedTuple):
    """A mean, and half the width of the 95 % t interval around it; None for one value, whose spread is unknown."""

    value: float
    half_width: float | None


class Difference(NamedTuple):
    """The mean of paired differences.

    Attributes:
        mean: In the unit of the values.
        half_width: Of the 95 % t interval around the mean; None for one pair, whose spread is unknown.
        p_value: Of the two-sided paired t test of no difference; None as above.
        num_pairs: How many pairs there are.
    """

    mean: float
    half_width: float | None
    p_value: float | None
    num_pairs: int


class Share(NamedTuple):
    """The gap that a student recovers, 1 for all of it, with a 95 % interval; None where there is no bounded one."""

    value: float
    low: float | None
    high: float | None


def mean_interval(values: Sequence[float]) -> Mean:
    """The mean of at least one value, and how far off the mean of other draws of their kind may be."""
    return Mean(*paired_difference(values, [0.0] * len(values))[:2])


def paired_difference(first: Sequence[float], second: Sequence[float]) -> Difference:
    """Compares values that belong together pair by pair, such as two methods from the same initial weights.

    Args:
        first: At least one value.
        second: As many.
    """
    differences = np.subtract(first, second, dtype=float)
    mean, num_pairs = float(differences.mean()), len(differences)
    if num_pairs < 2:
        return Difference(mean, None, None, num_pairs)
    error = float(differences.std(ddof=1)) / math.sqrt(num_pairs)
    half_width = t_quantile(num_pairs - 1) * error
    if error == 0:
        return Difference(mean, 0.0, float(mean == 0), num_pairs)
    return Difference(mean, half_width, float(2 * stats.t.sf(abs(mean) / error, num_pairs - 1)), num_pairs)


def unpaired_difference(first: Sequence[float], second: Sequence[float]) -> Difference:
    """Compares values that do not belong together: Welch's t test, and the interval that goes with it.

    Args:
        first: At least two values.
        second: Likewise.

    References:
        B. L. Welch, "The Generalization of Student's Problem when Several Different Population Variances Are
        Involved", Biometrika 34, 1947.
    """
    mean, num_pairs = float(np.mean(first) - np.mean(second)), min(len(first), len(second))
    parts = [float(np.var(side, ddof=1)) / len(side) for side in (first, second)]
    error = math.sqrt(sum(parts))
    if error == 0:
        return Difference(mean, 0.0, float(mean == 0), num_pairs)
    degrees = error**4 / sum(part**2 / (len(side) - 1) for part, side in zip(parts, (first, second), strict=True))
    half_width = float(stats.t.isf(ALPHA / 2, degrees)) * error
    return Difference(mean, half_width, float(2 * stats.t.sf(abs(mean) / error, degrees)), num_pairs)


@cache
def t_quantile(degrees: int) -> float:
    """How many standard errors a 95 % t interval reaches on each side."""
    return float(stats.t.isf(ALPHA / 2, degrees))


def holm(p_values: Sequence[float]) -> list[float]:
    """Adjusts p values for how many tests were made, so that the chance of any false discovery stays what it says.

    References:
        S. Holm, "A Simple Sequentially Rejective Multiple Test Procedure", Scandinavian Journal of Statistics 6, 1979.
    """
    order = np.argsort(p_values)
    steps = np.asarray(p_values, dtype=float)[order] * np.arange(len(p_values), 0, -1)
    adjusted = np.empty(len(p_values))
    adjusted[order] = np.minimum(np.maximum.accumulate(steps), 1)
    return [float(value) for value in adjusted]


def gap_recovered(student: Sequence[float], alone: Sequence[float], teacher: float) -> Share | None:
    """The share of the teacher's lead over the student alone that a method gives the student.

    Fieller's theorem: a ratio r is in the interval where the differences ``(student - alone) - r (teacher - alone)``
    pass a paired t test of mean zero. That is exact for normal values, and no approximation is made of the denominator,
    which varies with ``alone`` only. Of the teacher, who is one fixed network, the interval knows no spread.

    Args:
        student: Scores by seed, at least one.
        alone: Scores of the same seeds without distillation.
        teacher: The teacher's score.

    Returns:
        None where the teacher is no better than the student alone. The interval is None for one seed, and where it has
        no bounds: the lead itself does not differ from zero.

    References:
        E. C. Fieller, "Some Problems in Interval Estimation", Journal of the Royal Statistical Society B 16, 1954.
    """
    gain, lead = np.subtract(student, alone, dtype=float), np.subtract(teacher, alone, dtype=float)
    if lead.mean() <= 0:
        return None
    ratio = float(gain.mean() / lead.mean())
    if len(gain) < 2:
        return Share(ratio, None, None)
    # mean(gain - r lead)^2 <= reach * var(gain - r lead), a quadratic inequality a r^2 - 2 b r + c <= 0
    reach = t_quantile(len(gain) - 1) ** 2 / len(gain)
    (gains, both), (_, leads) = reach * np.cov(gain, lead)
    a, b = lead.mean() ** 2 - leads, gain.mean() * lead.mean() - both
    if a <= 0:
        return Share(ratio, None, None)
    root = math.sqrt(max(0.0, b**2 - a * (gain.mean() ** 2 - gains)))
    return Share(ratio, float((b - root) / a), float((b + root) / a))


def power_of(difference: float, sd: float, num_pairs: int) -> float | None:
    """How often a two-sided paired t test at 5 % finds a true difference: exact, by the noncentral t distribution.

    Args:
        difference: The true difference.
        sd: Standard deviation of the paired differences, in the same unit.
        num_pairs: How many pairs are tested.

    Returns:
        A share in [0.05, 1]; None below two pairs, of which nothing can be tested.
    """
    if num_pairs < 2:
        return None
    if sd == 0:
        return 1.0 if difference else ALPHA
    shift, degrees = abs(difference) / sd * math.sqrt(num_pairs), num_pairs - 1
    return float(sum(stats.nct.sf(t_quantile(degrees), degrees, side) for side in (shift, -shift)))


def smallest_difference(sd: float, num_pairs: int, power: float = 0.8) -> float | None:
    """The smallest true difference that a two-sided paired t test at 5 % finds with some power.

    Args:
        sd: Standard deviation of the paired differences.
        num_pairs: How many pairs are tested.
        power: How often it is found, above 0.05 and below 1.

    Returns:
        A difference in the unit of ``sd``; None below two pairs.

    Raises:
        ValueError: No difference is found with such a power, or any is.
    """
    if not ALPHA < power < 1:
        raise ValueError(f"expected a power above {ALPHA} and below 1, got {power}")
    return None if num_pairs < 2 else sd * _smallest_effect(num_pairs, power)


@cache
def _smallest_effect(num_pairs: int, power: float) -> float:
    def missing(effect: float) -> float:
        return (power_of(effect, 1, num_pairs) or 0) - power

    above = next(effect for k in itertools.count() if missing(effect := 2.0**k) > 0)
    return float(optimize.brentq(missing, 0, above, xtol=1e-9))


def pairwise_tests(scores: Array) -> tuple[Array, float]:
    """Paired t tests of every method against every other.

    Args:
        scores: (methods, seeds), at least two of each, the same seeds for every method.

    Returns:
        The p values after Holm's correction for all pairs, symmetric, with ones on the diagonal; and the pooled
        standard deviation of the paired differences.
    """
    num_methods, num_seeds = scores.shape
    first, second = np.triu_indices(num_methods, 1)
    differences = scores[first] - scores[second]
    sds, means = differences.std(1, ddof=1), differences.mean(1)
    # no spread at all: equal methods give 0 / 0, which is no evidence, others infinity, which is certainty
    ratios = np.divide(abs(means), sds, out=np.where(means == 0, 0.0, np.inf), where=sds > 0)
    p_values = np.ones((num_methods, num_methods))
    adjusted = holm(2 * stats.t.sf(ratios * math.sqrt(num_seeds), num_seeds - 1))
    p_values[first, second] = p_values[second, first] = adjusted
    return p_values, float(np.sqrt((sds**2).mean()))


def letters(p_values: Sequence[Sequence[float]] | NDArray[Any], means: Sequence[float]) -> list[tuple[str, ...]] | None:
    """Groups of methods that cannot be told apart: two share a letter where their difference is not significant.

    Insert and absorb: all begin in one group; a group with two methods that differ is split in two, each without one of
    them, and groups inside others are dropped. Pairs of unequal spread may make exponentially many.

    Args:
        p_values: (methods, methods), symmetric, corrected for how many they are.
        means: By method; the group of the largest is called ``a``.

    Returns:
        The letters of every method; None where there are not enough letters.

    References:
        H.-P. Piepho, "An Algorithm for a Letter-Based Representation of All-Pairwise Comparisons", Journal of
        Computational and Graphical Statistics 13, 2004.
    """
    ranked = sorted(range(len(means)), key=lambda method: (-means[method], method))
    groups = [frozenset(ranked)] if ranked else []
    for pair in itertools.combinations(ranked, 2):
        if p_values[pair[0]][pair[1]] < ALPHA:
            split = [group - {one} for group in groups if group >= {*pair} for one in pair]
            groups = [group for group in groups if not group >= {*pair}]
            groups += [part for part in dict.fromkeys(split) if not any(part < other for other in split + groups)]
            groups = list(dict.fromkeys(groups))
            if len(groups) > len(ascii_lowercase):
                return None
    groups.sort(key=lambda group: [place for place, method in enumerate(ranked) if method in group])
    named = list(zip(ascii_lowercase, groups, strict=False))
    return [tuple(name for name, group in named if i in group) for i in range(len(means))]
