"""What a grid takes on some GPUs: its work in multiply-accumulates, and a simulated schedule in which GPUs fail."""

import heapq
import math
from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np

from bench.record import StrictRecord
from bench.seeding import generator
from bench.table import Table

Mode = Literal["cohorts", "cells alone"]


class Work(NamedTuple):
    """What one job does.

    Attributes:
        name: The cohort or cell.
        macs: Multiply-accumulates of its networks, forwards and backwards.
        waits_for: Names of the works that must be done before.
    """

    name: str
    macs: float
    waits_for: tuple[str, ...] = ()


class Assumptions(StrictRecord):
    """What is assumed about the GPUs.

    Attributes:
        tera_macs: Multiply-accumulates in 10^12 that a job achieves in a second, everything counted in that takes time.
        failure_hours: Mean time between failures of a GPU: a node that dies, or a job that is preempted.
        checkpoint_minutes: Between two checkpoints; what came after the last one is lost.
        restart_minutes: From a failure to the first step afterwards.
    """

    tera_macs: float
    failure_hours: float
    checkpoint_minutes: float = 1
    restart_minutes: float = 5


class Schedule(StrictRecord):
    """A simulated run.

    Attributes:
        mode: Whether the methods of a cohort are trained together, or each by a job of its own.
        num_gpus: How many work, a job on each.
        num_jobs: How many jobs there are.
        gpu_hours: What they take, failures included.
        hours: From the first job's beginning to the last one's end.
        lost_hours: GPU hours that failures cost.
        longest_hours: The longest job.
    """

    mode: Mode
    num_gpus: int
    num_jobs: int
    gpu_hours: float
    hours: float
    lost_hours: float
    longest_hours: float


class GpuHoursRecord(StrictRecord):
    """What a grid would take."""

    kind: Literal["gpu_hours"] = "gpu_hours"
    version: Literal[1] = 1
    grid: str
    exa_macs: dict[Mode, float]
    assumptions: Assumptions
    schedules: tuple[Schedule, ...]


def simulate(works: Sequence[Work], mode: Mode, num_gpus: int, assumed: Assumptions, seed: int = 0) -> Schedule:
    """Lets GPUs take the works, longest first among those that need not wait; a failed work goes on where it failed.

    Args:
        works: In an order in which each comes after those that it waits for.
        mode: What they are.
        num_gpus: How many GPUs work.
        assumed: About the GPUs.
        seed: Of the failures.
    """
    rng = generator("gpu hours", seed, mode)
    taken = {work.name: _with_failures(work.macs / assumed.tera_macs / 1e12 / 3600, assumed, rng) for work in works}
    done: dict[str, float] = {}
    free = [0.0] * num_gpus
    waiting = sorted(works, key=lambda work: -taken[work.name][0])
    while waiting:
        now = heapq.heappop(free)
        begun = next(
            (work for work in waiting if all(done.get(name, math.inf) <= now for name in work.waits_for)), None
        )
        if begun is None:  # until one is done that another waits for
            heapq.heappush(free, min(end for end in done.values() if end > now))
            continue
        waiting.remove(begun)
        done[begun.name] = now + taken[begun.name][0]
        heapq.heappush(free, done[begun.name])
    total, lost = (sum(times) for times in zip(*taken.values(), strict=True))
    longest = max(hours for hours, _ in taken.values())
    return Schedule(
        mode=mode, num_gpus=num_gpus, num_jobs=len(works), gpu_hours=total, hours=max(done.values()), lost_hours=lost,
        longest_hours=longest,
    )  # fmt: skip


def _with_failures(hours: float, assumed: Assumptions, rng: np.random.Generator) -> tuple[float, float]:
    """How long a work takes in hours where GPUs fail, and how much of that the failures cost."""
    left, lost = hours, 0.0
    checkpoint, restart = assumed.checkpoint_minutes / 60, assumed.restart_minutes / 60
    while (until := rng.exponential(assumed.failure_hours)) < left:
        kept = until // checkpoint * checkpoint
        left -= kept
        lost += until - kept + restart
    return hours + lost, lost


def schedule_table(record: GpuHoursRecord) -> Table:
    """The schedules of a grid, each way of training beside the other."""
    assumed = record.assumptions
    rows = [
        (
            one.mode,
            str(one.num_gpus),
            f"{one.num_jobs:,}",
            f"{one.gpu_hours:,.0f}",
            f"{one.lost_hours:,.1f}",
            f"{one.longest_hours:,.1f}",
            f"{one.hours / 24:,.1f}",
            f"{100 * one.gpu_hours / one.num_gpus / one.hours:.0f} %",
        )
        for one in record.schedules
    ]
    work = ", ".join(f"{macs:,.0f} x 10^18 as {mode}" for mode, macs in record.exa_macs.items())
    notes = (
        f"Multiply-accumulates of the networks, forwards and backwards: {work}. Losses, scores and data do not count.",
        f"**Assumed, not measured:** {assumed.tera_macs:g} x 10^12 of them a second on every GPU, all that takes time "
        "included; hours are in inverse proportion to that.",
        f"Assumed, too: a failure every {assumed.failure_hours:g} GPU hours in the mean, checkpoints every "
        f"{assumed.checkpoint_minutes:g} min, {assumed.restart_minutes:g} min to the next start.",
    )
    columns = ("jobs are", "GPUs", "jobs", "GPU hours", "of them lost", "longest job (h)", "days", "GPUs busy")
    return Table(f"{record.grid}: a simulated schedule", columns, tuple(rows), notes)
