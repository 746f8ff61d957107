"""The parameters of a run: what `params.yaml` and the profiles in `configs/` may say."""

import hashlib
import json
import math
import reprlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from bench.plain_yaml import read_yaml
from bench.registry import UnknownNameError

DEFAULT_PROFILE = "default"

MOST_ERRORS = 20
"""Errors of one file that are shown."""

RestorationLoss = Literal["l1", "charbonnier", "mse", "rmse", "l1_fft"]
"""The distances between a restored and a clean image that a grid may choose from: functions of `bench.losses`."""

TeacherKind = Literal["trained", "oracle"]
"""Whom students ask: trained teachers, or an oracle whose restored image is the clean one and who has no features."""

DeviceName = Literal["cpu", "cuda"]
"""Where networks compute."""

Precision = Literal["float32", "tf32", "bf16"]
"""In which precision networks are trained; see `bench.device`."""


def student_label(method: str, teacher: TeacherKind) -> str:
    """What a student is called in tables and paths: its method, and the oracle where it asks one."""
    return f"{method}@oracle" if teacher == "oracle" else method


def _no_truth_value(value: Any) -> Any:
    """Passes on what is not true or false, which YAML also reads from yes, no, on and off, and Python takes for 1, 0.

    Raises:
        ValueError: It is.
    """
    if isinstance(value, bool):
        raise ValueError("expected a number")
    return value


Count = Annotated[int, Field(strict=True, gt=0, le=10**9)]
"""How many there are of something, in a range in which no arithmetic overflows."""
Seed = Annotated[int, Field(strict=True, ge=0, lt=2**63)]
Number = Annotated[float, BeforeValidator(_no_truth_value)]


