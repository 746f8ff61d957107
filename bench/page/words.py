"""Words of the page: kinds of rows, and the little Markdown that notes are written in."""

import re
from collections.abc import Collection, Mapping

from markupsafe import Markup, escape

from bench.method_record import MethodRecord
from bench.record import TEACHER_ROWS
from bench.scoreboard import INPUT_ROW

KINDS = {
    "reference": "references",
    "method": "methods",
    "ablation": "ablations",
    "control": "controls",
}
"""Kinds of rows, and what their checkboxes are called."""
_MARKS = re.compile(r"(`[^`]+`|\*\*[^*]+\*\*|<u>[^<]+</u>)")
PINNED = (INPUT_ROW, *TEACHER_ROWS.values())
"""Rows that stay on top of their table."""


def kind_of(label: str, labels: Collection[str], methods: Mapping[str, MethodRecord]) -> str:
    """Which of the `KINDS` a row is.

    A reference learns from nobody; an ablation has no record of its own and is called after a method of the table, as
    `slkd_kl` is after `slkd`.

    Args:
        label: The row.
        labels: All rows of the table.
        methods: The records of methods, by name.
    """
    if "@" in label:
        return "control"
    if label in PINNED or label == "scratch" or (label in methods and not methods[label].roles):
        return "reference"
    return "ablation" if label not in methods and base_of(label, labels) else "method"


def base_of(label: str, labels: Collection[str]) -> str:
    """The method that a row is called after, as `slkd` is that of `slkd_kl`; empty where there is none."""
    return max((name for name in labels if label.startswith(f"{name}_")), key=len, default="")


def prose(text: str) -> Markup:
    """A line of Markdown as HTML: code, bold and underlined text; everything else stands as it is."""
    return Markup().join(_marked(part) for part in _MARKS.split(text))


def _marked(part: str) -> Markup:
    if not _MARKS.fullmatch(part):
        return escape(part)
    if part.startswith("`"):
        return Markup("<code>{}</code>").format(part[1:-1])
    if part.startswith("*"):
        return Markup("<strong>{}</strong>").format(part[2:-2])
    return Markup("<u>{}</u>").format(part[3:-4])
