"""What restoring an image costs, and how well it is restored: the networks of all families, and how they compare."""

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from bench.family import Family
from bench.figures.drawing import listed
from bench.ranking import METRIC
from bench.record import TEACHER_ROWS, NetworkRecord
from bench.scoreboard import Column
from bench.stats import Mean, mean_interval

TEACHER = TEACHER_ROWS["removal"]
Count = Callable[[NetworkRecord], float]
"""What is counted of a network."""


class Network(NamedTuple):
    """A trained network: a row of a family.

    Attributes:
        family: Whose it is.
        label: Its row.
        is_longer: Whether it was trained for more steps than most.
        cost: Of one image.
        psnr: Mean over test sets and seeds, in dB.
    """

    family: str
    label: str
    is_longer: bool
    cost: NetworkRecord
    psnr: Mean

    @property
    def reach(self) -> tuple[float, float]:
        """The bounds of its mean's interval; the mean itself where there is none."""
        half_width = self.psnr.half_width or 0.0
        return self.psnr.value - half_width, self.psnr.value + half_width


def shared_columns(families: Sequence[Family]) -> list[Column]:
    """The test sets that all families have."""
    of_families = [[c for c in family.board.columns if METRIC in family.board.metrics[c]] for family in families]
    return [column for column in of_families[0] if all(column in of for of in of_families)] if of_families else []


def networks_of(family: Family, columns: Sequence[Column]) -> Iterator[Network]:
    """The teacher that restores, and the students without their controls."""
    board, costs = family.board, family.cost_of
    controls = {record.label for record in board.records if record.teacher != "trained"}
    for label in [TEACHER, *(method for method in board.methods if method not in controls)]:
        seeds = board.seeds(label, columns, METRIC)
        if seeds and label in costs:
            psnr = mean_interval(list(seeds.values()))
            yield Network(family.network, label, label in board.other_steps, costs[label], psnr)


def comparable_counts(costs: Sequence[NetworkRecord]) -> tuple[dict[str, Count], str]:
    """What can be compared, by the title of its axis, and how it was counted or why it is not shown."""
    counts: dict[str, Count] = {"parameters (M)": lambda cost: cost.params_m}
    sides = sorted({cost.input_size for cost in costs})
    if len(sides) > 1:
        return (
            counts,
            f"MACs and latency are not shown, as they are of images of {listed([*map(str, sides)])} pixels.",
        )
    counts[f"MACs (G) at {sides[0]}x{sides[0]}"] = lambda cost: cost.macs_g
    found = [cost.measured for cost in costs if cost.measured]
    ways = {(one.batch, one.threads, one.device, one.torch) for one in found}
    if len(found) < len(costs):
        return counts, "Latency is not shown, as it was not measured for all networks."
    if len(ways) > 1:
        return counts, "Latency is not shown, as the networks were not timed on one machine and in one way."
    counts["latency (ms)"] = lambda cost: cost.measured.latency_ms if cost.measured else 0.0
    ((batch, threads, device, torch),) = ways
    return counts, f"Latency: batches of {batch}, {device}, CPU threads: {threads}, PyTorch {torch}."
