"""What the spread over seeds allows to conclude."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy import stats

CONFIDENCE = 0.95


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
    half_width = float(stats.t.ppf((1 + CONFIDENCE) / 2, num_pairs - 1)) * error
    if error == 0:
        return Difference(mean, 0.0, float(mean == 0), num_pairs)
    return Difference(mean, half_width, float(2 * stats.t.sf(abs(mean) / error, num_pairs - 1)), num_pairs)


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
