"""Reproducing a cell from nothing, and comparing what comes out with its records."""

import logging
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import torch

from bench.cell import Cell, Cohort, Workspace, cell_of
from bench.config import Params
from bench.judge import differences, plans
from bench.lifeline import follow_parents
from bench.plan import Planner
from bench.progress import StepProgress
from bench.provenance import provenance
from bench.record import CellRecord, read_cell
from bench.run import console
from bench.schedule import Schedule

log = logging.getLogger(__name__)

COMPARED = ("weights_sha256", "initial_sha256", "steps", "terms", "metrics", "input_metrics", "num_images", "status")


class Comparison(NamedTuple):
    """What a reproduction of one record came to.

    Attributes:
        path: The record.
        differing: What differs, in words; empty where every bit is the same.
        conditions: What else was different when the record was made, such as the version of a package.
    """

    path: Path
    differing: tuple[str, ...]
    conditions: tuple[str, ...]


def verify(
    paths: Sequence[Path], params: Params, workspace: Workspace, scratch: Path, is_with_teachers: bool = False
) -> list[Comparison]:
    """Trains and scores a cell again, in a folder of its own, and compares it with its records.

    Args:
        paths: The records of one cell.
        params: Its grid.
        workspace: Where its teachers' weights are.
        scratch: An empty folder.
        is_with_teachers: Whether its teachers are trained again, too; those without weights always are.

    Raises:
        ValueError: The reproduction failed.
    """
    follow_parents()
    records = {path: read_cell(path) for path in paths}
    first = next(iter(records.values()))
    cell = cell_of(first)
    planner = Planner(params, workspace)
    again = Planner(params, replace(workspace, results=scratch / "results", runs=scratch / "runs"))
    teachers = dict.fromkeys(planner.teachers(cell).values())
    for teacher in teachers:
        if planner.imported(teacher) or (planner.trained(teacher) and not is_with_teachers):
            _copy(teacher, workspace, again.workspace)
    torch.set_num_threads(params.threads)
    *taught, (own,) = plans(again, [Cohort((one,)) for one in (*teachers, cell)])
    todo = [[plan] for (plan,) in taught if plan.steps_left] + [[replace(own, micro_batches=first.micro_batches)]]
    with StepProgress(len(todo), sum(plan.steps_left for cohort in todo for plan in cohort), console) as progress:
        schedule = Schedule(again, progress)
        schedule.carry_out(todo)
    for failed, error in schedule.failures.items():
        raise ValueError(f"{failed.path} could not be reproduced: {error}") from error
    made = {path: again.workspace.record(cell, record.test_set) for path, record in records.items()}
    return [_compare(path, made[path]) for path in records]


def _copy(teacher: Cell, source: Workspace, target: Workspace) -> None:
    for place in (Workspace.checkpoint, Workspace.imported):
        if place(source, teacher).exists():
            place(target, teacher).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(place(source, teacher), place(target, teacher))


def _compare(path: Path, other: Path) -> Comparison:
    if not other.exists():
        return Comparison(path, ("the cell is no longer scored on this test set",), ())
    then, now = read_cell(path), read_cell(other)
    differing = [f"config: {change}" for change in differences(then.config, now.config)]
    differing += _values(then, now)
    if _lines(path) != _lines(other):
        differing.append("the values per image")
    return Comparison(path, tuple(differing), tuple(_conditions(then.run.provenance)))


def _values(then: CellRecord, now: CellRecord) -> Iterator[str]:
    for name in COMPARED:
        old, new = getattr(then, name), getattr(now, name)
        if isinstance(old, dict):
            for key in dict.fromkeys((*old, *new)):
                if old.get(key) != new.get(key):
                    yield f"{name}.{key}: {old.get(key)} on record, {new.get(key)} now"
        elif old != new and old != "":  # which a record of an earlier release does not have
            yield f"{name}: {old} on record, {new} now"


def _lines(path: Path) -> str | None:
    table = path.with_suffix(".csv")
    return table.read_text(encoding="utf-8") if table.exists() else None


def _conditions(then: Mapping[str, Any]) -> Iterator[str]:
    """What is different now from when a record was made, of what is known to move bits."""
    now = provenance()
    for name in ("commit", "python", "platform", "processor"):
        if then.get(name) != now[name]:
            yield f"{name}: {then.get(name)} then, {now[name]} now"
    packages = then.get("packages", {})
    for name, version in now["packages"].items():
        if packages.get(name) != version:
            yield f"{name}: {packages.get(name)} then, {version} now"
