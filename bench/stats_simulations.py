"""``python -m bench.stats_simulations``: how often intervals over seeds and images reject, where the truth is known."""

import itertools
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
from scipy import stats

from bench.bootstrap import crossed_reaches
from bench.record import StrictRecord, read_record, write_record
from bench.seeding import generator
from bench.stats import ALPHA, Array, t_quantile
from bench.table import Table

SEEDS, IMAGES = (2, 3, 5, 10), (5, 20, 100)
LEVEL = round(ALPHA / 0.001) - 1
"""Where `crossed_reaches` has the interval at 5 %: its levels are multiples of 0.001."""
NUM_RESAMPLES = 399
ERRORS = 3.0
"""The true difference of which the power is told, in standard errors of the mean."""


class World(NamedTuple):
    """Where differences come from: what share of the variance of their mean has which source."""

    seeds: float
    images: float
    both: float
    draw: Callable[[np.random.Generator, tuple[int, ...]], Array] = np.random.Generator.standard_normal


def _heavy(rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
    return rng.standard_t(3, shape) / np.sqrt(3)


def _skewed(rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
    return rng.standard_exponential(shape) - 1


WORLDS = {
    "seeds": World(0.98, 0.01, 0.01),
    "images": World(0.01, 0.98, 0.01),
    "seeds and images": World(0.49, 0.49, 0.02),
    "interaction": World(0, 0, 1),
    "heavy-tailed images": World(0.01, 0.98, 0.01, _heavy),
    "skewed images": World(0.01, 0.98, 0.01, _skewed),
    "seeds, skewed images": World(0.49, 0.49, 0.02, _skewed),
}


class Rates(StrictRecord):
    """How often a construction rejects that there is no difference.

    Attributes:
        false_positives: The share of experiments where there is none.
        power: The share where the true one is three standard errors of the mean.
    """

    construction: str
    world: str
    num_seeds: int
    num_images: int
    num_experiments: int
    false_positives: float
    power: float


class Simulations(StrictRecord):
    """What was simulated."""

    kind: Literal["simulations"] = "simulations"
    rates: tuple[Rates, ...]


def differences(world: World, num_experiments: int, num_seeds: int, num_images: int) -> Array:
    """Draws (experiments, seeds, images) of mean zero whose overall mean has a standard error of 1."""
    rng = generator("simulation", repr(world[:3]), num_experiments, num_seeds, num_images)
    seeds = rng.standard_normal((num_experiments, num_seeds, 1)) * np.sqrt(world.seeds * num_seeds)
    images = world.draw(rng, (num_experiments, 1, num_images)) * np.sqrt(world.images * num_images)
    both = rng.standard_normal((num_experiments, num_seeds, num_images))
    return np.asarray(seeds + images + both * np.sqrt(world.both * num_seeds * num_images))


def _variances(values: Array) -> tuple[Array, Array]:
    """Of the mean, by the spread of the seeds' means and by that of the images'."""
    _, num_seeds, num_images = values.shape
    return values.mean(2).var(1, ddof=1) / num_seeds, values.mean(1).var(1, ddof=1) / num_images


def seeds_alone(values: Array) -> tuple[Array, Array]:
    """A t interval over the seeds, as if there were no other images."""
    half_widths = t_quantile(values.shape[1] - 1) * np.sqrt(_variances(values)[0])
    return half_widths, half_widths


def satterthwaite(values: Array) -> tuple[Array, Array]:
    """The variances added up, and t with degrees of freedom by Satterthwaite."""
    _, num_seeds, num_images = values.shape
    seeds, images = _variances(values)
    degrees = (seeds + images) ** 2 / (seeds**2 / (num_seeds - 1) + images**2 / (num_images - 1))
    half_widths = stats.t.isf(ALPHA / 2, degrees) * np.sqrt(seeds + images)
    return half_widths, half_widths


def fewest_degrees(values: Array) -> tuple[Array, Array]:
    """The variances added up, and t with the degrees of freedom of the seeds or images, whichever are fewer."""
    half_widths = t_quantile(min(values.shape[1:]) - 1) * np.sqrt(sum(_variances(values)))
    return half_widths, half_widths


def squares_of_t(values: Array) -> tuple[Array, Array]:
    """Banerjee's interval with t for the images as well."""
    sides = zip(_variances(values), values.shape[1:], strict=True)
    half_widths = np.sqrt(sum(variance * t_quantile(number - 1) ** 2 for variance, number in sides))
    return half_widths, half_widths


def rest_once(values: Array) -> tuple[Array, Array]:
    """Banerjee's interval less what the seeds' and the images' variance both count: the rest, which is added once."""
    _, num_seeds, num_images = values.shape
    rest = values - values.mean(1, keepdims=True) - values.mean(2, keepdims=True) + values.mean((1, 2), keepdims=True)
    degrees = (num_seeds - 1) * (num_images - 1)
    both = (rest**2).sum((1, 2)) / degrees / (num_seeds * num_images)
    sides = zip(_variances(values), (num_seeds, num_images), strict=True)
    squares = sum(np.maximum(variance - both, 0) * t_quantile(number - 1) ** 2 for variance, number in sides)
    half_widths = np.sqrt(squares + both * t_quantile(degrees) ** 2)
    return half_widths, half_widths


def chosen(values: Array) -> tuple[Array, Array]:
    """The interval of `crossed_bootstrap`."""
    half_widths = crossed_reaches(values)[:, LEVEL]
    return half_widths, half_widths


def _resampled(values: Array) -> tuple[Array, Array]:
    """Means of resamples of seeds and images, less the mean, (experiments, resamples); and their standard errors."""
    _, num_seeds, num_images = values.shape
    rng = generator("simulation", "resamples")
    seeds, images = (rng.multinomial(n, [1 / n] * n, NUM_RESAMPLES) / n for n in (num_seeds, num_images))
    values = values - values.mean((1, 2), keepdims=True)
    by_seed = values @ images.T  # (experiments, seeds, resamples)
    means = np.einsum("esr,rs->er", by_seed, seeds)
    variances = (np.einsum("esr,rs->er", by_seed**2, seeds) - means**2) / (num_seeds - 1)
    by_image = seeds @ values  # (experiments, resamples, images)
    variances += (np.einsum("eri,ri->er", by_image**2, images) - means**2) / (num_images - 1)
    return means, np.sqrt(np.maximum(variances, 0))


def percentile(values: Array) -> tuple[Array, Array]:
    """Percentiles of the pigeonhole bootstrap: seeds and images are both resampled."""
    low, high = np.quantile(_resampled(values)[0], [ALPHA / 2, 1 - ALPHA / 2], axis=1)
    return -low, high


def corrected_error(values: Array) -> tuple[Array, Array]:
    """The pigeonhole bootstrap's standard error times S / (S - 1) in variance, and t with S - 1 degrees of freedom."""
    num_seeds = values.shape[1]
    error = _resampled(values)[0].std(1) * np.sqrt(num_seeds / (num_seeds - 1))
    return t_quantile(num_seeds - 1) * error, t_quantile(num_seeds - 1) * error


def studentised(values: Array) -> tuple[Array, Array]:
    """The pigeonhole bootstrap of the mean over its standard error."""
    means, errors = _resampled(values)
    ratios = np.sort(np.divide(means, errors, out=np.copysign(np.inf, means), where=errors > 1e-9), axis=1)
    edge, error = int(ALPHA / 2 * (NUM_RESAMPLES + 1)), np.sqrt(sum(_variances(values)))
    return ratios[:, -edge] * error, -ratios[:, edge - 1] * error


Construction = Callable[[Array], tuple[Array, Array]]
"""From (experiments, seeds, images) to how far the interval reaches below the mean and above it."""

CONSTRUCTIONS: dict[str, Construction] = {
    "pigeonhole bootstrap, percentiles": percentile,
    "pigeonhole bootstrap, corrected error, t": corrected_error,
    "pigeonhole bootstrap, studentised": studentised,
    "t over seeds, images as they are": seeds_alone,
    "variances added, Satterthwaite's t": satterthwaite,
    "variances added, t of the fewest degrees": fewest_degrees,
    "squares of t intervals (Banerjee)": squares_of_t,
    "squares of t intervals, rest counted once": rest_once,
    "squares of t and bootstrap-t (ours)": chosen,
}


def simulate(num_experiments: int, constructions: Mapping[str, Construction]) -> Iterator[Rates]:
    """Runs experiments in every world, for all numbers of seeds and images."""
    chunks = -(-num_experiments // 200)
    for (name, world), num_seeds, num_images in itertools.product(WORLDS.items(), SEEDS, IMAGES):
        values = differences(world, num_experiments, num_seeds, num_images)
        means = values.mean((1, 2))
        for construction, reach in constructions.items():
            parts = [reach(chunk) for chunk in np.array_split(values, chunks)]
            below, above = (np.concatenate(side) for side in zip(*parts, strict=True))
            rejects = [((means + true > below) | (means + true < -above)).mean() for true in (0, ERRORS)]
            size = {"num_seeds": num_seeds, "num_images": num_images, "num_experiments": num_experiments}
            yield Rates(construction=construction, world=name, false_positives=rejects[0], power=rejects[1], **size)


def simulation_tables(path: Path) -> list[Table]:
    """The worst rate of every construction, and all rates of the one that was chosen."""
    rates = read_record(path, Simulations).rates
    num_experiments = rates[0].num_experiments
    rows = []
    for name in CONSTRUCTIONS:
        worst = []
        for world in WORLDS:
            of_both = [r for r in rates if (r.construction, r.world) == (name, world)]
            power = np.mean([r.power for r in of_both])
            worst.append(f"{100 * max(r.false_positives for r in of_both):.1f} / {100 * power:.0f}")
        rows.append((name, *worst))
    title = f"False positives in %, the most of {len(SEEDS) * len(IMAGES)} sizes / power in %, the mean of them"
    notes = (
        f"{num_experiments:,} experiments for each size. Power: the true difference is {ERRORS:g} standard errors.",
    )
    tables = [Table(title, ("construction", *WORLDS), tuple(rows), notes)]
    ours = {(r.num_seeds, r.num_images, r.world): r for r in rates if r.construction == list(CONSTRUCTIONS)[-1]}
    sizes = [
        (
            f"{s} x {i}",
            *(f"{100 * ours[s, i, w].false_positives:.1f} / {100 * ours[s, i, w].power:.0f}" for w in WORLDS),
        )
        for s, i in itertools.product(SEEDS, IMAGES)
    ]
    title = "The chosen construction: false positives in % / power in %"
    return [*tables, Table(title, ("seeds x images", *WORLDS), tuple(sizes), ())]


if __name__ == "__main__":
    write_record(Path("results/statistics.json"), Simulations(rates=tuple(simulate(10_000, CONSTRUCTIONS))))
