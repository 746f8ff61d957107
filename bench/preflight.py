"""Checks of a run's images before it starts: what is wrong with them must not show after hours of training."""

import logging
from collections.abc import Iterator, Sequence
from hashlib import sha256

from bench.datasets.items import Item
from bench.datasets.leaks import find_leaks
from bench.datasets.verify import Finding, check_items
from bench.judge import Plan
from bench.plan import Planner
from bench.sources import TaskData
from bench.stamps import remembered

log = logging.getLogger(__name__)


def check_data(plans: Sequence[Sequence[Plan]], planner: Planner) -> None:
    """Checks every image that a run will read; warnings are logged.

    Raises:
        ValueError: Some cannot be used; the message names all of them.
    """
    errors: list[str] = []
    for task in dict.fromkeys(plan.cell.task for cohort in plans for plan in cohort):
        todo = [
            plan for cohort in plans for plan in cohort if plan.cell.task == task and plan.status in ("run", "resume")
        ]
        crops = [planner.training(plan.cell).crop_size for plan in todo if plan.steps_left]
        for finding in _findings(planner.data(task), max(crops, default=0)) if todo else ():
            if finding.severity == "error":
                errors.append(finding.text)
            else:
                log.warning("%s: %s", finding.severity, finding.text)
    if errors:
        shown = "\n".join(errors[:20]) + (f"\n... and {len(errors) - 20} more" if len(errors) > 20 else "")
        raise ValueError(f"{len(errors)} problems with the images; nothing was trained:\n{shown}")


def check_shares(plans: Sequence[Sequence[Plan]], planner: Planner, num_ranks: int) -> None:
    """Checks that ranks that train together can share every batch equally.

    Raises:
        ValueError: They cannot; the message names a cell.
    """
    for plan in (plan for cohort in plans for plan in cohort if plan.steps_left):
        size = planner.training(plan.cell).batch_size
        if size % num_ranks:
            raise ValueError(
                f"{plan.cell.path}: its batches of {size} images cannot be shared equally among {num_ranks} ranks; set "
                "batch_size to a multiple of the ranks, or start fewer (--nproc-per-node); nothing was trained"
            )


def _findings(data: TaskData, crop_size: int) -> Iterator[Finding]:
    """What is to say about a task's images; those to train on only where something is trained."""
    tests = [item for pairs in data.test_sets.values() for item in pairs.items]
    yield from check_items(tests)
    if crop_size:
        training = data.training.items
        findings = check_items(training)
        yield from findings
        if not any(finding.severity == "error" for finding in findings):
            yield from _too_small(training, crop_size)
            yield from _leaks(training, tests)


def _too_small(items: Sequence[Item], crop_size: int) -> Iterator[Finding]:
    for item in items:
        height, width = item.pictures[-1].size()
        if min(height, width) < crop_size:
            text = f"{item.pictures[-1].path}: {width}x{height} pixels, smaller than the training crops of {crop_size}"
            yield Finding("error", text)


def _leaks(training: Sequence[Item], tests: Sequence[Item]) -> Iterator[Finding]:
    paths = {picture.path for item in (*training, *tests) for picture in item.pictures}
    names = [sorted(item.name for item in items) for items in (training, tests)]
    sets = sha256(repr(names).encode(errors="surrogateescape")).hexdigest()
    leaks = remembered(f"leaks v2 {sets}", paths, lambda: "\n".join(find_leaks(training, tests)))
    yield from (Finding("warning", leak) for leak in leaks.splitlines())
