"""What the spread over seeds and images allows to conclude of other seeds and other images: docs/statistics.md."""

from functools import cache, lru_cache
from typing import NamedTuple

import numpy as np
from scipy import stats

from bench.seeding import generator
from bench.stats import ALPHA, Array

NUM_RESAMPLES = 1999
"""Of the images; with the sample itself 2,000, so that 2.5 % of them are a whole number."""
FEWEST_IMAGES = 4
"""With less, more than 2.5 % of the resamples hold one image alone, and their spread is none."""


class Crossed(NamedTuple):
    """The mean of paired differences over seeds and images, as an estimate for other seeds and other images.

    Attributes:
        mean: In the unit of the values.
        half_width: Of the 95 % interval around the mean; None for fewer than four images. With one seed only the images
            were resampled, and the interval says nothing of other seeds.
        p_value: Of no difference, a multiple of 0.001; None as above, and for one seed.
        num_seeds: How many seeds there are.
        num_images: How many images each has.
    """

    mean: float
    half_width: float | None
    p_value: float | None
    num_seeds: int
    num_images: int


def crossed_bootstrap(differences: Array) -> Crossed:
    """What two methods differ by, where other seeds and other images might have been drawn.

    The spread of the seeds' means and that of the images' means each give an interval of their own, and the squares of
    their half widths add up: for normal values this misses in at most 5 % of experiments however the spread divides
    (Banerjee), for the share that rejects is concave in the variances. An image's interval is that of the bootstrap-t,
    its wider side taken for both, as images are skewed and may be few. Seeds are too few to be resampled: of three, one
    resample in nine holds one seed alone. Their interval is the t interval.

    Args:
        differences: (seeds, images), the same images for every seed.

    References:
        A. B. Owen, "The Pigeonhole Bootstrap", Annals of Applied Statistics 1, 2007: both are resampled where crossed.
        S. K. Banerjee, "Approximate Confidence Interval for Linear Functions of Means of k Populations when the
        Population Variances Are Not Equal", Sankhya 22, 1960.
        P. Hall, "Theoretical Comparison of Bootstrap Confidence Intervals", Annals of Statistics 16, 1988.
    """
    num_seeds, num_images = differences.shape
    mean = float(differences.mean())
    if num_images < FEWEST_IMAGES:
        return Crossed(mean, None, None, num_seeds, num_images)
    levels, reaches = _levels(), crossed_reaches(differences)
    half_width = float(reaches[np.searchsorted(levels, ALPHA)])
    if num_seeds < 2:
        return Crossed(mean, half_width, None, num_seeds, num_images)
    p_value = float(np.append(levels, 1.0)[np.count_nonzero(reaches >= abs(mean))])
    return Crossed(mean, half_width, p_value, num_seeds, num_images)


def crossed_reaches(differences: Array) -> Array:
    """Half the widths of the intervals around the mean that miss in 0.1 %, 0.2 %, ... of experiments.

    Args:
        differences: (..., seeds, images).

    Returns:
        (..., levels), falling.
    """
    num_seeds, num_images = differences.shape[-2:]
    images = differences.mean(-2)
    squares = images.var(-1, ddof=1)[..., None] / num_images * _image_quantiles(images) ** 2
    if num_seeds > 1:
        seeds = differences.mean(-1).var(-1, ddof=1)[..., None] / num_seeds
        squares = squares + seeds * _seed_quantiles(num_seeds - 1) ** 2
    return np.sqrt(squares)


@cache
def _levels() -> Array:
    return np.arange(1, NUM_RESAMPLES // 2 + 1) * 2 / (NUM_RESAMPLES + 1)


@lru_cache(maxsize=64)
def _seed_quantiles(degrees: int) -> Array:
    return np.asarray(stats.t.isf(_levels() / 2, degrees))


@lru_cache(maxsize=16)
def _counts(num_images: int) -> Array:
    """How often every image is in every resample: (images, resamples)."""
    rng = generator("bootstrap", num_images)
    return rng.multinomial(num_images, [1 / num_images] * num_images, NUM_RESAMPLES).T.astype(float)


def _image_quantiles(values: Array) -> Array:
    """How many standard errors the mean of a resample is off, at every level, on the side where it is more.

    Args:
        values: (..., images).

    Returns:
        (..., levels).
    """
    num_images = values.shape[-1]
    off = values - values.mean(-1, keepdims=True)
    # sorted, the longer tail above: neither the order of the images nor that of the methods decides
    off = np.sort(np.where((off**3).sum(-1, keepdims=True) < 0, -off, off), axis=-1)
    means = off @ _counts(num_images) / num_images
    variances = off**2 @ _counts(num_images) / num_images - means**2
    errors = np.sqrt(np.maximum(variances, 0) / (num_images - 1))
    alone = errors <= 1e-7 * off.std(-1, keepdims=True)  # one image many times, up to rounding
    ratios = np.divide(means, errors, out=np.where(means == 0, 0.0, np.copysign(np.inf, means)), where=~alone)
    ratios.sort(axis=-1)
    half = NUM_RESAMPLES // 2
    return np.maximum(np.maximum(ratios[..., : -half - 1 : -1], -ratios[..., :half]), 0)
