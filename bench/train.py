"""The one training loop: a cohort of distillers, in lockstep on the same batches."""

import logging
import math
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

import torch

from bench.checkpoint import read_checkpoint, write_checkpoint
from bench.config import Training
from bench.distiller import Distiller, Lesson, OracleLesson
from bench.faults import remedy

log = logging.getLogger(__name__)


NUM_HISTORY_ROWS = 40
"""A training's history has about this many rows; each is the mean over the steps since the row before."""


CHECKPOINT_SHARE = 0.01
"""Checkpoints take at most this share of a training's time."""


class DivergedError(ArithmeticError):
    """A loss that is no longer finite."""


@dataclass
class Member:
    """One cell in training: a distiller, its optimiser and how far it has come.

    Attributes:
        name: The cell, for messages.
        distiller: Holds the student and the method's adapters.
        training: Steps and schedule.
        checkpoint: The file that resumes it.
        config_sha256: Digest of everything that decides the trained weights; a checkpoint of another is ignored.
        about: The network's family, size preset and role, for whoever reads the checkpoint without its grid.
        asks_oracle: Whether an oracle takes the place of the teachers.
        teacher_weights: Digests of the weights of the networks that are asked, by role; None believes the checkpoint.
        micro_batches: In how many parts a batch is taken, one after the other, where it does not fit into memory.
        step: Steps done.
        terms: The loss terms at the last step.
        history: How the terms went, and what else the distiller measured; see `NUM_HISTORY_ROWS`.
        error: Why the cell failed, or None.
    """

    name: str
    distiller: Distiller
    training: Training
    checkpoint: Path
    config_sha256: str
    about: dict[str, str] = field(default_factory=dict)
    asks_oracle: bool = False
    teacher_weights: dict[str, str] | None = None
    micro_batches: int = 1
    step: int = 0
    terms: dict[str, float] = field(default_factory=dict)
    history: list[dict[str, float]] = field(default_factory=list)
    error: Exception | None = None

    def __post_init__(self) -> None:
        self._recent: list[dict[str, float]] = []
        trained = [parameter for parameter in self.distiller.parameters() if parameter.requires_grad]
        self.optimizer = torch.optim.Adam(trained, lr=self.training.learning_rate, betas=(0.9, 0.999), fused=True)
        self.resume()

    @property
    def is_done(self) -> bool:
        """Whether all steps are done."""
        return self.step >= self.training.steps

    def learn(self, lesson: Lesson) -> None:
        """Takes one optimiser step.

        Raises:
            DivergedError: A term is NaN or infinite; the weights are still those before this step.
        """
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate(self.training, self.step)
        self.optimizer.zero_grad(set_to_none=True)
        parts = [lesson] if self.micro_batches == 1 else lesson.split(self.micro_batches)
        terms = [self._add_gradient(part, len(part.clean) / len(lesson.clean)) for part in parts]
        self.terms = {name: math.fsum(part[name] for part in terms) for name in terms[0]}
        self.optimizer.step()
        self.step += 1
        self._remember()

    def _add_gradient(self, lesson: Lesson, share: float) -> dict[str, float]:
        """Adds the gradient of a lesson that is this share of a batch; returns the terms, times the share."""
        terms = self.distiller(OracleLesson(lesson) if self.asks_oracle else lesson)
        values = {name: share * term.item() for name, term in terms.items()}
        if not all(map(math.isfinite, values.values())):
            shown = ", ".join(f"{name}={value:.4g}" for name, value in values.items())
            raise DivergedError(f"{self.name}: the loss is not finite at step {self.step} ({shown})")
        loss = torch.stack(list(terms.values())).sum()
        (loss if share == 1 else share * loss).backward()
        return values

    def _remember(self) -> None:
        """Adds the step that was taken to the history."""
        self._recent.append(self.terms | {name: value.item() for name, value in self.distiller.measured.items()})
        if self.is_done or len(self._recent) >= self.training.steps / NUM_HISTORY_ROWS:
            means = {name: math.fsum(row[name] for row in self._recent) / len(self._recent) for name in self._recent[0]}
            self.history.append({"step": self.step, **means})
            self._recent.clear()

    def save(self) -> None:
        """Writes the checkpoint; a finished one keeps no optimiser state.

        Raises:
            OSError: It could not be written, as on a full disk; the last one is still there.
        """
        state = {
            "config_sha256": self.config_sha256,
            "about": self.about,
            "teacher_weights": self.teacher_weights or {},
            "micro_batches": self.micro_batches,
            "step": self.step,
            "terms": self.terms,
            "history": self.history,
            "recent": self._recent,
            "distiller": self.distiller.state_dict(),
            "optimizer": None if self.is_done else self.optimizer.state_dict(),
        }
        write_checkpoint(self.checkpoint, state)

    def resume(self) -> None:
        """Takes up the checkpoint where there is one of this very cell; otherwise starts at step 0.

        One whose batches were taken in parts goes on so; one that took them whole, and failed, starts again in parts.
        """
        state = read_checkpoint(self.checkpoint, self.config_sha256)
        if state is None or state["micro_batches"] < self.micro_batches:
            return
        if self.teacher_weights not in (None, state["teacher_weights"]):
            log.warning("%s: its teachers have other weights than its checkpoint asked; it starts again", self.name)
            return
        self.teacher_weights, self.micro_batches = state["teacher_weights"], state["micro_batches"]
        self.distiller.load_state_dict(state["distiller"])
        self.step, self.terms = state["step"], state["terms"]
        self.history, self._recent = state["history"], state["recent"]
        if state["optimizer"] is not None:
            self.optimizer.load_state_dict(state["optimizer"])


