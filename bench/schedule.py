"""Carrying out plans: cohort by cohort, beside other runs, with a second try for what may pass."""

import gc
import logging
import os
import signal
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

from bench.atomic import TEMPORARY
from bench.cell import Cell, Cohort
from bench.cohort import run_cohort
from bench.faults import remedy
from bench.jobs import has_failed_beside, tell_failed
from bench.judge import Plan, judge_again
from bench.lock import CellLock
from bench.plan import Planner
from bench.progress import StepProgress
from bench.ranks import Ranks

log = logging.getLogger(__name__)

POLL_SECONDS = 2.0
"""Time between two looks at cells that another run has."""
PARTS = 2
"""In how many parts a batch is taken that does not fit into memory as a whole."""


class Schedule:
    """Carries out the plans of one run.

    Cells that another run has are left to it and looked at again when everything else is done.

    Args:
        planner: Of the grid.
        progress: Is told about every step.
        is_fail_fast: Whether the first failure ends the run.
        ranks: The processes that train together, of which this is the first.
    """

    def __init__(
        self, planner: Planner, progress: StepProgress, is_fail_fast: bool = False, ranks: Ranks | None = None
    ) -> None:
        self._ranks = ranks
        self._planner = planner
        self._progress = progress
        self._is_fail_fast = is_fail_fast
        self._pending: set[Cell] = set()
        self._waits_for: dict[Cell, str] = {}
        self._failed_beside: set[Cell] = set()
        self.failures: dict[Cell, Exception] = {}

    def carry_out(self, cohorts: Sequence[Sequence[Plan]]) -> None:
        """Does what is planned; `failures` has the cells that failed, with the reason.

        Raises:
            KeyboardInterrupt: SIGINT or SIGTERM came; what is finished is kept, the rest resumes.
        """
        left = [[plan for plan in cohort if plan.status != "up to date"] for cohort in cohorts]
        self._pending = {plan.cell for cohort in left for plan in cohort}
        while self._pending:
            before = len(self._pending)
            for cohort in left:
                if self._is_fail_fast and self.failures:
                    return
                self._carry_out_free([plan for plan in cohort if plan.cell in self._pending])
            if len(self._pending) == before:
                time.sleep(POLL_SECONDS)

    def log_file(self, cell: Cell) -> Path:
        """Where the log of a cell's cohort is kept."""
        return self._planner.workspace.log(Cohort((cell,)).name)

    def _carry_out_free(self, cohort: Sequence[Plan]) -> None:
        """Does what no other run does of a cohort."""
        with ExitStack() as locks:
            self._leave_failed(cohort)
            free = [plan for plan in cohort if plan.cell in self._pending and self._is_free(plan, locks)]
            if free:
                locks.enter_context(_logged_to(self.log_file(free[0].cell)))
                self._do([judge_again(self._planner, plan) for plan in free])
                self._pending -= {plan.cell for plan in free}

    def _leave_failed(self, cohort: Sequence[Plan]) -> None:
        """Gives up what has failed in another job of the same request, which reports it."""
        failed = {plan.cell for plan in cohort if has_failed_beside(self._marker(plan.cell))}
        self._failed_beside |= failed
        self._pending -= failed

    def _marker(self, cell: Cell) -> Path:
        """The file by which the jobs of one request tell one another that a cell has failed."""
        return self._planner.workspace.lock(cell).with_suffix(".failed")

    def _is_free(self, plan: Plan, locks: ExitStack) -> bool:
        """Takes the lock of a cell, or says for whom it waits."""
        for teacher in self._planner.teachers(plan.cell).values() if plan.steps_left else ():
            if teacher in self._pending:
                return self._wait(plan.cell, f"its teacher {teacher.path}")
        # Entered first: a signal between the two must not leave a lock that nobody releases.
        lock = locks.enter_context(CellLock(self._planner.workspace.lock(plan.cell), on_lost=_stop))
        if holder := lock.acquire():
            return self._wait(plan.cell, holder.describe())
        self._sweep(plan.cell)
        return True

    def _sweep(self, cell: Cell) -> None:
        """Removes what a killed run of a cell had begun to write; only for whom has its lock."""
        workspace = self._planner.workspace
        for folder in (workspace.checkpoint(cell).parent, workspace.history(cell).parent):
            for path in folder.glob(f".*{TEMPORARY}"):
                path.unlink()

    def _wait(self, cell: Cell, whom: str) -> bool:
        if self._waits_for.get(cell) != whom:
            self._waits_for[cell] = whom
            log.info("%s: waits for %s", cell.path, whom)
        return False

    def _do(self, cohort: Sequence[Plan]) -> None:
        """Runs cells that are locked; those that fail for a reason that may pass are tried once more, one by one."""
        able = [plan for plan in cohort if not self._lacks_teacher(plan)]
        failed = self._run(able)
        for plan in able:
            error = failed.get(plan.cell)
            way = remedy(error) if error else None
            if error and way and not (way == "smaller parts" and self._is_whole(plan)):
                log.warning("%s: trying once more after: %s", plan.cell.path, error)
                gc.collect()
                parts = PARTS if way == "smaller parts" else plan.micro_batches
                again = replace(judge_again(self._planner, plan), micro_batches=parts, retried_after=str(error))
                failed |= {plan.cell: None} | self._run([again])
        self.failures |= {cell: error for cell, error in failed.items() if error}
        for plan in cohort:
            if plan.cell in self.failures:
                tell_failed(self._marker(plan.cell))

    def _is_whole(self, plan: Plan) -> bool:
        """Whether a batch cannot be taken in parts."""
        return self._planner.training(plan.cell).batch_size < PARTS

    def _run(self, cohort: Sequence[Plan]) -> dict[Cell, Exception | None]:
        try:
            return dict(run_cohort(cohort, self._planner, self._progress, self._is_fail_fast, self._ranks))
        except Exception as error:  # such as a damaged training image: the other cohorts go on
            log.error("%s", error, exc_info=not isinstance(error, ValueError | OSError))
            return {plan.cell: error.with_traceback(None) for plan in cohort}

    def _lacks_teacher(self, plan: Plan) -> bool:
        """Whether a cell cannot train because a teacher that it asks has failed."""
        for teacher in self._planner.teachers(plan.cell).values() if plan.steps_left else ():
            if teacher in self.failures or teacher in self._failed_beside:
                self.failures[plan.cell] = RuntimeError(f"its teacher {teacher.path} failed")
                return True
        return False


def _stop() -> None:
    """Ends this run as a signal would: another one has taken over its cells."""
    log.error("another run has taken over a cell of this one, which seems to have been suspended; this run stops")
    os.kill(os.getpid(), signal.SIGTERM)


@contextmanager
def _logged_to(path: Path) -> Iterator[None]:
    """Appends what is logged meanwhile to a file, with tracebacks."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handler = logging.FileHandler(path, encoding="utf-8")
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    root = logging.getLogger()
    root.addHandler(handler)
    try:
        yield
    finally:
        root.removeHandler(handler)
        handler.close()
