"""``python -m bench budget``: what a grid takes on GPUs, before it is run."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bench.cell import Cell, Cohort, Filters
from bench.gpu_hours import Assumptions, GpuHoursRecord, Mode, Work, schedule_table, simulate
from bench.grid import open_grid, profile_params
from bench.record import write_record
from bench.run import show

if TYPE_CHECKING:
    from bench.plan import Planner


def budget(
    rate: Annotated[
        float,
        typer.Option(min=1e-6, help="Multiply-accumulates a second that a GPU achieves on a job, in 10^12."),
    ],
    gpus: Annotated[list[int] | None, typer.Option(min=1, help="GPUs; repeatable.", show_default="1, 8, 64")] = None,
    failures: Annotated[float, typer.Option(min=1e-3, help="Mean time between failures of a GPU, in hours.")] = 500,
    profile: Annotated[str | None, typer.Option(help="configs/PROFILE.yaml instead of params.yaml.")] = None,
    params: Annotated[Path | None, typer.Option(help="A params file of your own.")] = None,
    out: Annotated[Path | None, typer.Option(help="A file for the record.")] = None,
) -> None:
    """Counts the multiply-accumulates of a grid, cohort by cohort and with each cell alone, and simulates schedules.

    The work is counted from the networks, for whole batches of crops; how fast a GPU does it is assumed, and said.
    """
    from bench.plan import Planner

    grid, workspace = open_grid(profile, params)
    planner = Planner(grid, workspace)
    cohorts = planner.cohorts(Filters())
    assumed = Assumptions(tera_macs=rate, failure_hours=failures)
    ways: dict[Mode, list[Work]] = {
        "cells alone": [work for cohort in cohorts for cell in cohort.cells for work in _works([cell], planner)],
        "cohorts": [work for cohort in cohorts for work in _works(cohort.cells, planner)],
    }
    schedules = [simulate(works, way, count, assumed) for way, works in ways.items() for count in gpus or (1, 8, 64)]
    record = GpuHoursRecord(
        grid=profile_params(profile, params)[0],
        exa_macs={way: sum(work.macs for work in works) / 1e18 for way, works in ways.items()},
        assumptions=assumed,
        schedules=tuple(schedules),
    )
    if out:
        write_record(out, record)
    show(schedule_table(record).markdown())


def _works(cells: Sequence[Cell], planner: "Planner") -> Iterator[Work]:
    """The work of cells that are trained together: their students, and the teachers' answers, which they share."""
    from bench.plan import INPUT_SIZE

    asked: dict[Cell, float] = {}
    macs = 0.0
    for cell in cells:
        training = planner.training(cell)
        area = (training.crop_size / INPUT_SIZE) ** 2
        images = training.steps * training.batch_size
        macs += 3 * planner.macs(cell) * area * images  # backwards cost two passes
        for teacher in set(planner.teachers(cell).values()):
            asked[teacher] = max(asked.get(teacher, 0), planner.macs(teacher) * area * images)
    name = Cohort(tuple(cells)).name if len(cells) > 1 else cells[0].path
    yield Work(name, macs + sum(asked.values()), tuple(teacher.path for teacher in asked))
