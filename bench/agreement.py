"""Whether a node that is to train cells would train the same as the one that asked for it: its code and its data."""

import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from bench.atomic import write_atomically
from bench.judge import Plan, differences
from bench.plan import Planner

EXPECTED = "SLKD_BENCH_EXPECTED"
"""The environment variable that names the file of what was asked for."""


def write_expected(plans: Iterable[Plan], path: Path) -> None:
    """Writes what decides the trained weights of some cells, for `check_expected` elsewhere."""
    write_atomically(path, json.dumps({plan.cell.path: plan.config for plan in plans}).encode())


def check_same(plans: Iterable[Plan], planner: Planner) -> None:
    """Compares what another process is about to train with what this one would.

    Raises:
        ValueError: The code, the data or the parameters here are others.
    """
    for plan in plans:
        _compare(plan.cell.path, plan.config, planner.resolve(plan.cell))


def check_expected(plans: Iterable[Plan]) -> None:
    """Compares cells that are not up to date with what was asked for, if the environment variable is set.

    Raises:
        ValueError: The code, the data or the parameters here are others; the message says which, and on which host.
    """
    if EXPECTED not in os.environ:
        return
    expected = json.loads(Path(os.environ[EXPECTED]).read_text(encoding="utf-8"))
    found = {plan.cell.path: json.loads(json.dumps(plan.config)) for plan in plans if plan.status != "up to date"}
    for cell in expected.keys() & found.keys():
        _compare(cell, expected[cell], found[cell])


def _compare(cell: str, expected: Mapping[str, Any], found: Mapping[str, Any]) -> None:
    if changes := list(differences(expected, found)):
        raise ValueError(
            f"{cell}: {os.uname().nodename} would not train what was asked for elsewhere; it differs in "
            f"{', '.join(changes)}: give all nodes the same checkout and data, and ask again; nothing was trained"
        )
