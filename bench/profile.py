"""``python -m bench profile``: where the time of a training step goes."""

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bench.cell import Cell, Filters
from bench.grid import open_grid
from bench.record import write_record
from bench.registry import UnknownNameError
from bench.run import console

if TYPE_CHECKING:  # at run time only in the command: these import torch, which --help can do without
    from bench.config import DeviceName
    from bench.plan import Planner
    from bench.step_profile import Course

COUNTED = 256
"""Side of the image for which multiply-accumulates are counted, in pixels."""
LARGE: dict["DeviceName", int] = {"cpu": 1024, "cuda": 8192}
"""Side of matrices whose product keeps a device busy."""
NOWHERE = Path("runs") / "profile"
"""What is never written."""


def profile(
    cell: Annotated[
        str,
        typer.Argument(
            metavar="CELL|COHORT", help="A cell such as denoising/nafnet/seed0/slkd, or all of denoising/nafnet/seed0."
        ),
    ],
    steps: Annotated[int, typer.Option(min=1, help="Steps that are timed.")] = 10,
    trace: Annotated[
        Path | None, typer.Option(help="Write one more step as a Chrome trace, for chrome://tracing or Perfetto.")
    ] = None,
    threads: Annotated[int | None, typer.Option(min=1, help="CPU threads.", show_default="the grid's")] = None,
    profile: Annotated[str | None, typer.Option(help="configs/PROFILE.yaml instead of params.yaml.")] = None,
    params: Annotated[Path | None, typer.Option(help="A params file of your own.")] = None,
    data_root: Annotated[Path | None, typer.Option(help="As it is given to run.")] = None,
    set_: Annotated[
        list[str] | None, typer.Option("--set", help="KEY=VALUE replaces a parameter, as compile=true; repeatable.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Keep the numbers as a record in this file.")] = None,
) -> None:
    """Times the parts of training steps: drawing the batch, each teacher, and of each student its passes and terms.

    Beside each stands the floor, what the multiply-accumulates of the networks would take at the rate of a large matrix
    product on this machine. Networks have their initial weights, so nothing needs to be trained; no file is changed.
    """
    import torch

    from bench.plan import Planner
    from bench.provenance import provenance
    from bench.step_profile import ProfileRecord, matmul_rate, profile_steps, profile_table, rows

    elsewhere = NOWHERE if set_ else None  # a changed grid has no weights of its own here
    grid, workspace = open_grid(profile, params, data_root, results=elsewhere, settings=set_ or ())
    planner = Planner(grid, workspace)
    cells = _cells(cell, planner)
    torch.set_num_threads(threads or grid.threads)
    planner.device.prepare()
    rate = matmul_rate(planner.device, LARGE[grid.device])
    training = planner.recipe(cells[0])
    times = profile_steps(course_of(cells, planner), steps, trace)
    images = training.batch_size * (training.crop_size / COUNTED) ** 2
    record = ProfileRecord(
        name=cell,
        rows=rows(times, {name: 1e3 * images * macs / rate for name, macs in _macs(cells, planner).items()}),
        batch_size=training.batch_size,
        crop_size=training.crop_size,
        macs_per_second_g=rate / 1e9,
        num_steps=steps,
        threads=torch.get_num_threads(),
        device=provenance()["processor"] if grid.device == "cpu" else planner.device.about,
        precision=grid.precision,
        is_compiled=grid.compile,
        torch=torch.__version__,
    )
    if out is not None:
        write_record(out, record)
    console.print(profile_table(record).markdown(), markup=False, highlight=False, soft_wrap=True)
    for path in filter(None, (out, trace)):
        console.print(f"written: {path}", markup=False, highlight=False, soft_wrap=True)


def _cells(name: str, planner: "Planner") -> list[Cell]:
    """The cells of one cohort that a name stands for.

    Raises:
        UnknownNameError: There are none in the grid; the message names the nearest ones.
    """
    cohorts = planner.cohorts(Filters())
    for cohort in cohorts:
        if cells := [cell for cell in cohort.cells if name in (cell.path, cohort.name)]:
            return cells
    known = dict.fromkeys(known for cohort in cohorts for known in (cohort.name, *(cell.path for cell in cohort.cells)))
    raise UnknownNameError("cell or cohort of this grid", name, known)


def course_of(cells: Sequence[Cell], planner: "Planner") -> "Course":
    """The students of the cells of a cohort as they are before training, and whom they ask."""
    from bench.cohort import networks_asked
    from bench.ingredients import new_distiller, training_batch
    from bench.step_profile import Course
    from bench.train import Member

    first, members = cells[0], {}
    for cell in cells:
        distiller = new_distiller(cell, planner.build(cell), planner.pair(cell)[1], planner.method_config(cell))
        training, asks_oracle = planner.training(cell), cell.teacher == "oracle"
        planner.device.place(distiller)
        members[_row(cell)] = Member(cell.path, distiller, training, NOWHERE, "", asks_oracle=asks_oracle)
    draw = partial(training_batch, first, planner.data(first.task).training, planner.recipe(first))
    teachers = networks_asked(cells, planner, planner.build)
    for network in teachers.values():
        planner.device.place(network)
    return Course(members, teachers, draw, first.seed, planner.recipe(first).steps, planner.device)


def _macs(cells: Sequence[Cell], planner: "Planner") -> Mapping[str, float]:
    """By row, the multiply-accumulates for an image: a pass of a teacher, and of a student a step, which is three."""
    from bench.complexity import complete_macs

    def of(cell: Cell) -> int:
        return complete_macs(planner.build(cell).eval().to("meta"), COUNTED)

    asked = {
        role: teacher for cell in cells for role, teacher in planner.teachers(cell).items() if role != "perceptual"
    }
    counts = {f"{role} teacher": float(of(teacher)) for role, teacher in asked.items()}
    return counts | {_row(cell): 3.0 * of(cell) for cell in cells}


def _row(cell: Cell) -> str:
    return cell.path.rpartition("/")[2]
