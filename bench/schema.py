"""JSON schemas of the records in `results`, for readers that are no Python: rendered from the models."""

import json
from pathlib import Path
from typing import Any

from bench.crop_record import CropRecord
from bench.data_set_record import DataSetRecord
from bench.export_record import ExportRecord
from bench.gpu_hours import GpuHoursRecord
from bench.method_record import MethodRecord
from bench.record import CellRecord, NetworkRecord, ScoresRecord, StrictRecord

DIALECT = "https://json-schema.org/draft/2020-12/schema"
RECORDS: dict[str, type[StrictRecord]] = {
    "cell": CellRecord,
    "network": NetworkRecord,
    "scores": ScoresRecord,
    "method": MethodRecord,
    "data_set": DataSetRecord,
    "crop": CropRecord,
    "export": ExportRecord,
    "gpu_hours": GpuHoursRecord,
}
"""The model of every kind of record that is kept as a file."""


def render(root: Path) -> dict[Path, str]:
    """The schema of every kind of record, by path; nothing is written."""
    return {root / "results" / "schema" / f"{kind}.schema.json": _text(model) for kind, model in RECORDS.items()}


def _text(model: type[StrictRecord]) -> str:
    schema = _in_brief({"$schema": DIALECT, **model.model_json_schema()})
    return json.dumps(schema, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def _in_brief(schema: dict[str, Any]) -> dict[str, Any]:
    """A schema, and those that it defines, with the first lines of the docstrings instead of whole ones."""
    first, _, _ = schema.get("description", "").partition("\n")
    models = {name: _in_brief(model) for name, model in schema.get("$defs", {}).items()}
    return schema | ({"description": first} if first else {}) | ({"$defs": models} if models else {})
