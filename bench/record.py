"""Records: the one form in which results are kept. Every table is a function of these files."""

import csv
import io
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

Metrics = dict[str, float]
Record = TypeVar("Record", "CellRecord", "NetworkRecord")


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class RunInfo(_Strict):
    """The volatile part of a record: differs from run to run of the same cell, and never makes a record stale."""

    seconds: float
    peak_memory_mb: float
    started_at: str
    provenance: dict[str, Any]


class CellRecord(_Strict):
    """The scores of one trained network on one test set.

    Attributes:
        role: ``student``, or the teacher's role.
        size: The network's size preset.
        status: ``ok``, or ``skipped`` with a reason: the method does not support this pair.
        metrics: Mean over the images, by key; keys carry their unit (``psnr_db``).
        input_metrics: The same metrics of the degraded images themselves.
        signatures: By metric key, the definition that was computed.
        terms: The loss terms at the last step.
        config: Everything that decides the result; ``config_sha256`` is its digest.
        run: Timings and provenance.
    """

    kind: Literal["cell"] = "cell"
    version: Literal[1] = 1
    task: str
    network: str
    size: str
    method: str
    role: Literal["student", "removal", "reconstruction"]
    seed: int
    test_set: str
    status: Literal["ok", "skipped"]
    reason: str = ""
    protocol: str
    signatures: dict[str, str] = Field(default={})
    metrics: Metrics = Field(default={})
    input_metrics: Metrics = Field(default={})
    num_images: int = 0
    steps: int = 0
    terms: dict[str, float] = Field(default={})
    reference: dict[str, str | int] = Field(default={})
    config: dict[str, Any]
    config_sha256: str
    run: RunInfo


class NetworkRecord(_Strict):
    """The cost of one network.

    Attributes:
        params_m: Parameters in millions.
        macs_g: Multiply-accumulates in 10^9, counted by module hooks: what papers print as FLOPs.
        macs_complete_g: Counted over every matrix product and convolution, with or without a module.
        input_size: Side of the square RGB image that was counted, in pixels.
    """

    kind: Literal["network"] = "network"
    version: Literal[1] = 1
    network: str
    size: str
    params_m: float
    macs_g: float
    macs_complete_g: float
    input_size: int


def write_atomically(path: Path, content: bytes) -> None:
    """Writes a file that is either there whole or not at all, whatever interrupts it; parents are made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def write_record(path: Path, record: CellRecord | NetworkRecord) -> None:
    """Writes a record as sorted, indented JSON, atomically."""
    text = json.dumps(record.model_dump(mode="json"), indent=2, sort_keys=True, allow_nan=False)
    write_atomically(path, f"{text}\n".encode())


def write_per_image(path: Path, names: Sequence[str], metrics: Mapping[str, Sequence[float]]) -> None:
    """Writes the value of every metric for every image as CSV, atomically."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["image", *metrics])
    writer.writerows(zip(names, *([repr(v) for v in values] for values in metrics.values()), strict=True))
    write_atomically(path, text.getvalue().encode())


def read_cell(path: Path) -> CellRecord:
    """Reads the record of a cell.

    Raises:
        ValueError: The file is not a valid record; the message names it and what is wrong.
    """
    return _read(path, CellRecord)


def read_network(path: Path) -> NetworkRecord:
    """Reads the cost record of a network.

    Raises:
        ValueError: The file is not a valid record; the message names it and what is wrong.
    """
    return _read(path, NetworkRecord)


def read_cells(results: Path) -> Iterator[CellRecord]:
    """All cell records of a results folder, in the order of their paths."""
    return map(read_cell, sorted((results / "cells").rglob("*.json")))


def read_networks(results: Path) -> Iterator[NetworkRecord]:
    """All network records of a results folder, in the order of their paths."""
    return map(read_network, sorted((results / "networks").glob("*.json")))


def _read(path: Path, model: type[Record]) -> Record:
    try:
        return model.model_validate_json(path.read_bytes())
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "the file"
        raise ValueError(f"{path}: {where}: {first['msg']}; delete the file to have it made again") from error
