"""Progress for people: a bar with ETA on a terminal, plain log lines elsewhere."""

import logging
import time
from collections.abc import Sequence
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from bench.train import Member

log = logging.getLogger(__name__)


class StepProgress:
    """Shows how far the cohorts of a run are, and when the run will end.

    The time left in the whole run (ETA) is estimated from the steps so far, as if those of all cells cost the same.

    Args:
        num_cohorts: How many cohorts the run will train.
        num_steps: How many steps their cells take, all together.
        console: Where the bar is drawn if it is a terminal.
        log_seconds: Time between two log lines where it is not.
    """

    def __init__(self, num_cohorts: int, num_steps: int, console: Console, log_seconds: float = 15.0) -> None:
        self._num_cohorts = num_cohorts
        self._num_steps = num_steps
        self._cohort = self._done = 0
        self._log_seconds = log_seconds
        self._is_terminal = console.is_terminal
        self._started = self._logged = time.monotonic()
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=10),
            MofNCompleteColumn(),
            TextColumn("{task.fields[eta]}"),
            console=console,
            disable=not self._is_terminal,
        )

    def __enter__(self) -> "StepProgress":
        self._bar.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.__exit__(kind, error, trace)

    def start(self, name: str, steps: int, done: int = 0) -> None:
        """A cohort of this name begins to train.

        Args:
            name: Its name.
            steps: Up to which step.
            done: After which step it goes on, where it was stopped.
        """
        self._cohort += 1
        self._name = f"[{self._cohort}/{self._num_cohorts}] {name}"
        self._steps = steps
        for task in self._bar.task_ids:
            self._bar.remove_task(task)
        self._task = self._bar.add_task(self._name, total=steps, eta="")
        log.info("%s: %d steps%s", self._name, steps, f", goes on after step {done}" if done else "")

    def step(self, step: int, members: Sequence[Member]) -> None:
        """A step is done; called by the training loop."""
        self._done += sum(member.step == step + 1 for member in members)
        now = time.monotonic()
        left = (now - self._started) / max(self._done, 1) * max(self._num_steps - self._done, 0)
        eta = f"ETA {left / 60:.0f} min" if left > 90 else f"ETA {left:.0f} s"
        self._bar.update(self._task, completed=step + 1, eta=eta)
        if not self._is_terminal and now - self._logged > self._log_seconds:
            self._logged = now
            losses = "  ".join(f"{m.name.rpartition('/')[2]} {sum(m.terms.values()):.4f}" for m in members)
            log.info("%s: step %d/%d, %s; loss: %s", self._name, step + 1, self._steps, eta, losses)
