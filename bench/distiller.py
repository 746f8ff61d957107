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


class Panels(NamedTuple):
    """A figure of what a method sees.

    Attributes:
        caption: What to look at.
        rows: By title, panels from left to right, such as the levels of a network, finest first: ``(K, 3, H, W)``
            images in [0, 1], beyond which they are clipped; or ``(K, 1, H, W)`` maps, which share one colour scale.
    """

    caption: str
    rows: dict[str, Tensor]


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
        self._answers: dict[tuple[Role, int], Features] = {}

    def teacher(self, role: Role) -> Features:
        """What the teacher says of its own image: ``removal`` of the degraded, ``reconstruction`` of the clean one."""
        return self.ask(role, self.degraded if role == "removal" else self.clean)

    def ask(self, role: Role, image: Tensor) -> Features:
        """What a teacher says of an image, without gradient.

        Args:
            role: The teacher.
            image: ``(N, 3, H, W)``. Answers about ``degraded`` and ``clean`` are kept for the other methods.

        Raises:
            KeyError: The method did not list this role in ``teacher_roles``.
        """
        if not (image is self.degraded or image is self.clean):
            return self._answer(role, image)
        key = role, id(image)
        if key not in self._answers:
            self._answers[key] = self._answer(role, image)
        return self._answers[key]

    def _answer(self, role: Role, image: Tensor) -> Features:
        with torch.no_grad():
            features: Features = self._teachers[role].forward_features(image)
        return features


class OracleLesson(Lesson):
    """The same batch with an oracle in the place of every teacher: it restores the clean image and has no features.

    A method that is trained by it keeps the shape of its output-level terms and loses all knowledge of a teacher.
    """

    def __init__(self, lesson: Lesson) -> None:
        super().__init__(Batch(lesson.degraded, lesson.clean), {}, lesson.step)

    def _answer(self, role: Role, image: Tensor) -> Features:
        if not (image is self.degraded or image is self.clean):
            raise ValueError(f"the oracle in the place of the {role} teacher knows only the images of the batch")
        return Features(self.clean, (), ())


class Oracle(RestorationNetwork):
    """The description of an oracle that methods are built with: known by its output only."""

    encoder_channels = decoder_channels = ()
    size_multiple = 1


class Distiller(nn.Module):
    """A knowledge-distillation method: turns a `Lesson` into named, weighted loss terms.

    A distiller holds the student and its own adapters as submodules, never a teacher. It does not build optimisers,
    move devices, cast dtypes, seed, log, open files, clamp outputs or see a test set: the harness does.

    Attributes:
        Config: The method's hyper-parameters, with the paper's values as defaults.
        teacher_roles: The teachers it asks.
        reference: Where it was published.
        control: The method whose run with an oracle is the control of this one: itself, or the method that it varies.
            None where no term compares outputs with those of a teacher: then ``scratch`` is. What a method has over
            its control came from a teacher, and not from the shape of its loss.
        measured: Values of the last forward pass that are no addends of the loss and worth a look, such as terms
            before they are balanced; scalars without gradient.

    Args:
        student: The network that is trained.
        teachers: A description of each teacher: adapters read channel counts from it. Its parameters are not used.
        config: An instance of ``Config``.
    """

    Config: ClassVar[type[MethodConfig]] = MethodConfig
    teacher_roles: ClassVar[tuple[Role, ...]] = ()
    reference: ClassVar[Reference]
    control: ClassVar[str | None] = None

    def __init__(
        self, student: RestorationNetwork, teachers: Mapping[Role, RestorationNetwork], config: MethodConfig
    ) -> None:
        super().__init__()
        self.student = student
        self.config = config
        self.restoration_loss = RESTORATION_LOSSES[config.restoration_loss]
        self.measured: dict[str, Tensor] = {}

    def forward(self, lesson: Lesson) -> dict[str, Tensor]:
        """Returns the scalar terms, already weighted; the loss is their sum, their order that of the log."""
        raise NotImplementedError(f"{type(self).__name__} must define forward")

    def pictures(self, lesson: Lesson) -> dict[str, Panels]:
        """What the method sees in an image, for ``python -m bench explain``; by default nothing.

        Args:
            lesson: A single test image, and what the teachers say about it. Called without gradient.

        Returns:
            Figures by the name of their file.
        """
        return {}

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
