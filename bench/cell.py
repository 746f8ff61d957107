"""Cells, the unit of the benchmark, and the cohorts in which they are trained."""

import itertools
import re
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeVar

from bench.config import DEFAULT_PROFILE, Params, Recipe, TeacherKind, student_label
from bench.record import CellRecord
from bench.registry import UnknownNameError

CellRole = Literal["student", "removal", "reconstruction"]
Name = TypeVar("Name", str, int)


@dataclass(frozen=True)
class Cell:
    """One training run: its record on a test set is one number of a table.

    Attributes:
        role: ``student``, or the role of the teacher that is trained; teachers are cells of the method ``scratch``.
        teacher: Whom a student asks: the ``trained`` teachers, or the ``oracle`` that is their control.
    """

    task: str
    network: str
    method: str
    seed: int
    role: CellRole = "student"
    teacher: TeacherKind = "trained"

    @property
    def path(self) -> str:
        """Where the cell's files live, relative to ``results/cells`` and to the folder of checkpoints."""
        student = f"seed{self.seed}/{student_label(self.method, self.teacher)}"
        end = student if self.role == "student" else f"teachers/{self.role}"
        return f"{self.task}/{self.network}/{end}"

    def size(self, params: Params) -> str:
        """The size preset of the network that is trained."""
        return params.sizes.of("student" if self.role == "student" else "teacher", self.network)

    def recipe(self, params: Params) -> Recipe:
        """What the grid says of how the network is trained."""
        return params.train if self.role == "student" else getattr(params.teachers, self.role)


@dataclass(frozen=True)
class Cohort:
    """Cells that differ in the method only: they train in lockstep, on the same batches and the same teachers."""

    cells: tuple[Cell, ...]

    @property
    def name(self) -> str:
        """Task, network and seed or role, for people."""
        return self.cells[0].path if self.cells[0].role != "student" else self.cells[0].path.rpartition("/")[0]


@dataclass(frozen=True)
class Workspace:
    """Where a run keeps its files.

    Attributes:
        results: Records and tables; meant for version control.
        runs: Checkpoints and trained weights; not for version control.
        data: The embedded data sets.
        datasets: Real data sets.
        options: The options of a command line that lead to this grid and workspace, each followed by its value.
    """

    results: Path
    runs: Path
    data: Path = Path("data")
    datasets: Path = Path("datasets")
    options: tuple[str, ...] = ()

    @classmethod
    def of(cls, profile: str, results: Path | None = None, scored_on: str = "") -> "Workspace":
        """The folders of a profile.

        Args:
            profile: Results go to ``results/<profile>``, or to ``results`` itself for the default one; checkpoints to
                ``runs/<profile>``.
            results: Another results folder; its checkpoints are kept inside it.
            scored_on: A real set that only scores: its records are kept apart, the checkpoints are the profile's.
        """
        if results is not None:
            return cls(results, results / "runs")
        usual = "" if profile == DEFAULT_PROFILE else profile
        folder = f"{profile}_on_{scored_on}" if scored_on else usual
        return cls(Path("results") / folder, Path("runs") / profile)

    def record(self, cell: Cell, test_set: str) -> Path:
        """The record of a cell on a test set."""
        return self.results / "cells" / cell.path / f"{test_set}.json"

    def history(self, cell: Cell) -> Path:
        """How the loss terms of a cell went during training."""
        return self.results / "cells" / cell.path / "terms.csv"

    def checkpoint(self, cell: Cell) -> Path:
        """The checkpoint of a cell; after its last step, its trained weights."""
        return self.runs / cell.path / "checkpoint.pt"

    def command(self, cell: Cell) -> str:
        """The command that trains and scores a cell, with the teachers that it asks."""
        verb, which = "bench teach", ["--task", cell.task, "--network", cell.network]
        if cell.role == "student":
            verb = "bench.run"
            which += ["--method", cell.method, "--seed", str(cell.seed), "--teacher", cell.teacher]
        return shlex.join(["python", "-m", *verb.split(), *self.options, *which])

    def lock(self, cell: Cell) -> Path:
        """The file that says which process works on a cell."""
        return self.runs / "locks" / f"{cell.path}.json"

    def log(self, cohort: str) -> Path:
        """What was logged while the cells of a cohort were trained and scored, by its name."""
        return self.runs / "logs" / f"{cohort}.log"

    def imported(self, cell: Cell) -> Path:
        """The weights of a teacher that is not trained here, where there are any."""
        return self.runs / cell.path / "imported.pt"


def dataset_name(root: Path) -> str:
    """Makes a registry-style name out of a folder's: ``SOTS-indoor`` becomes ``sots_indoor``."""
    return re.sub(r"[^a-z0-9]+", "_", root.resolve().name.lower()).strip("_") or "data"


def teacher_cell(task: str, network: str, role: Literal["removal", "reconstruction"], params: Params) -> Cell:
    """The cell that trains a teacher."""
    return Cell(task, network, "scratch", params.teachers.seed, role)


def cell_of(record: CellRecord) -> Cell:
    """The cell that a record is of."""
    return Cell(record.task, record.network, record.method, record.seed, record.role, record.teacher)


@dataclass(frozen=True)
class Filters:
    """Which part of a grid to run; an empty tuple lets everything pass."""

    tasks: Sequence[str] = ()
    networks: Sequence[str] = ()
    methods: Sequence[str] = ()
    seeds: Sequence[int] = ()


def expand(params: Params, filters: Filters = Filters()) -> Iterator[Cohort]:
    """The cohorts of students of a grid.

    Raises:
        UnknownNameError: A filter names something outside the grid.
    """
    for task in _chosen("task", params.tasks, filters.tasks):
        for network in _chosen("network", params.networks, filters.networks):
            for seed in _chosen("seed", params.seeds, filters.seeds):
                methods = _chosen("method", params.methods, filters.methods)
                asked = itertools.product(methods, params.teacher)
                yield Cohort(tuple(Cell(task, network, method, seed, teacher=teacher) for method, teacher in asked))


def _chosen(kind: str, grid: Sequence[Name], wanted: Sequence[Name]) -> list[Name]:
    """The part of a grid's axis that is wanted, in the grid's order."""
    for name in wanted:
        if name not in grid:
            raise UnknownNameError(f"{kind} of this grid", str(name), map(str, grid))
    return [name for name in grid if not wanted or name in wanted]
