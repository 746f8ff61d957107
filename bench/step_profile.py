"""Where the time of a training step goes: batch, teachers, and of each student forward, terms, backward, optimiser."""

import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal, NamedTuple

import torch
from pydantic import Field
from torch import Tensor

from bench.batch import Batch
from bench.config import Precision
from bench.device import Device
from bench.distiller import Lesson, Role
from bench.networks.base import Features, Levels, RestorationNetwork
from bench.record import StrictRecord
from bench.table import Table
from bench.train import Member

Part = Literal["shared", "forward", "terms", "backward", "optimiser"]
Section = tuple[str, Part]
DATA, PERCEPTUAL = "data", "perceptual features"
PARTS: tuple[Part, ...] = ("forward", "terms", "backward", "optimiser")
WARM_UPS = 2
"""Steps before those that are timed: the first choose kernels and touch memory."""


class Row(StrictRecord):
    """What one thing takes of a step, in milliseconds; a median over the steps.

    Attributes:
        name: ``data``, a teacher, or a student's row of the tables.
        parts: Of a student: its forward pass, the loss with what adapters and perceptual features of its own output
            take, the backward pass through all of that, and the optimiser; of what is shared: ``shared``.
        floor_ms: What the multiply-accumulates of the networks alone would take at the rate of a large matrix product:
            of a student three forward passes. None where nothing is counted.
    """

    name: str
    parts: dict[Part, float]
    floor_ms: float | None = None

    @property
    def total_ms(self) -> float:
        """All of it."""
        return sum(self.parts.values())


class ProfileRecord(StrictRecord):
    """Where the time of a training step goes, on one machine.

    Attributes:
        name: The cell or cohort.
        rows: In the order of the step: what is shared by the students first.
        batch_size: Crops of a step.
        crop_size: Their side, in pixels.
        macs_per_second_g: The rate of a large matrix product with these threads, in 10^9.
        num_steps: Steps that were timed.
        threads: CPU threads of PyTorch.
        device: The processor's name, or the GPU's.
        precision: Of the networks.
        is_compiled: Whether networks were compiled.
        torch: The version of PyTorch.
    """

    kind: Literal["profile"] = "profile"
    version: Literal[1] = 1
    name: str
    rows: tuple[Row, ...]
    batch_size: int = Field(gt=0)
    crop_size: int = Field(gt=0)
    macs_per_second_g: float
    num_steps: int
    threads: int
    device: str
    precision: Precision = "float32"
    is_compiled: bool = False
    torch: str


class Stopwatch:
    """Adds up the time of sections; what lies inside another section is not counted there.

    Args:
        wait: Waits until the device has done what was begun.

    Attributes:
        seconds: By section, since the last `reset`.
    """

    def __init__(self, wait: Callable[[], None] = lambda: None) -> None:
        self.seconds: dict[Section, float] = {}
        self._wait = wait
        self._open: list[Section] = []
        self._since = 0.0

    def start(self, section: Section) -> None:
        """Opens a section, and suspends the one that it lies in."""
        self._count()
        self._open.append(section)

    def stop(self) -> None:
        """Closes the section that was opened last, and resumes the one that it lies in."""
        self._count()
        self._open.pop()

    @contextmanager
    def section(self, section: Section) -> Iterator[None]:
        """Opens a section, and closes it however it ends."""
        self.start(section)
        try:
            yield
        finally:
            self.stop()

    def reset(self) -> dict[Section, float]:
        """The seconds up to now, and zero from now on."""
        seconds, self.seconds = self.seconds, {}
        return seconds

    def _count(self) -> None:
        self._wait()
        now = time.perf_counter()
        if self._open:
            self.seconds[self._open[-1]] = self.seconds.get(self._open[-1], 0.0) + now - self._since
        self._since = now