def learning_rate(training: Training, step: int) -> float:
    """Cosine from ``learning_rate`` at step 0 to ``final_learning_rate`` at the last step."""
    share = step / max(training.steps - 1, 1)
    spread = training.learning_rate - training.final_learning_rate
    return training.final_learning_rate + spread * (1 + math.cos(math.pi * share)) / 2


def fit(
    members: Sequence[Member],
    teach: Callable[[int], Lesson],
    checkpoint_seconds: float = math.inf,
    watch: Callable[[int, Sequence[Member]], None] = lambda step, members: None,
    is_fail_fast: bool = False,
) -> None:
    """Trains all members to their last step; a member that fails leaves alone, with its ``error`` set.

    Args:
        members: The cohort. A member that resumes at a later step joins when the others reach it.
        teach: Gives the lesson of a step.
        checkpoint_seconds: Least time between checkpoints; more where they would take over 1 % of it. One is always
            written at the end.
        watch: Called after every step.
        is_fail_fast: Whether the others stop, with a checkpoint, when one fails in a way that would happen again.

    Raises:
        KeyboardInterrupt: SIGINT or SIGTERM came; the checkpoints are those of the last whole step.
    """
    waiting = [member for member in members if not member.is_done]
    total = max((member.training.steps for member in waiting), default=0)
    due = time.monotonic() + checkpoint_seconds
    with _between_steps() as interrupted:
        for step in range(min((member.step for member in waiting), default=0), total):
            lesson = teach(step)
            for member in waiting:
                if member.step == step:
                    _learn_alone(member, lesson)
            watch(step, waiting)
            has_failed = any(member.error and not remedy(member.error) for member in waiting)
            waiting = [member for member in waiting if not _is_leaving(member)]
            is_last = interrupted() or (is_fail_fast and has_failed)
            if is_last or time.monotonic() > due:
                started = time.monotonic()
                for member in waiting:
                    member.save()
                saved = time.monotonic()
                due = saved + max(checkpoint_seconds, (saved - started) / CHECKPOINT_SHARE)
            if interrupted():
                raise KeyboardInterrupt
            if is_last or not waiting:
                return


def _learn_alone(member: Member, lesson: Lesson) -> None:
    """One step of one member, whose failure is its own."""
    try:
        member.learn(lesson)
    except Exception as error:
        log.exception("%s failed at step %d", member.name, member.step)
        member.error = error.with_traceback(None)  # whose frames would keep the tensors of this step


def _is_leaving(member: Member) -> bool:
    """Whether a member is done (its weights are then written) or has failed."""
    if member.is_done:
        member.save()
    return member.is_done or member.error is not None


@contextmanager
def _between_steps() -> Iterator[Callable[[], bool]]:
    """Holds back SIGINT and SIGTERM until the step is whole; a second SIGINT interrupts at once."""
    received: list[int] = []

    def remember(number: int, frame: FrameType | None) -> None:
        received.append(number)
        signal.signal(signal.SIGINT, signal.default_int_handler)

    if threading.current_thread() is not threading.main_thread():
        yield lambda: False
        return
    previous = {number: signal.signal(number, remember) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield lambda: bool(received)
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
