"""The one interface behind which every knowledge-distillation method stands."""

from collections.abc import Iterable, Mapping
from typing import ClassVar, Literal, NamedTuple

import torch
from pydantic import BaseModel, ConfigDict
from torch import Tensor, nn

from bench.batch import Batch
from bench.config import RestorationLoss
from bench.losses import RESTORATION_LOSSES
from bench.networks.base import Features, Levels, RestorationNetwork
from bench.registry import Registry
from bench.seeding import generator

TeacherRole = Literal["removal", "reconstruction"]
"""``removal``: the teacher that sees degraded images; ``reconstruction``: the one that sees clean images."""

Role = TeacherRole | Literal["perceptual"]
"""Besides the teachers, ``perceptual``: the frozen network whose encoder features tell images apart: that of the
removal teacher, or VGG19 (`bench.perceptual`)."""


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

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    restoration_loss: RestorationLoss = "rmse"


class Lesson:
    """A batch, and what the teachers say about it.

    Teachers answer on first request and their answers are kept, so that all methods of a cohort share one forward
    pass of each teacher.

    Args:
        batch: The training crops of this step.
        teachers: The frozen networks by role.
        step: The step that is being trained, from 0.
        seed: Of the run; what methods draw depends on it.
        total_steps: Steps of the training, for methods with a schedule.
    """

    def __init__(
        self,
        batch: Batch,
        teachers: Mapping[Role, RestorationNetwork],
        step: int,
        seed: int = 0,
        total_steps: int | None = None,
    ) -> None:
        self.degraded = batch.degraded
        self.clean = batch.clean
        self.step = step
        self.seed = seed
        self.total_steps = total_steps
        self._teachers = teachers
        self._kept = {id(image): image for image in batch}
        self._answers: dict[tuple[int, int], Features] = {}
        self._perceived: dict[tuple[int, int], Levels] = {}

    def split(self, num_parts: int) -> "list[Lesson]":
        """Lessons on parts of the batch, for whom the whole does not fit into memory; teachers answer each anew."""
        batches = zip(self.degraded.chunk(num_parts), self.clean.chunk(num_parts), strict=True)
        return [Lesson(Batch(*batch), self._teachers, self.step, self.seed, self.total_steps) for batch in batches]

    @property
    def progress(self) -> float:
        """The share of the training that is done before this step, in [0, 1).

        Raises:
            ValueError: The lesson was made without ``total_steps``.
        """
        if self.total_steps is None:
            raise ValueError("this method follows a schedule: make its lessons with Lesson(..., total_steps=...)")
        return self.step / self.total_steps

    def generator(self, name: str) -> torch.Generator:
        """The only source of randomness of a method: on the CPU, a function of the run's seed, the step and the name.

        Args:
            name: What the numbers are for: the method's registry name, and more if it needs several generators.
        """
        state = int(generator(name, self.seed, self.step).integers(2**63))
        return torch.Generator().manual_seed(state)

    def teacher(self, role: Role) -> Features:
        """What the teacher says of its own image: ``removal`` of the degraded, ``reconstruction`` of the clean one."""
        return self.ask(role, self.degraded if role == "removal" else self.clean)

    def ask(self, role: Role, image: Tensor) -> Features:
        """What a teacher says of an image, without gradient.

        Args:
            role: The teacher.
            image: ``(N, 3, H, W)``. Answers about ``degraded``, ``clean`` and what a teacher restored of these are
                kept for the other methods.

        Raises:
            KeyError: The method did not list this role in ``teacher_roles``.
        """
        key = id(self._teachers[role]), id(image)
        if key in self._answers:
            return self._answers[key]
        with torch.no_grad():
            answer: Features = self._teachers[role].forward_features(image)
        if id(image) in self._kept:
            self._answers[key] = answer
            self._kept[id(answer.restored)] = answer.restored
        return answer

    def perceive(self, image: Tensor) -> Levels:
        """The perceptual features of an image, finest level first; their gradient reaches the image.

        Args:
            image: ``(N, 3, H, W)``. What is perceived in an image without gradient is kept as by `ask`.

        Raises:
            KeyError: The method did not list ``perceptual`` in ``teacher_roles``.
        """
        network = self._teachers["perceptual"]
        if image.requires_grad and torch.is_grad_enabled():
            return network.encode(image)
        key = id(network), id(image)
        if key in self._answers:  # the teacher that is this network has been asked
            return self._answers[key].encoder
        if key in self._perceived:
            return self._perceived[key]
        with torch.no_grad():
            levels = network.encode(image)
        if id(image) in self._kept:
            self._perceived[key] = levels
        return levels


