"""What a run would do: whether the records of a cell are up to date, and what differs where they are not."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from bench.cell import Cell, Cohort
from bench.config import digest
from bench.distiller import METHODS
from bench.plan import Planner
from bench.record import read_cell
from bench.stamps import stamps_of

CODE = {"code": "training", "method_code": "method", "scoring_code": "scoring"}
"""What the code does whose digests a configuration has."""
NO_RECORD = "there is no record"
Status = Literal["run", "resume", "up to date", "unsupported"]


@dataclass(frozen=True)
class Plan:
    """What a run would do with a cell, and why.

    Attributes:
        config: Everything that decides the trained weights; empty where the ledger knew that nothing is to be done.
        config_sha256: Its digest, kept in the checkpoint; likewise.
        steps_left: Optimiser steps that would be taken.
        changes: What differs from records that are there, in words.
        is_needed: Whether its weights are asked for, by a student or by DVC.
        micro_batches: In how many parts batches are taken; see `Member`.
        retried_after: Why it failed at the first try, if it did.
    """

    cell: Cell
    status: Status
    detail: str
    config: dict[str, Any] = field(default_factory=dict)
    config_sha256: str = ""
    steps_left: int = 0
    changes: tuple[str, ...] = ()
    is_needed: bool = False
    micro_batches: int = 1
    retried_after: str = ""

    @property
    def text(self) -> str:
        """What would be done, and what differs from the records that are there."""
        return self.detail + (f"; differs: {', '.join(self.changes)}" if self.changes else "")


def plans(planner: Planner, cohorts: Iterable[Cohort], are_weights_needed: bool = False) -> list[list[Plan]]:
    """The plans of all cells, cohort by cohort.

    A teacher whose records are up to date but whose weights are gone is trained again if a student needs it.

    Args:
        planner: Of their grid.
        cohorts: The cells.
        are_weights_needed: Whether all weights are asked for, whatever students need.
    """
    judged = _judge_all(planner, list(cohorts))
    training = [plan.cell for cohort in judged for plan in cohort if plan.steps_left]
    needed = {teacher for cell in training for teacher in planner.teachers(cell).values()}
    return [
        [_with_weights(planner, replace(p, is_needed=are_weights_needed or p.cell in needed)) for p in cohort]
        for cohort in judged
    ]


def _judge_all(planner: Planner, cohorts: Sequence[Cohort]) -> list[list[Plan]]:
    """Judges all cells; those that the ledger knows are not looked at."""
    known = {cell: planner.recall(cell) for cohort in cohorts for cell in cohort.cells}
    unknown = [cell for cell, note in known.items() if note is None]
    shared = stamps_of(planner.shared_files(unknown))
    before = {cell: planner.note(cell) for cell in unknown}
    plans = {cell: judge(planner, cell) for cell in unknown}
    if plans:
        notes = {
            cell.path: before[cell]._replace(detail=plan.detail) if plan.status == "up to date" else None
            for cell, plan in plans.items()
        }
        planner.ledger.update(notes, shared)
    plans |= {cell: Plan(cell, "up to date", note.detail) for cell, note in known.items() if note}
    return [[plans[cell] for cell in cohort.cells] for cohort in cohorts]


def judge_again(planner: Planner, plan: Plan) -> Plan:
    """The plan of a cell that may have moved on since: another process may have trained it."""
    judged = replace(judge(planner, plan.cell), is_needed=plan.is_needed, micro_batches=plan.micro_batches)
    return _with_weights(planner, judged)


def judge(planner: Planner, cell: Cell) -> Plan:
    """Judges a cell by its records and its checkpoint."""
    config, sha256 = planner.resolve(cell), planner.identity(cell)
    stale = {name: why for name in planner.data(cell.task).test_sets if (why := _changes(planner, cell, name, config))}
    changes = tuple(dict.fromkeys(change for why in stale.values() for change in why if change != NO_RECORD))
    student, teachers = planner.pair(cell)
    reason = METHODS[cell.method].unsupported(student, teachers)
    imported = planner.imported(cell)
    names = ", ".join(stale)
    if not stale:
        return Plan(cell, "up to date", reason or "", config, sha256)
    if imported:
        detail = f"imported from {imported.file}, to score on {names}"
        return Plan(cell, "run", detail, config, sha256, changes=changes)
    if reason:
        return Plan(cell, "unsupported", reason, config, sha256, changes=changes)
    planner.check_crops(cell, (student, *teachers.values()))
    state = planner.checkpoint(cell)
    done, steps = state["step"] if state else 0, planner.training(cell).steps
    todo = f"{steps - done} of {steps} steps, then score on" if steps > done else "trained, to score on"
    return Plan(cell, "resume" if done else "run", f"{todo} {names}", config, sha256, steps - done, changes)


def _with_weights(planner: Planner, plan: Plan) -> Plan:
    is_whole = plan.status != "up to date" or not plan.is_needed
    if is_whole or planner.imported(plan.cell) or planner.trained(plan.cell):
        return plan
    steps = planner.training(plan.cell).steps
    detail = "its records are up to date, but its weights are gone"
    config, sha256 = planner.resolve(plan.cell), planner.identity(plan.cell)
    return replace(plan, status="run", detail=detail, config=config, config_sha256=sha256, steps_left=steps)


def _changes(planner: Planner, cell: Cell, test_set: str, config: dict[str, Any]) -> list[str]:
    """What differs between a cell's record on a test set and what would be made now, in words."""
    path = planner.workspace.record(cell, test_set)
    if not path.exists():
        return [NO_RECORD]
    record, wanted = read_cell(path), planner.record_config(cell, test_set, config)
    if record.config_sha256 != digest(wanted):
        return list(differences(record.config, wanted))
    asked = record.teacher_weights
    return [f"the weights of its {role} teacher" for role in asked if planner.has_changed(cell, role, asked[role])]


def differences(before: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[str]:
    """What differs between two resolved configurations, in words."""
    for key in dict.fromkeys((*now, *before)):
        old, new = before.get(key), now.get(key)
        if old == new:
            continue
        if key in CODE:
            yield _other_code(old, new or {}, CODE[key])
        elif key in ("training_data", "test_data"):
            yield "the training images" if key == "training_data" else "the test images"
        elif key == "teachers":
            yield from _other_roles(old, new)
        elif isinstance(old, dict) and isinstance(new, dict):
            yield from (f"{key}.{change}" for change in differences(old, new))
        else:
            yield f"{key} ({_shown(old)}, now {_shown(new)})"


def _other_code(old: Mapping[str, str] | None, new: Mapping[str, str], purpose: str) -> str:
    if old is None:
        return f"the code of the {purpose}, which this record of an earlier release does not tell"
    modules = [module for module in sorted({*old, *new}) if old.get(module) != new.get(module)]
    return f"the code of the {purpose} in {', '.join(modules)}"


def _other_roles(old: Any, new: Any) -> Iterator[str]:
    if not isinstance(old, dict) or not isinstance(new, dict):
        yield "whom it asks"
        return
    for role in dict.fromkeys((*new, *old)):
        if old.get(role) != new.get(role):
            yield f"its {role} teacher"


def _shown(value: Any) -> str:
    return "not set" if value is None else str(value)
