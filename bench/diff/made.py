"""How the records of two cells were made, and in which state they are to one another."""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Literal

from bench.diff.moves import is_same
from bench.record import CellRecord

DIGEST = re.compile(r"[0-9a-f]{12,}\b")
State = Literal["same bits", "same numbers", "same weights, other numbers", "other numbers", "skipped"]


def state(here: CellRecord, there: CellRecord) -> State:
    """What is the same of two records of one cell."""
    if "skipped" in (here.status, there.status):
        return "skipped"
    has_same_weights = here.weights_sha256 == there.weights_sha256 != ""
    if here.metrics == there.metrics and has_same_weights:
        return "same bits"
    if is_same(here.metrics, there.metrics):
        return "same numbers"
    return "same weights, other numbers" if has_same_weights else "other numbers"


def changes(here: CellRecord, there: CellRecord) -> Iterator[str]:
    """What differs in how two records were made, called as records call it; of digests, that they differ."""
    return _changes(_facts(here), _facts(there))


def _facts(record: CellRecord) -> dict[str, Any]:
    """How a record was made, as far as it could move a score; signatures are compared on their own."""
    about = record.run.provenance
    return {key: value for key, value in record.config.items() if key != "signatures"} | {
        "initial_sha256": record.initial_sha256 or None,
        "teacher_weights": record.teacher_weights,
        "micro_batches": record.micro_batches,
        "input_metrics": {key: f"{value:.10g}" for key, value in record.input_metrics.items()},
        "commit": about.get("commit"),
        "machine": {
            key: about.get(key) for key in ("python", "platform", "processor", "device", "precision", "compiled")
        },
        "packages": about.get("packages"),
    }


def _changes(here: Mapping[str, Any], there: Mapping[str, Any], within: str = "") -> Iterator[str]:
    for key in dict.fromkeys((*here, *there)):
        ours, theirs = here.get(key), there.get(key)
        if isinstance(ours, Mapping) and isinstance(theirs, Mapping):
            yield from _changes(ours, theirs, f"{within}{key}.")
        elif ours != theirs:
            then, now = _shown(theirs), _shown(ours)
            yield f"{within}{key}" + (f": {then} there, {now} here" if then != now else "")


def _shown(value: Any) -> str:
    if value is None:
        return "not told"
    return "told" if isinstance(value, Mapping) or (isinstance(value, str) and DIGEST.match(value)) else str(value)
