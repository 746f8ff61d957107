"""The one training loop: a cohort of distillers, in lockstep on the same batches."""

import io
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
from typing import Any

import torch

from bench.config import Training
from bench.distiller import Distiller, Lesson, OracleLesson
from bench.record import write_atomically

log = logging.getLogger(__name__)


NUM_HISTORY_ROWS = 40
"""A training's history has about this many rows; each is the mean over the steps since the row before."""


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
        terms = self.distiller(OracleLesson(lesson) if self.asks_oracle else lesson)
        self.terms = {name: term.item() for name, term in terms.items()}
        if not all(map(math.isfinite, self.terms.values())):
            values = ", ".join(f"{name}={value:.4g}" for name, value in self.terms.items())
            raise DivergedError(f"{self.name}: the loss is not finite at step {self.step} ({values})")
        self.optimizer.zero_grad(set_to_none=True)
        torch.stack(list(terms.values())).sum().backward()
        self.optimizer.step()
        self.step += 1
        self._remember()

    def _remember(self) -> None:
        """Adds the step that was taken to the history."""
        self._recent.append(self.terms | {name: value.item() for name, value in self.distiller.measured.items()})
        if self.is_done or len(self._recent) >= self.training.steps / NUM_HISTORY_ROWS:
            means = {name: math.fsum(row[name] for row in self._recent) / len(self._recent) for name in self._recent[0]}
            self.history.append({"step": self.step, **means})
            self._recent.clear()

    def save(self) -> None:
        """Writes the checkpoint, atomically; a finished one keeps no optimiser state."""
        state = {
            "config_sha256": self.config_sha256,
            "about": self.about,
            "step": self.step,
            "terms": self.terms,
            "history": self.history,
            "recent": self._recent,
            "distiller": self.distiller.state_dict(),
            "optimizer": None if self.is_done else self.optimizer.state_dict(),
        }
        buffer = io.BytesIO()
        torch.save(state, buffer)
        write_atomically(self.checkpoint, buffer.getvalue())

    def resume(self) -> None:
        """Takes up the checkpoint where there is one of this very cell; otherwise starts at step 0."""
        state = read_checkpoint(self.checkpoint, self.config_sha256)
        if state is None:
            return
        self.distiller.load_state_dict(state["distiller"])
        self.step, self.terms = state["step"], state["terms"]
        self.history, self._recent = state.get("history", []), state.get("recent", [])
        if state["optimizer"] is not None:
            self.optimizer.load_state_dict(state["optimizer"])


def read_checkpoint(path: Path, config_sha256: str) -> dict[str, Any] | None:
    """The state in a checkpoint, or None where there is none of the cell with this configuration."""
    if not path.exists():
        return None
    try:
        state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
        is_current = state["config_sha256"] == config_sha256
    except Exception as error:  # noqa: BLE001 - torch.load raises almost anything on a damaged file
        log.warning("%s: damaged checkpoint, training starts again (%s)", path, type(error).__name__)
        return None
    return state if is_current else None


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
) -> None:
    """Trains all members to their last step; a member that fails leaves alone, with its ``error`` set.

    Args:
        members: The cohort. A member that resumes at a later step joins when the others reach it.
        teach: Gives the lesson of a step.
        checkpoint_seconds: Time between checkpoints; one is always written at the end.
        watch: Called after every step.

    Raises:
        KeyboardInterrupt: SIGINT or SIGTERM came; the checkpoints are those of the last whole step.
    """
    waiting = [member for member in members if not member.is_done]
    total = max((member.training.steps for member in waiting), default=0)
    saved_at = time.monotonic()
    with _between_steps() as interrupted:
        for step in range(min((member.step for member in waiting), default=0), total):
            lesson = teach(step)
            for member in waiting:
                if member.step == step:
                    _learn_alone(member, lesson)
            watch(step, waiting)
            waiting = [member for member in waiting if not _is_leaving(member)]
            if interrupted() or time.monotonic() - saved_at > checkpoint_seconds:
                for member in waiting:
                    member.save()
                saved_at = time.monotonic()
            if interrupted():
                raise KeyboardInterrupt


def _learn_alone(member: Member, lesson: Lesson) -> None:
    """One step of one member, whose failure is its own."""
    try:
        member.learn(lesson)
    except Exception as error:
        member.error = error
        log.exception("%s failed at step %d; the rest of its cohort goes on", member.name, member.step)


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
