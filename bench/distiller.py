"""The one interface behind which every knowledge-distillation method stands."""

from collections.abc import Iterable, Mapping
from typing import ClassVar, Literal, NamedTuple

import torch
from pydantic import BaseModel, ConfigDict
from torch import Tensor, nn

from bench.batch import Batch
from bench.config import RestorationLoss
from bench.losses import RESTORATION_LOSSES
from bench.networks.base import Features, RestorationNetwork
from bench.registry import Registry

Role = Literal["removal", "reconstruction"]
"""``removal``: the teacher that sees degraded images; ``reconstruction``: the one that sees clean images."""


class Reference(NamedTuple):
    """Where a method was published, and where this implementation differs from that."""

    title: str
    authors: str
    venue: str
    year: int
    url: str
    code_url: str = ""
    deviations: str = ""


class MethodConfig(BaseModel):
    """Hyper-parameters of a method; a method with its own derives from this one.

    Attributes:
        restoration_loss: The distance to the clean image; ``train.restoration_loss`` sets it for all methods of a grid.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    restoration_loss: RestorationLoss = "rmse"


class Lesson:
    """A batch, and what the teachers say about it.

    Teachers answer on first request and their answers are kept, so that all methods of a cohort share one forward
    pass of each teacher.

    Args:
        batch: The training crops of this step.
        teachers: The frozen teachers by role.
        step: The step that is being trained, from 0.
    """

    def __init__(self, batch: Batch, teachers: Mapping[Role, RestorationNetwork], step: int) -> None:
        self.degraded = batch.degraded
        self.clean = batch.clean
        self.step = step
        self._teachers = teachers
        self._answers: dict[Role, Features] = {}

    def teacher(self, role: Role) -> Features:
        """What the teacher says of its own image: ``removal`` of the degraded, ``reconstruction`` of the clean one."""
        if role not in self._answers:
            self._answers[role] = self.ask(role, self.degraded if role == "removal" else self.clean)
        return self._answers[role]

    def ask(self, role: Role, image: Tensor) -> Features:
        """What a teacher says of any ``(N, 3, H, W)`` image, without gradient and not kept.

        Raises:
            KeyError: The method did not list this role in ``teacher_roles``.
        """
        with torch.no_grad():
            features: Features = self._teachers[role].forward_features(image)
        return features


class Distiller(nn.Module):
    """A knowledge-distillation method: turns a `Lesson` into named, weighted loss terms.

    A distiller holds the student and its own adapters as submodules, never a teacher. It does not build optimisers,
    move devices, cast dtypes, seed, log, open files, clamp outputs or see a test set: the harness does.

    Attributes:
        Config: The method's hyper-parameters, with the paper's values as defaults.
        teacher_roles: The teachers it asks.
        reference: Where it was published.

    Args:
        student: The network that is trained.
        teachers: A description of each teacher: adapters read channel counts from it. Its parameters are not used.
        config: An instance of ``Config``.
    """

    Config: ClassVar[type[MethodConfig]] = MethodConfig
    teacher_roles: ClassVar[tuple[Role, ...]] = ()
    reference: ClassVar[Reference]

    def __init__(
        self, student: RestorationNetwork, teachers: Mapping[Role, RestorationNetwork], config: MethodConfig
    ) -> None:
        super().__init__()
        self.student = student
        self.config = config
        self.restoration_loss = RESTORATION_LOSSES[config.restoration_loss]

    def forward(self, lesson: Lesson) -> dict[str, Tensor]:
        """Returns the scalar terms, already weighted; the loss is their sum, their order that of the log."""
        raise NotImplementedError(f"{type(self).__name__} must define forward")

    @classmethod
    def unsupported(cls, student: RestorationNetwork, teachers: Mapping[Role, RestorationNetwork]) -> str | None:
        """Returns why the method cannot train this pair (shown as a footnote), or None where it can.

        A teacher may be known by its output only (no ``encoder_channels``): a method that needs features says so.
        """
        return None


def unequal_levels(
    student: RestorationNetwork, teachers: Mapping[Role, RestorationNetwork], roles: Iterable[Role]
) -> str | None:
    """Says where student and teachers differ in their numbers of levels, or None: for methods that pair levels."""
    for role in roles:
        if not teachers[role].encoder_channels:
            return f"it needs features, and the {role} teacher is known by its output only"
        for part in ("encoder", "decoder"):
            ours, theirs = (len(getattr(network, f"{part}_channels")) for network in (student, teachers[role]))
            if ours != theirs:
                return f"the student has {ours} {part} levels, the {role} teacher {theirs}"
    return None


METHODS: Registry[type[Distiller]] = Registry("method", "slkd_bench.methods")