class TimedLesson(Lesson):
    """A lesson that tells a stopwatch when it asks."""

    def __init__(self, watch: Stopwatch, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._watch = watch

    def ask(self, role: Role, image: Tensor) -> Features:
        with self._watch.section((f"{role} teacher", "shared")):
            return super().ask(role, image)

    def perceive(self, image: Tensor) -> Levels:
        if image.requires_grad and torch.is_grad_enabled():
            return super().perceive(image)  # of the student's own output: a part of its terms
        with self._watch.section((PERCEPTUAL, "shared")):
            return super().perceive(image)


class Course(NamedTuple):
    """What is profiled.

    Attributes:
        members: The students, by their rows; they are trained.
        teachers: The networks that they ask, by role.
        draw: Gives the batch of a step, in the CPU's memory.
        seed: Of the run.
        total_steps: Of the training, for methods with a schedule.
        device: Where students and teachers are.
    """

    members: Mapping[str, Member]
    teachers: Mapping[Role, RestorationNetwork]
    draw: Callable[[int], Batch]
    seed: int
    total_steps: int
    device: Device


def profile_steps(course: Course, num_steps: int, trace: Path | None = None) -> list[dict[Section, float]]:
    """Takes training steps, and tells the seconds of every section in each.

    Args:
        course: The students.
        num_steps: Steps that are timed.
        trace: Where operators of one more step are written, for chrome://tracing or Perfetto.
    """
    watch = Stopwatch(course.device.wait)
    distillers = [member.distiller for member in course.members.values()]
    networks = [*course.teachers.values(), *(distiller.student for distiller in distillers)]
    times = []
    with course.device.training(distillers, networks):
        for name, member in course.members.items():
            _time(member, name, watch)
        for step in range(WARM_UPS + num_steps):
            _step(course, watch, step)
            seconds = watch.reset()
            times += [seconds] if step >= WARM_UPS else []
        if trace is not None:
            with torch.profiler.profile() as profiler:
                _step(course, watch, WARM_UPS + num_steps)
    if trace is not None:
        trace.parent.mkdir(parents=True, exist_ok=True)
        profiler.export_chrome_trace(str(trace))
    return times


def _step(course: Course, watch: Stopwatch, step: int) -> None:
    with watch.section((DATA, "shared")):
        batch = course.device.move(course.draw(step))
    lesson = TimedLesson(watch, batch, course.teachers, step, course.seed, course.total_steps)
    for name, member in course.members.items():
        with watch.section((name, "optimiser")):
            member.learn(lesson)


def _time(member: Member, name: str, watch: Stopwatch) -> None:
    """Has a member tell the stopwatch where it is: between optimiser and optimiser come terms, then backward."""
    distiller, student = member.distiller, member.distiller.student

    def leave_terms(*_: Any) -> None:
        watch.stop()
        watch.start((name, "backward"))

    distiller.register_forward_pre_hook(lambda *_: watch.start((name, "terms")))
    distiller.register_forward_hook(leave_terms)
    member.optimizer.register_step_pre_hook(lambda *_: watch.stop())
    for passes in ("forward_features", "encode"):
        original = getattr(student, passes)

        def timed(image: Tensor, original: Callable[[Tensor], Any] = original) -> Any:
            with watch.section((name, "forward")):
                return original(image)

        # Where networks are compiled, the stopwatch is not, and what it times is.
        setattr(student, passes, torch.compiler.disable(timed, recursive=False))


def rows(times: Sequence[Mapping[Section, float]], floors_ms: Mapping[str, float]) -> tuple[Row, ...]:
    """The medians over the steps, in the order in which sections were met, what is shared first.

    Args:
        times: By section, the seconds of each step.
        floors_ms: By name, what its multiply-accumulates would take.
    """
    names = dict.fromkeys(name for step in times for name, part in step if part == "shared")
    names |= dict.fromkeys(name for step in times for name, _ in step)
    found = []
    for name in names:
        sections = dict.fromkeys((name, part) for part in ("shared", *PARTS))
        known = [section for section in sections if any(section in step for step in times)]
        medians = {part: 1e3 * statistics.median(step.get((name, part), 0.0) for step in times) for _, part in known}
        found.append(Row(name=name, parts=medians, floor_ms=floors_ms.get(name)))
    return tuple(found)


def matmul_rate(device: Device, size: int, seconds: float = 1.0) -> float:
    """Multiply-accumulates a second of the product of two square matrices, in the precision: the best of some."""
    left, right = device.move(Batch(torch.rand(size, size), torch.rand(size, size)))
    product = device.in_precision(torch.matmul)
    best, started = float("inf"), time.perf_counter()
    while time.perf_counter() - started < seconds:
        before = time.perf_counter()
        product(left, right)
        device.wait()
        best = min(best, time.perf_counter() - before)
    return size**3 / best


def profile_table(record: ProfileRecord) -> Table:
    """A profile as a table: a row for what is shared, and for each student."""
    total = sum(row.total_ms for row in record.rows)
    floor = sum(row.floor_ms or 0.0 for row in record.rows)
    way = f"{record.precision}{', compiled' if record.is_compiled else ''}"
    whole = Row(name="all", parts={"shared": total}, floor_ms=floor or None)
    header = ("", *PARTS, "ms", "share", "floor, ms", "times the floor")
    notes = (
        f"Batches of {record.batch_size} crops of {record.crop_size}x{record.crop_size}, untrained networks, medians "
        f"of {record.num_steps} steps; CPU threads: {record.threads}, {record.device}, {way}, "
        f"PyTorch {record.torch}.",
        "forward: of the student. terms: the loss, with adapters and what the student's own output shows the "
        "perceptual network. backward: through all of that. data: as if no worker drew ahead.",
        f"floor: the multiply-accumulates of the networks alone, of a student's step three forward passes, at "
        f"{record.macs_per_second_g:.1f} G a second, the rate of a product of two large matrices.",
    )
    cells = tuple(_cells(row, total) for row in (*record.rows, whole))
    return Table(f"{record.name}: a training step", header, cells, notes)


def _cells(row: Row, total: float) -> tuple[str, ...]:
    parts = [f"{row.parts[part]:.1f}" if part in row.parts else "" for part in PARTS]
    floor = ("", "") if row.floor_ms is None else (f"{row.floor_ms:.1f}", f"{row.total_ms / row.floor_ms:.1f}")
    return (row.name, *parts, f"{row.total_ms:.1f}", f"{100 * row.total_ms / total:.1f} %", *floor)
