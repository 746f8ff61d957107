"""Where a number came from, in words."""

import shlex
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from bench.record import CellRecord

DIGITS = 12
"""Hexadecimal digits of a digest that are shown."""


def origin(path: Path, record: CellRecord) -> Iterator[str]:
    """Lines that say what a record was made from, by whom, and the commands that make and check it again."""
    about, config = record.run.provenance, record.config
    yield f"made       {record.run.started_at}, {record.run.seconds} s for its cohort; seed {record.seed}"
    yield f"command    {about.get('command') or 'not kept by this release'}"
    yield f"commit     {_commit(about)}"
    for name, key in (("training", "training_data"), ("test", "test_data")):
        if key in config:
            yield f"{name + ' data':<10} {' '.join(_short(part) for part in str(config[key]).split())}"
    yield f"weights    initial {_short(record.initial_sha256)}, trained {_short(record.weights_sha256)}"
    for role, sha256 in record.teacher_weights.items():
        yield f"asked      {role}: weights {_short(sha256)}"
    if record.micro_batches > 1:
        yield f"memory     batches were taken in {record.micro_batches} parts, which did not fit as a whole"
    if "retried_after" in about:
        yield f"retried    after: {about['retried_after']}"
    yield f"config     {_short(record.config_sha256)}, {record.steps} steps; code of {_num_modules(config)} modules"
    yield f"machine    {_machine(about)}"
    yield f"packages   {', '.join(f'{name} {version}' for name, version in about.get('packages', {}).items())}"
    yield f"again      {_again(about)}"
    yield f"compare    {shlex.join(['python', '-m', 'bench', 'verify', str(path)])}"


def _short(digest: str) -> str:
    is_digest = len(digest) == 64 and set(digest) <= set("0123456789abcdef")
    return digest[:DIGITS] if is_digest else digest or "not kept by this release"


def _commit(about: Mapping[str, Any]) -> str:
    if not about.get("commit"):
        return "unknown: it was not made in a checkout"
    if not about.get("is_dirty"):
        return str(about["commit"])
    diff = f" (digest of the difference: {_short(about['diff_sha256'])})" if about.get("diff_sha256") else ""
    return f"{about['commit']} and changes that were not committed{diff}: the commit alone does not reproduce it"


def _num_modules(config: Mapping[str, Any]) -> str:
    modules = {module for key in ("code", "method_code", "scoring_code") for module in config.get(key, {})}
    return str(len(modules)) if modules else "unknown"


def _machine(about: Mapping[str, Any]) -> str:
    way = "compiled, " if about.get("compiled") else ""
    device = f"{about['device']}, {about['precision']}, {way}{about['threads']} threads, " if "device" in about else ""
    return f"{device}{about.get('processor')}, {about.get('num_cpus')} CPUs, {about.get('platform')}"


def _again(about: Mapping[str, Any]) -> str:
    if "reproduce" not in about:
        return "not kept by this release: python -m bench.run with the grid's profile, and the cell's task and method"
    checkout = f"git checkout {about['commit'][:DIGITS]} && " if about.get("commit") else ""
    return f"{checkout}{about['reproduce']}"
