"""What goes into each cell of a grid: networks, teachers, data, and its resolved configuration."""

import math
from collections.abc import Iterable
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from pydantic import ValidationError

from bench.cell import Cell, Cohort, Filters, Workspace, expand, teacher_cell
from bench.checkpoint import read_checkpoint
from bench.complexity import complete_macs, record_path
from bench.config import Params, Training, describe_errors, digest, student_label
from bench.datasets.base import Shelf
from bench.device import Device
from bench.distiller import METHODS, MethodConfig, Oracle, Role
from bench.evaluate import score
from bench.fingerprint import UNNAMED, Definition, Roots, fingerprint
from bench.imported import ImportedTeacher
from bench.ingredients import initial_network, new_distiller, training_batch
from bench.ledger import Ledger, Note
from bench.metrics.metric import METRICS, WEIGHTS
from bench.metrics.protocol import Protocol
from bench.networks.base import NETWORKS, RestorationNetwork
from bench.perceptual import VGG19Weights
from bench.record import read_cell, read_network
from bench.registry import UnknownNameError
from bench.sources import TaskData
from bench.stamps import Stamps, stamps_of
from bench.tasks.base import TASKS
from bench.train import Member, fit

INPUT_SIZE = 256
"""Side of the image for which networks are counted."""


class Planner:
    """Resolves the cells of one grid."""

    def __init__(self, params: Params, workspace: Workspace) -> None:
        self.params = params
        self.workspace = workspace
        self._data: dict[str, TaskData] = {}
        self._imported: dict[Cell, ImportedTeacher | None] = {}
        self._described: dict[tuple[str, str, bool], RestorationNetwork] = {}
        self._identities: dict[Cell, str] = {}
        self._on_record: dict[Cell, tuple[Stamps, frozenset[str]]] = {}
        self._macs_of: dict[tuple[str, str], int] = {}
        self.vgg19 = VGG19Weights.find() if params.perceptual == "vgg19" else None

    def data(self, task: str) -> TaskData:
        """The data of a task."""
        if task not in self._data:
            shelf = Shelf(self.workspace.data, self.workspace.datasets)
            self._data[task] = TaskData(task, self.params, shelf)
        return self._data[task]

    def cohorts(self, filters: Filters) -> list[Cohort]:
        """The cohorts to run, the teachers they need first.

        Raises:
            UnknownNameError: The grid or a filter has a name that is not registered or not in the grid.
        """
        for method in self.params.method_configs:
            METHODS[method]  # an unknown name must not pass for a method that keeps its defaults
        for name in self.params.test_sets or ():
            if name not in (known := {t for task in self.params.tasks for t in TASKS[task].test_sets}):
                raise UnknownNameError("test set of these tasks", name, known)
        expanded = [Cohort(tuple(filter(self._exists, cohort.cells))) for cohort in expand(self.params, filters)]
        students = [cohort for cohort in expanded if cohort.cells]
        if not students:
            methods = ", ".join(filters.methods or self.params.methods)
            raise ValueError(f"nothing to ask an oracle: {methods} has no term that compares outputs with a teacher's")
        cells = [cell for cohort in students for cell in cohort.cells]
        teachers = {teacher: None for cell in cells for teacher in self.teachers(cell).values()}
        return [*(Cohort((teacher,)) for teacher in teachers), *students]

    def _exists(self, cell: Cell) -> bool:
        """Whether a student's cell is one of its own: with an oracle, variants of a method are alike."""
        return cell.teacher == "trained" or METHODS[cell.method].control == cell.method

    def control(self, cell: Cell) -> str:
        """The row that tells what of a student's result is due to a teacher; empty for the controls themselves."""
        if cell.role != "student" or cell.teacher == "oracle" or not METHODS[cell.method].teacher_roles:
            return ""
        control = METHODS[cell.method].control
        return student_label(control, "oracle") if control else "scratch"

    def teachers(self, cell: Cell) -> dict[Role, Cell]:
        """The trained networks that a student's cell asks, by role: an oracle takes the place of its teachers only."""
        asked: dict[Role, Cell] = {}
        for role in self.asked(cell):
            if role != "perceptual":
                asked[role] = teacher_cell(cell.task, cell.network, role, self.params)
            elif not self.vgg19:
                asked[role] = teacher_cell(cell.task, cell.network, "removal", self.params)
        return asked

    def asked(self, cell: Cell) -> tuple[Role, ...]:
        """The roles of the networks with weights that a cell asks."""
        roles = METHODS[cell.method].teacher_roles if cell.role == "student" else ()
        return tuple(role for role in roles if role == "perceptual" or cell.teacher == "trained")

    def perceptual(self, cell: Cell) -> dict[str, str] | None:
        """Which network's features a method compares images by, for its configuration; None where it does not."""
        if cell.role != "student" or "perceptual" not in METHODS[cell.method].teacher_roles:
            return None
        if self.vgg19:
            return {"features": "VGG19", "sha256": self.vgg19.sha256}
        return {"features": "removal teacher", "sha256": self.identity(self.teachers(cell)["perceptual"])}

    def method_config(self, cell: Cell) -> MethodConfig:
        """The method's hyper-parameters: its defaults, the grid's restoration loss, and what the params file sets.

        Raises:
            ValueError: The params file sets one that does not exist or is out of range; the message has its key path.
        """
        values = {"restoration_loss": self.training(cell).restoration_loss}
        if cell.role == "student":
            values |= self.params.method_configs.get(cell.method, {})
        config = METHODS[cell.method].Config
        try:
            return config.model_validate(values)
        except ValidationError as error:
            raise ValueError(describe_errors(error, f"method_configs.{cell.method}", config)) from error

    def training(self, cell: Cell) -> Training:
        """How a cell is trained: by the grid's recipe, with more steps if the method pays for teachers by steps."""
        recipe = self.recipe(cell)
        roles = METHODS[cell.method].pays_for if cell.role == "student" else ()
        if not roles:
            return recipe
        paid = [self.macs(teacher_cell(cell.task, cell.network, role, self.params)) for role in roles]
        # A step is a forward pass of the student and a backward pass that costs two.
        return recipe.model_copy(update={"steps": round(recipe.steps * (1 + sum(paid) / (3 * self.macs(cell))))})

    def recipe(self, cell: Cell) -> Training:
        """What the grid says of a cell's training, completed by the task."""
        data = self.data(cell.task)
        return cell.recipe(self.params).over(data.task.recipe).training(lambda: data.num_training)

    def macs(self, cell: Cell) -> int:
        """Multiply-accumulates of a forward pass of a cell's network; counted unless a run has kept its record."""
        key = cell.network, self.size(cell)
        if key not in self._macs_of:
            path = record_path(self.workspace.results, *key)
            record = read_network(path) if path.exists() else None
            if record is not None and record.input_size == INPUT_SIZE:
                self._macs_of[key] = round(record.macs_complete_g * 1e9)
            else:
                self._macs_of[key] = complete_macs(self._describe(cell), INPUT_SIZE)
        return self._macs_of[key]

    def imported(self, cell: Cell) -> ImportedTeacher | None:
        """The weights from a file that take the place of training a teacher, or None."""
        if cell not in self._imported:
            path = self.workspace.imported(cell)
            self._imported[cell] = ImportedTeacher.read(path) if cell.role != "student" and path.exists() else None
        return self._imported[cell]

    def size(self, cell: Cell) -> str:
        """The size preset of a cell's network."""
        imported = self.imported(cell)
        return imported.architecture.size if imported else cell.size(self.params)

    def build(self, cell: Cell) -> RestorationNetwork:
        """The network of a cell: with its seeded initial weights, or those that were imported."""
        imported = self.imported(cell)
        if imported:
            return imported.network
        return initial_network(cell, cell.size(self.params))

    def resolve(self, cell: Cell) -> dict[str, Any]:
        """Everything that decides a cell's trained weights: code by module, images and teachers by digest."""
        imported = self.imported(cell)
        if imported:
            about = {"task": cell.task, "role": cell.role, "network": cell.network, "threads": self.params.threads}
            config = about | {"imported": imported.identity}
        else:
            config = self._resolve_trained(cell)
        if cell not in self._identities:
            self._identities[cell] = digest(config)
        return config

    def _resolve_trained(self, cell: Cell) -> dict[str, Any]:
        perceptual = self.perceptual(cell)
        asked = {role: self.identity(teacher) for role, teacher in self.teachers(cell).items() if role != "perceptual"}
        return {
            "task": cell.task,
            "role": cell.role,
            "network": cell.network,
            "size": cell.size(self.params),
            "method": cell.method,
            "method_config": self.method_config(cell).model_dump(mode="json"),
            "training": self.training(cell).model_dump(mode="json"),
            "seed": cell.seed,
            "threads": self.params.threads,
            "training_data": self.data(cell.task).training_digest,
            "teachers": "oracle" if cell.teacher == "oracle" else asked,
            **({"perceptual": perceptual} if perceptual else {}),
            **self._unusual_device(),
            "code": fingerprint(*self.training_code(cell)),
            "method_code": fingerprint(*self.method_code(cell)),
        }

    @cached_property
    def device(self) -> Device:
        """Where networks compute.

        Raises:
            ValueError: PyTorch sees no such device.
        """
        return Device(self.params.device, self.params.precision, self.params.compile)

    def _unusual_device(self) -> dict[str, Any]:
        """Where weights are trained and how, unless that is the CPU, in float32 and not compiled, as ever."""
        device, precision = self.params.device, self.params.precision
        unusual = {"device": device, "precision": precision} if (device, precision) != ("cpu", "float32") else {}
        return unusual | ({"compile": True} if self.params.compile else {})

    def identity(self, cell: Cell) -> str:
        """The digest of a cell's configuration."""
        if cell not in self._identities:
            self.resolve(cell)
        return self._identities[cell]

    def training_code(self, cell: Cell) -> Roots:
        """The code that trains a cell, the same for all methods of its cohort."""
        data = self.data(cell.task)
        makes = (initial_network, new_distiller, training_batch, Member, fit)
        return (NETWORKS[cell.network], *makes, type(data.training), type(data.task.degradation))

    def method_code(self, cell: Cell) -> Roots:
        """The code of a cell's method, and of the network by whose features it compares images."""
        compares = (VGG19Weights,) if self.vgg19 and self.perceptual(cell) else ()
        return (METHODS[cell.method], *compares)

    def scoring_code(self, cell: Cell, test_set: str) -> Roots:
        """The code that decides the scores of a trained network on a test set."""
        data = self.data(cell.task)
        metrics = (Definition(METRICS.origin(name), UNNAMED) for name in data.protocol(test_set).metrics.values())
        shows = (type(data.test_sets[test_set]), type(data.task.degradation))
        return (score, Protocol, NETWORKS[cell.network], *shows, *metrics)

    def pair(self, cell: Cell) -> tuple[RestorationNetwork, dict[Role, RestorationNetwork]]:
        """The networks of a cell and of those it asks by role; without memory for weights unless imported."""
        roles = METHODS[cell.method].teacher_roles if cell.role == "student" else ()
        teachers: dict[Role, RestorationNetwork] = {}
        if cell.teacher == "oracle":
            teachers |= dict.fromkeys(roles, Oracle())
        if self.vgg19 and "perceptual" in roles:
            teachers["perceptual"] = self.vgg19.description
        for role, teacher in self.teachers(cell).items():
            teachers[role] = self._describe(teacher)
        return self._describe(cell), teachers

    def _describe(self, cell: Cell) -> RestorationNetwork:
        """A network like that of a cell; those that were not imported are built once for all cells that are alike."""
        if self.imported(cell):
            return self.build(cell)
        key = cell.network, self.size(cell), cell.role == "reconstruction"
        if key not in self._described:
            with torch.device("meta"):
                self._described[key] = self.build(cell).eval()
        return self._described[key]

    def check_crops(self, cell: Cell, networks: Iterable[RestorationNetwork]) -> None:
        """Checks that the crops of a cell fit the networks that see them.

        Raises:
            ValueError: They do not; the message has what their side must be a multiple of.
        """
        side = self.training(cell).crop_size
        multiple = math.lcm(*(network.size_multiple for network in networks))
        if side % multiple:
            part = "train" if cell.role == "student" else f"teachers.{cell.role}"
            raise ValueError(f"{part}.crop_size: {cell.path} needs a multiple of {multiple}, got {side}")

    def record_config(self, cell: Cell, test_set: str, config: dict[str, Any]) -> dict[str, Any]:
        """Everything that decides a record: the cell's configuration, the test set and its protocol."""
        protocol = self.data(cell.task).protocol(test_set)
        return {
            **config,
            "test_set": test_set,
            "test_data": self.data(cell.task).test_digests[test_set],
            "signatures": protocol.signatures(self.params.tiling),
            "scoring_code": fingerprint(*self.scoring_code(cell, test_set)),
        }

    def checkpoint(self, cell: Cell) -> dict[str, Any] | None:
        """The state that a cell resumes from: of this configuration, and of the teachers that are on record."""
        state = read_checkpoint(self.workspace.checkpoint(cell), self.identity(cell))
        if state is None or any(
            self.has_changed(cell, role, asked) for role, asked in state["teacher_weights"].items()
        ):
            return None
        return state

    def trained(self, cell: Cell) -> dict[str, Any] | None:
        """The finished checkpoint of a cell, or None where its training is not complete."""
        state = self.checkpoint(cell)
        return state if state and state["step"] >= self.training(cell).steps else None

    def has_changed(self, cell: Cell, role: str, asked: str) -> bool:
        """Whether a teacher is on record with other weights than a student asked, as if it was trained elsewhere since.

        Args:
            cell: The student.
            role: The teacher.
            asked: Digest of the weights that were asked.
        """
        teacher = next((teacher for known, teacher in self.teachers(cell).items() if known == role), None)
        known = self._weights_on_record(teacher) if teacher else frozenset()
        return bool(known) and asked not in known

    def _weights_on_record(self, teacher: Cell) -> frozenset[str]:
        """Digests of the weights that are on record of a teacher, read again where a record has changed."""
        paths = [self.workspace.record(teacher, name) for name in self.data(teacher.task).test_sets]
        stamps = stamps_of(paths)
        if teacher not in self._on_record or self._on_record[teacher][0] != stamps:
            weights = frozenset(read_cell(path).weights_sha256 for path in paths if path.exists()) - {""}
            self._on_record[teacher] = stamps, weights
        return self._on_record[teacher][1]

    @cached_property
    def ledger(self) -> Ledger:
        """What is known to be up to date."""
        return Ledger(self.params, self.workspace)

    def recall(self, cell: Cell) -> Note | None:
        """What the ledger knows of a cell that is up to date; None where its files or its teachers' have changed."""
        known = self.ledger.recall(cell.path)
        return known if known and known.asked == self._asked_stamp(cell) else None

    def note(self, cell: Cell) -> Note:
        """How the files of a cell and of its teachers are now, for the ledger."""
        return Note("", stamps_of(self.files(cell)), self._asked_stamp(cell))

    def _asked_stamp(self, cell: Cell) -> str:
        asked = dict.fromkeys(self.teachers(cell).values())
        return digest([stamps_of(self.files(teacher)) for teacher in asked]) if asked else ""

    def files(self, cell: Cell) -> list[Path]:
        """The files that decide whether a cell is up to date and no other, whether they are there or not."""
        own = (self.workspace.record(cell, test_set) for test_set in self.data(cell.task).test_sets)
        return [*own, self.workspace.imported(cell)]

    def shared_files(self, cells: Iterable[Cell]) -> set[Path]:
        """The files that decide whether many cells are up to date: images, metrics' weights, the source of methods.

        Their folders are among them: these change when a file is added.
        """
        cells = list(cells)
        sets = map(self.data, {cell.task for cell in cells})
        items = (item for data in sets for pairs in (data.training, *data.test_sets.values()) for item in pairs.items)
        found = {picture.path for item in items for picture in item.pictures} | {*WEIGHTS.glob("*"), WEIGHTS}
        specs = map(find_spec, fingerprint(*{METHODS[cell.method] for cell in cells}))
        found |= {Path(spec.origin) for spec in specs if spec and spec.origin}
        return found | {path.parent for path in found}
