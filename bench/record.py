"""Records: the one form in which results are kept. Every table is a function of these files."""

import json
import math
import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from bench.atomic import write_atomically
from bench.config import TeacherKind, digest, student_label

Metrics = dict[str, float]
TEACHER_ROWS = {"removal": "removal teacher", "reconstruction": "reconstruction teacher (sees clean)"}
"""What tables call the teachers."""


class StrictRecord(BaseModel):
    """Base of all records: immutable, unknown fields and numbers that are not finite are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    @field_validator("version", mode="before", check_fields=False)
    @classmethod
    def _is_a_number(cls, version: Any) -> Any:
        """Refuses true, which equals 1 in Python and nowhere else."""
        if isinstance(version, bool):
            raise ValueError("expected a number")
        return version


Record = TypeVar("Record", bound=StrictRecord)


class RunInfo(StrictRecord):
    """The volatile part of a record: differs from run to run of the same cell, and never makes a record stale."""

    seconds: float
    peak_memory_mb: float
    started_at: str
    provenance: dict[str, Any]


class CellRecord(StrictRecord):
    """The scores of one trained network on one test set.

    Attributes:
        network: The registered family, after which the files of its tables are called.
        role: ``student``, or the teacher's role.
        size: The network's size preset.
        teacher: Whom the student asked: trained teachers, or an oracle that restores the clean image.
        control: The row that tells what of the result is due to a teacher: ``scratch``, or a method with an oracle
            (``output_kd@oracle``); empty for the controls themselves.
        status: ``ok``, or ``skipped`` with a reason: the method does not support this pair.
        metrics: Mean over the images, by key; keys carry their unit (``psnr_db``).
        input_metrics: The same metrics of the degraded images themselves.
        unavailable: The metrics of the protocol that could not be computed, and why.
        signatures: By metric key, the definition that was computed.
        terms: The loss terms at the last step.
        initial_sha256: Digest of the network's initial weights, the same for all methods of a cohort; empty where none
            were trained.
        weights_sha256: Digest of the trained weights; empty in records of earlier releases.
        teacher_weights: Digest of the weights of every network that was asked, by role.
        pays_for: The roles of the teachers whose passes the method pays for with steps of its own number.
        micro_batches: In how many parts a batch was taken, their gradients added up, because the whole had not fitted
            into memory; terms that compare the images of a batch see those of a part alone.
        config: Everything that decides the result; ``config_sha256`` is its digest.
        run: Timings and provenance.
    """

    kind: Literal["cell"] = "cell"
    version: Literal[1] = 1
    task: str
    network: str = Field(pattern="^[a-z0-9_]+$")
    size: str
    method: str
    role: Literal["student", "removal", "reconstruction"]
    seed: int
    teacher: TeacherKind = "trained"
    control: str = ""
    test_set: str
    status: Literal["ok", "skipped"]
    reason: str = ""
    protocol: str
    signatures: dict[str, str] = Field(default={})
    metrics: Metrics = Field(default={})
    input_metrics: Metrics = Field(default={})
    unavailable: dict[str, str] = Field(default={})
    num_images: int = 0
    steps: int = 0
    terms: dict[str, float] = Field(default={})
    initial_sha256: str = ""
    weights_sha256: str = ""
    teacher_weights: dict[str, str] = Field(default={})
    pays_for: tuple[str, ...] = ()
    micro_batches: int = 1
    reference: dict[str, str | int] = Field(default={})
    config: dict[str, Any]
    config_sha256: str
    run: RunInfo

    @property
    def label(self) -> str:
        """The row of a table that the record belongs to: the teacher's role, or the method and whom it asks."""
        if self.role != "student":
            return TEACHER_ROWS[self.role]
        return student_label(self.method, self.teacher)


class ScoresRecord(StrictRecord):
    """The scores of a folder of images, or of a network on a test set, outside any grid.

    Attributes:
        metrics: Mean over the images, by key; None where an image is identical to its original, so that none exists.
        unavailable: The metrics of the protocol that could not be computed, and why.
        restored: The folder of the restored images; empty where a network made them.
        clean: The folder of their originals.
        weights: The file of the network's weights.
        task: The task that degraded the test set, if one did.
    """

    kind: Literal["scores"] = "scores"
    version: Literal[1] = 1
    protocol: str
    signatures: dict[str, str]
    metrics: dict[str, float | None]
    unavailable: dict[str, str] = Field(default={})
    num_images: int
    restored: str = ""
    clean: str = ""
    network: str = ""
    size: str = ""
    weights: str = ""
    weights_sha256: str = ""
    test_set: str = ""
    test_data: str = ""
    task: str = ""


class Measured(StrictRecord):
    """What forward passes of a network took on one machine; unlike the counts, another machine or day gives others.

    Attributes:
        latency_ms: Median time of a pass in inference mode, channels-last, in milliseconds.
        latency_iqr_ms: Distance of its quartiles, in milliseconds.
        peak_memory_mb: Largest sum of the bytes of tensors that are alive at one time, in 10^6 bytes, the weights and
            the input included; what a kernel needs inside is not seen. The same on every run.
        batch: Images of a pass.
        threads: CPU threads of PyTorch.
        num_runs: Passes that were timed.
        device: The processor's name.
        torch: The version of PyTorch.
    """

    latency_ms: float
    latency_iqr_ms: float
    peak_memory_mb: float
    batch: int
    threads: int
    num_runs: int
    device: str
    torch: str