class Settings(BaseModel):
    """Base of all parameter blocks: immutable; unknown keys and numbers that are not finite are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Training(Settings):
    """How one network is trained: Adam (0.9, 0.999), cosine schedule, the same for every method.

    Attributes:
        steps: Optimiser steps.
        batch_size: Crops a step.
        crop_size: Side of the square crops, in pixels; a multiple of 16, which serves every network.
        learning_rate: At the first step.
        final_learning_rate: At the last step.
        restoration_loss: The distance between restored and clean image, one for all methods.
    """

    steps: Count
    batch_size: Count = 8
    crop_size: Count = Field(default=64, ge=16, multiple_of=16)
    learning_rate: Number = Field(default=1e-3, gt=0, le=1)
    final_learning_rate: Number = Field(default=1e-6, ge=0, le=1)
    restoration_loss: RestorationLoss = "rmse"


class Recipe(Settings):
    """What a task or a grid says of training; what the grid leaves out, its tasks decide.

    Attributes:
        steps: Optimiser steps; instead of ``epochs``.
        epochs: How often every training pair (or clean image) is drawn on average; instead of ``steps``.
    """

    steps: Count | None = None
    epochs: Number | None = Field(default=None, gt=0, le=10**9)
    batch_size: Count | None = None
    crop_size: Count | None = Field(default=None, ge=16, multiple_of=16)
    learning_rate: Number | None = Field(default=None, gt=0, le=1)
    final_learning_rate: Number | None = Field(default=None, ge=0, le=1)
    restoration_loss: RestorationLoss | None = None

    @model_validator(mode="after")
    def _has_one_length(self) -> "Recipe":
        if self.steps and self.epochs:
            raise ValueError("steps and epochs both say how long to train; keep one of them")
        return self

    def over(self, base: "Recipe") -> "Recipe":
        """This recipe, completed by another."""
        values = self.model_dump(exclude_none=True)
        length = {"steps", "epochs"} if values.keys() & {"steps", "epochs"} else set()
        return Recipe(**{**base.model_dump(exclude_none=True, exclude=length), **values})

    def training(self, num_items: Callable[[], int]) -> Training:
        """The training that a complete recipe describes.

        Args:
            num_items: Tells how many training pairs there are; only asked where the recipe counts epochs.
        """
        values = self.model_dump(exclude_none=True, exclude={"epochs"})
        if self.epochs is not None and self.batch_size is not None:
            # Rounded first: 1.1 epochs of 10 pairs are 11 steps of one, whatever binary fractions make of it.
            values["steps"] = math.ceil(round(self.epochs * num_items() / self.batch_size, 6))
        return Training(**values)


class Teachers(Settings):
    """How the teachers are trained, by role.

    Attributes:
        removal: Degraded to clean.
        reconstruction: Clean to clean, without the global residual.
        seed: Of the teachers' initial weights and crops; all students share one pair of teachers.
    """

    removal: Recipe = Recipe()
    reconstruction: Recipe = Recipe()
    seed: Seed = 0


class Sizes(Settings):
    """Size presets of the networks, by their part in the distillation: one for all families, or one by family."""

    teacher: str | dict[str, str] = "mini"
    student: str | dict[str, str] = "micro"

    def of(self, part: Literal["teacher", "student"], network: str) -> str:
        """The size preset of a family.

        Raises:
            ValueError: The grid names presets by family, and none for this one.
        """
        presets = getattr(self, part)
        if isinstance(presets, str):
            return presets
        if network not in presets:
            raise ValueError(f"sizes.{part} names no preset of {network}; it has {', '.join(presets)}")
        preset: str = presets[network]
        return preset


class Tiling(Settings):
    """Restoring large images in tiles, within little memory; scores depend on it, so signatures name it.

    Attributes:
        tile: Side of the square tiles, in pixels; a multiple of the network's size multiple.
        overlap: Pixels that neighbours share; the seam runs through the middle. A multiple likewise.
    """

    tile: Count
    overlap: int = Field(default=128, strict=True, ge=0, le=10**9)

    @property
    def signature(self) -> str:
        """The field ``tile`` of a signature."""
        return f"{self.tile},{self.overlap}"


class Params(Settings):
    """A grid of cells and how to train them.

    Attributes:
        tasks: Registered tasks.
        networks: Registered network families.
        methods: Registered methods.
        seeds: One run per seed; it decides initial weights and crops.
        teacher: Whom the students ask; with ``oracle``, every method that has an own control is trained by it too.
        perceptual: By whose features methods with a perceptual term compare images: those of the removal ``teacher``'s
            encoder, or of ``vgg19``, whose weights are then needed in ``weights/vgg19.pth``.
        sizes: Which preset is the teacher, which the student.
        teachers: Training of the teachers; what is left out, the task decides.
        train: Training of the students; likewise.
        method_configs: Settings of single methods, by name; everything else is the method's default.
        test_sets: Only these of the tasks' test sets; None for all.
        evaluate_on: ``test``, or ``validation``: images held out from the training data, for choosing settings.
        tiling: How test images are cut; None restores each as a whole.
        device: Where networks compute: ``cpu``, or ``cuda``, the GPU.
        precision: Of training: ``float32``; ``bf16``, autocast of networks and losses; on GPUs ``tf32``.
        compile: Whether networks are compiled for training, which takes a minute or two and then less for each step;
            results differ by rounding.
        threads: CPU threads of PyTorch; results on CPU depend on it.
        workers: Threads that read and degrade the next batches while a step runs; results do not depend on it.
        memory_gb: Decoded images to keep in memory for each training or test set, in GiB; the rest is read again.
        data_root: A real set of one task, with ``train`` and ``test`` pairs, that takes the place of the embedded ones.
        test_root: A real set of one task that takes the place of the test sets only.
        checkpoint_seconds: Time between two checkpoints of a running cohort.
    """

    tasks: tuple[str, ...] = Field(min_length=1)
    networks: tuple[str, ...] = Field(min_length=1)
    methods: tuple[str, ...] = Field(min_length=1)
    seeds: tuple[Seed, ...] = Field(min_length=1)
    teacher: tuple[TeacherKind, ...] = Field(default=("trained",), min_length=1)
    perceptual: Literal["teacher", "vgg19"] = "teacher"
    sizes: Sizes = Sizes()
    teachers: Teachers = Teachers()
    train: Recipe = Recipe()
    method_configs: dict[str, dict[str, Any]] = {}
    test_sets: tuple[str, ...] | None = None
    evaluate_on: Literal["test", "validation"] = "test"
    tiling: Tiling | None = None
    device: DeviceName = "cpu"
    precision: Precision = "float32"
    compile: bool = Field(default=False, strict=True)
    threads: int = Field(default=2, strict=True, ge=1, le=1024)
    workers: int = Field(default=1, strict=True, ge=0, le=1024)
    memory_gb: Number = Field(default=2.0, ge=0, le=10**6)
    data_root: Path | None = None
    test_root: Path | None = None
    checkpoint_seconds: Number = Field(default=60.0, gt=0)

    def network_sizes(self) -> list[tuple[str, str]]:
        """Every (network, size preset) of the grid."""
        return [(network, size) for network in self.networks for size in self._presets(network)]

    def _presets(self, network: str) -> tuple[str, str]:
        return self.sizes.of("teacher", network), self.sizes.of("student", network)


def load_params(path: Path, overrides: Mapping[str, Any] | None = None) -> Params:
    """Reads a params file.

    Args:
        path: A YAML file.
        overrides: Values that replace the file's, by dotted key path: ``{"train.steps": 100}``.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: Not YAML, an unknown key, or a value out of range; the message names the key path.
    """
    if not path.is_file():
        raise FileNotFoundError(f"no params file {path}; `python -m bench.run --help` lists the profiles")
    values = read_yaml(path)
    if not isinstance(values, dict):
        raise ValueError(f"{path}: expected a mapping of parameters, got {type(values).__name__}")
    for key, value in (overrides or {}).items():
        _assign(values, key, value)
    try:
        return Params.model_validate(values)
    except ValidationError as error:
        raise ValueError(describe_errors(error, str(path), Params)) from error


def describe_errors(error: ValidationError, source: str, model: type[BaseModel]) -> str:
    """Says in one line per error which key path is wrong, what came and what was expected."""
    lines = []
    for item in error.errors()[:MOST_ERRORS]:
        path = ".".join(map(str, item["loc"]))
        if item["type"] == "extra_forbidden":
            known = _fields_at(model, item["loc"][:-1])
            lines.append(f"{source}: {UnknownNameError('parameter', path, known)}")
        else:
            lines.append(f"{source}: {path}: {item['msg'].lower()}, got {reprlib.repr(item['input'])}")
    if error.error_count() > MOST_ERRORS:
        lines.append(f"{source}: and {error.error_count() - MOST_ERRORS} more")
    return "\n".join(lines)


def digest(value: Any) -> str:
    """The sha256 of a JSON-like value, whatever the order of its keys."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def _assign(values: dict[str, Any], key: str, value: Any) -> None:
    *parents, last = key.split(".")
    for parent in parents:
        values = values.setdefault(parent, {})
        if not isinstance(values, dict):
            raise ValueError(f"parameter {key}: {parent} is not a group of parameters")
    values[last] = value


def _fields_at(model: type[BaseModel], location: tuple[int | str, ...]) -> list[str]:
    """The dotted names of the fields beside an unknown one."""
    for part in location:
        annotation = model.model_fields[str(part)].annotation if str(part) in model.model_fields else None
        kinds = (annotation, *get_args(annotation))  # a group may be left out: its type is a union with None
        models = [kind for kind in kinds if isinstance(kind, type) and issubclass(kind, BaseModel)]
        if not models:
            return []
        model = models[0]
    prefix = "".join(f"{part}." for part in location)
    return [prefix + name for name in model.model_fields]
