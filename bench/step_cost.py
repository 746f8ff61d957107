"""What a training step of a method costs: measured beside a step of ``scratch``, in rounds."""

import inspect
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import torch

from bench.batch import Batch
from bench.config import Training
from bench.device import Device
from bench.distiller import METHODS, Distiller, Lesson, Role
from bench.method_record import MethodRecord, StepCost
from bench.networks.base import RestorationNetwork, build_network
from bench.provenance import provenance
from bench.train import Member

TOTAL_STEPS = 10**6
"""Length of the training from which steps are taken."""
CPU = Device("cpu", "float32")


class Setting(NamedTuple):
    """A pair of networks, and the crops of a step."""

    network: str
    teacher: str
    student: str
    batch: int
    crop_size: int


class Course:
    """Steps of methods on one batch, with untrained networks: their values do not matter, their work does.

    Args:
        setting: The networks, and the batch.
        device: Where steps are taken.
    """

    def __init__(self, setting: Setting, device: Device = CPU) -> None:
        self.setting = setting
        self._device = device
        removal, reconstruction = (
            device.place(
                build_network(setting.network, setting.teacher, residual=residual).eval().requires_grad_(False)
            )
            for residual in (True, False)
        )
        self.networks: dict[Role, RestorationNetwork] = {
            "removal": removal, "reconstruction": reconstruction, "perceptual": removal
        }  # fmt: skip
        shape = (setting.batch, 3, setting.crop_size, setting.crop_size)
        clean = torch.rand(shape).contiguous(memory_format=torch.channels_last)
        self.batch = device.move(Batch((clean + 0.1 * torch.randn_like(clean)).clamp(0, 1), clean))
        self._step = 0

    def member(self, name: str) -> Member:
        """A student in training by a method."""
        method = METHODS[name]
        teachers = {role: self.networks[role] for role in method.teacher_roles}
        distiller = method(build_network(self.setting.network, self.setting.student), teachers, method.Config())
        distiller = self._device.place(distiller.to(memory_format=torch.channels_last))
        return Member(name, distiller, Training(steps=TOTAL_STEPS), Path("runs") / "untrained" / name, "")

    def lesson(self) -> Lesson:
        """The lesson of the next step, of which nothing has been asked yet."""
        self._step += 1
        return Lesson(self.batch, self.networks, self._step, 0, TOTAL_STEPS)

    def step(self, members: Sequence[Member]) -> None:
        """A step of some members, which share the teachers' answers."""
        lesson = self.lesson()
        for member in members:
            member.learn(lesson)


def interleaved(functions: Mapping[str, Callable[[], object]], rounds: int, warmups: int = 1) -> dict[str, list[float]]:
    """Seconds of several functions whose calls alternate, so that a drifting machine slows all alike.

    Returns:
        By name, the seconds of each round after the warm-ups.
    """
    times: dict[str, list[float]] = {name: [] for name in functions}
    for number in range(warmups + rounds):
        for name, function in functions.items():
            started = time.perf_counter()
            function()
            if number >= warmups:
                times[name].append(time.perf_counter() - started)
    return times


def measure(names: Sequence[str], setting: Setting, rounds: int) -> dict[str, StepCost]:
    """The cost of a step of each method, alone, over that of ``scratch``."""
    course = Course(setting)
    members = {name: course.member(name) for name in dict.fromkeys(("scratch", *names))}
    times = interleaved({name: lambda m=m: course.step([m]) for name, m in members.items()}, rounds)  # type: ignore[misc]
    machine = {"threads": torch.get_num_threads(), "device": provenance()["processor"], "torch": torch.__version__}
    costs = {}
    for name in names:
        ratios = [ours / alone for ours, alone in zip(times[name], times["scratch"], strict=True)]
        extra = _extra(members[name].distiller)
        costs[name] = StepCost(
            **setting._asdict(), ratio=statistics.median(ratios), num_rounds=rounds, **extra, **machine
        )
    return costs


def _extra(distiller: Distiller) -> dict[str, int]:
    """What a method holds beside the student, in numbers."""
    student = sum(tensor.numel() for tensor in distiller.student.state_dict().values())
    held = sum(tensor.numel() for tensor in distiller.state_dict().values())
    trained = sum(parameter.numel() for parameter in distiller.parameters() if parameter.requires_grad)
    adapters = trained - sum(parameter.numel() for parameter in distiller.student.parameters())
    return {"adapter_params": adapters, "state_elements": held - student - adapters}


def is_of(cost: StepCost, setting: Setting) -> bool:
    """Whether a cost was measured in a setting."""
    return Setting(*(getattr(cost, name) for name in Setting._fields)) == setting


def published_methods() -> list[str]:
    """The registered methods that are no variants of another one, which derive from its class."""
    return [name for name in METHODS if not any(issubclass(METHODS[name], other) for other in _others(name))]


def _others(name: str) -> list[type[Distiller]]:
    return [METHODS[other] for other in METHODS if other != name]


def describe(name: str, costs: Sequence[StepCost] = ()) -> MethodRecord:
    """The record of a method: its docstring, reference and settings, and what was measured.

    Raises:
        ValueError: Its docstring has no section ``Terms:``.
    """
    method = METHODS[name]
    idea, found, terms = (inspect.getdoc(method) or "").partition("\nTerms:\n")
    if not found:
        raise ValueError(f"method {name!r}: its docstring has no section `Terms:`, a bullet for every term")
    about = method.reference._asdict()
    defaults = method.Config().model_dump(mode="json", exclude={"restoration_loss"})
    return MethodRecord(
        name=name,
        **about,
        idea=_one_line(idea),
        terms=tuple(_one_line(term) for term in terms.split("\n- ")[1:]),
        roles=method.teacher_roles,
        control=method.control or "",
        settings=defaults,
        costs=tuple(costs),
    )


def _one_line(text: str) -> str:
    """Flowing text; reStructuredText's literals become Markdown's."""
    return " ".join(text.split()).replace("``", "`")