class OracleLesson(Lesson):
    """The same batch with an oracle in the place of every teacher: it restores the clean image and has no features.

    A method that is trained by it keeps the shape of its output-level terms and loses all knowledge of a teacher.
    What it measures images by is no teacher, and stays: perceptual features are those of the lesson itself.
    """

    def __init__(self, lesson: Lesson) -> None:
        super().__init__(Batch(lesson.degraded, lesson.clean), {}, lesson.step, lesson.seed, lesson.total_steps)
        self._lesson = lesson

    def ask(self, role: Role, image: Tensor) -> Features:
        if role == "perceptual":
            return self._lesson.ask(role, image)
        if id(image) not in self._kept:
            raise ValueError(f"the oracle in the place of the {role} teacher knows only the images of the batch")
        return Features(self.clean, (), ())

    def perceive(self, image: Tensor) -> Levels:
        return self._lesson.perceive(image)


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
        teacher_roles: The networks it asks: teachers, and ``perceptual`` if it compares images by what a network sees.
        pays_for: Teachers that it does not ask, and whose cost it spends on steps of its own instead.
        reference: Where it was published.
        control: The method whose run with an oracle is the control of this one: itself, or the method that it varies.
            None where no term compares outputs with those of a teacher: then ``scratch`` is. What a method has over
            its control came from a teacher, and not from the shape of its loss.
        distances: Terms that vanish where student and teacher are the same network.
        measured: Values of the last forward pass that are no addends of the loss and worth a look, such as terms
            before they are balanced; scalars without gradient.

    Args:
        student: The network that is trained.
        teachers: A description of each teacher: adapters read channel counts from it. Its parameters are not used.
        config: An instance of ``Config``.
    """

    Config: ClassVar[type[MethodConfig]] = MethodConfig
    teacher_roles: ClassVar[tuple[Role, ...]] = ()
    pays_for: ClassVar[tuple[TeacherRole, ...]] = ()
    reference: ClassVar[Reference]
    control: ClassVar[str | None] = None
    distances: ClassVar[tuple[str, ...]] = ()

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
        if role == "perceptual":
            continue
        if reason := no_features(teachers, role):
            return reason
        for part in ("encoder", "decoder"):
            ours, theirs = (len(getattr(network, f"{part}_channels")) for network in (student, teachers[role]))
            if ours != theirs:
                return f"the student has {ours} {part} levels, the {role} teacher {theirs}"
    return None


def no_features(teachers: Mapping[Role, RestorationNetwork], role: TeacherRole) -> str | None:
    """Says that a teacher has no features, or None where it has: for methods that compare no pairs of levels."""
    if teachers[role].encoder_channels:
        return None
    return f"it needs features, and the {role} teacher is known by its output only"


def is_oracle(teachers: Mapping[Role, RestorationNetwork]) -> bool:
    """Whether an oracle takes the place of the teachers: then there are no features to learn from."""
    return any(isinstance(teacher, Oracle) for teacher in teachers.values())


def no_perception(teachers: Mapping[Role, RestorationNetwork]) -> str | None:
    """Says why there are no perceptual features, or None where there are."""
    if teachers["perceptual"].encoder_channels:
        return None
    return "it needs perceptual features, and the removal teacher is known by its output only (see `perceptual: vgg19`)"


METHODS: Registry[type[Distiller]] = Registry("method", "slkd_bench.methods")