class PublishedCost(StrictRecord):
    """The cost of a network as it is printed elsewhere; None for what is not printed there.

    Attributes:
        source: Where it is printed.
        params_m: Parameters in millions.
        macs_g: Multiply-accumulates in 10^9 for an image of 256x256.
    """

    source: str
    params_m: float | None = None
    macs_g: float | None = None


class NetworkRecord(StrictRecord):
    """The cost of one network, for one image; records of earlier releases have None for what these did not count.

    Attributes:
        params_m: Parameters in millions.
        macs_g: Multiply-accumulates in 10^9 of the modules alone: what papers print as FLOPs.
        macs_complete_g: Counted over every matrix product and convolution, with or without a module, in 10^9.
        input_size: Side of the square image that was counted, in pixels; it has the network's number of channels.
        activations_m: Elements that come out of all convolutions and matrix products, in millions.
        weights_mb: Bytes of the tensors of the state dict, in 10^6 bytes; a file has some hundred more for each tensor.
        measured: Time and memory of forward passes; None where they were not measured.
        published: What others print.
    """

    kind: Literal["network"] = "network"
    version: Literal[1] = 1
    network: str
    size: str
    params_m: float
    macs_g: float
    macs_complete_g: float
    input_size: int
    activations_m: float | None = None
    weights_mb: float | None = None
    measured: Measured | None = None
    published: PublishedCost | None = None


def write_record(path: Path, record: StrictRecord) -> None:
    """Writes a record as sorted, indented JSON, atomically."""
    text = json.dumps(record.model_dump(mode="json"), indent=2, sort_keys=True, allow_nan=False)
    write_atomically(path, f"{text}\n".encode())


def read_cell(path: Path) -> CellRecord:
    """Reads the record of a cell.

    Raises:
        ValueError: The file is not a valid record; the message names it and what is wrong.
    """
    record = read_record(path, CellRecord)
    if not record.metrics.keys() == record.input_metrics.keys() <= record.signatures.keys():
        keys = "; ".join(", ".join(part) for part in (record.metrics, record.input_metrics, record.signatures))
        expected = "expected scores by the same metrics for outputs and inputs, and a signature for each"
        raise ValueError(f"{path}: {expected}, got {keys}; delete the file to have it made again")
    if record.config_sha256 != digest(record.config):
        raise ValueError(f"{path}: config_sha256 is not that of config; delete the file to have it made again")
    return record


def read_network(path: Path) -> NetworkRecord:
    """Reads the cost record of a network.

    Raises:
        ValueError: The file is not a valid record; the message names it and what is wrong.
    """
    return read_record(path, NetworkRecord)


def read_scores(path: Path) -> ScoresRecord:
    """Reads the record of scores outside a grid.

    Raises:
        ValueError: The file is not a valid record; the message names it and what is wrong.
    """
    return read_record(path, ScoresRecord)


def read_cells(results: Path) -> Iterator[CellRecord]:
    """All cell records of a results folder, in the order of their paths."""
    return map(read_cell, cell_files(results))


def cell_files(results: Path) -> list[Path]:
    """The files of all cell records of a results folder, in the order of their paths."""
    folders = os.walk(results / "cells")
    found = (Path(folder, name) for folder, _, names in folders for name in names if name.endswith(".json"))
    return sorted(found, key=lambda path: path.parts)


def find_records(name: str, results: Path) -> list[Path]:
    """The records that a name stands for: a record's file, a folder of them, or a cell of a results folder.

    Args:
        name: A path, or a cell's, such as ``denoising/nafnet/seed0/slkd``.
        results: Where such cells are looked up.

    Raises:
        FileNotFoundError: There are none.
    """
    if name.endswith(".json") and Path(name).is_file():
        return [Path(name)]
    for folder in (Path(name), results / "cells" / name):
        if found := sorted(folder.glob("*.json")):
            return found
    raise FileNotFoundError(
        f"{name}: no such record; give a file {results}/cells/**/*.json, or a cell as --dry-run lists them"
    )


def read_networks(results: Path) -> Iterator[NetworkRecord]:
    """All network records of a results folder, in the order of their paths."""
    return map(read_network, sorted((results / "networks").glob("*.json")))


def read_record(path: Path, model: type[Record]) -> Record:
    """Reads a record of any kind.

    Raises:
        ValueError: The file is not a valid record; the message names it and what is wrong.
    """
    content = path.read_bytes()
    try:
        _refuse_ambiguous(content)
        return model.model_validate_json(content, strict=True)
    except ValidationError as error:
        first = error.errors(include_input=False)[0]
        where = ".".join(map(str, first["loc"])) or "the file"
        raise ValueError(f"{path}: {where}: {first['msg']}; delete the file to have it made again") from error
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path}: the file: {error}; delete the file to have it made again") from error


def _refuse_ambiguous(content: bytes) -> None:
    """Refuses JSON that a reader may take for one thing or another.

    Raises:
        ValueError: It is no JSON, a key is there twice, or a number is not finite or has no place in 64 bits.
    """

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        values = dict(pairs)
        if len(values) < len(pairs):
            ((twice, _),) = Counter(key for key, _ in pairs).most_common(1)
            raise ValueError(f"the key {twice!r} is there twice")
        return values

    def finite(text: str) -> float:
        if not math.isfinite(value := float(text)):
            raise ValueError(f"{text} is not finite")
        return value

    def small(text: str) -> int:
        if not -(2**63) <= (value := int(text)) < 2**63:
            raise ValueError(f"{text[:20]}... has no place in 64 bits")
        return value

    json.loads(content, object_pairs_hook=once, parse_float=finite, parse_int=small, parse_constant=finite)
