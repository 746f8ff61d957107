"""The results page: one HTML file that holds all that it shows, made from the files of a results folder."""

import base64
import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template
from markupsafe import Markup

from bench.bibliography import bibliography, entry
from bench.data_set_record import read_data_sets
from bench.family import Family, read_families
from bench.figures import Drawing, inline_svg
from bench.method_record import read_methods
from bench.page.costs import cost_sheet
from bench.page.crops import crops, palette, rules
from bench.page.effects import effect_sheets
from bench.page.evidence import Evidence, network_lines
from bench.page.numbers import Numbers
from bench.page.scores import Methods, family_notes, score_sheets
from bench.page.sheet import Sheet
from bench.page.sources import inputs
from bench.page.summary import conclusions, facts, lede
from bench.page.trace import Trace, cost_path, named
from bench.page.words import KINDS, prose
from bench.published import PublishedTable, read_all
from bench.ranking import METRIC
from bench.record import read_networks
from bench.table import METRIC_TITLES

__all__ = ["inputs", "render"]

FOLDER = Path(__file__).parent

SECTIONS = {
    "about": "About",
    "results": "Results",
    "effects": "Effects",
    "costs": "Costs",
    "curves": "Training",
    "crops": "Side by side",
    "methods": "Methods",
    "data": "Data sets",
    "references": "References",
}
"""Titles of the page's sections by their anchors; not every page has all of them."""


class Shown(NamedTuple):
    """What the page shows of a network family; nothing but the reasons where its students cannot be compared."""

    network: str
    unfair: list[str]
    conclusions: tuple[str, ...] = ()
    scores: tuple[Sheet, ...] = ()
    effects: tuple[Sheet, ...] = ()
    notes: tuple[str, ...] = ()


def render(results: Path, root: Path, drawings: Sequence[Drawing]) -> str:
    """The results page of a results folder, the same for the same files.

    Args:
        results: The folder of records.
        root: The repository, whose ``results`` folder has what all results share.
        drawings: The figures of the folder.

    Raises:
        ValueError: A file is damaged, or there is no record with a score.
    """
    families = read_families(results)
    if not families:
        expected = "expected records of trained networks with scores in cells/, there are none"
        raise ValueError(f"{results}: {expected}; run a grid with --results {results}")
    script = (FOLDER / "page.js").read_text(encoding="utf-8")
    content = _content(families, results, root)
    sections = {
        "curves": any(drawing.section == "curves" for drawing in drawings),
        "crops": content["crops"],
        "data": content["data_sets"],
    }
    return _template().render(
        inputs=inputs(results, root),
        style=Markup((FOLDER / "page.css").read_text(encoding="utf-8")),
        script=Markup(script),
        script_digest=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
        sections={anchor: title for anchor, title in SECTIONS.items() if sections.get(anchor, True)},
        drawings=drawings,
        **content,
    )


def _content(families: Sequence[Family], results: Path, root: Path) -> dict[str, Any]:
    """What the page shows beside its figures, as its template calls it."""
    shared = root / "results"
    methods = {record.name: record for record in read_methods(shared)}
    published = list(read_all(shared).values())
    evidence, networks = Evidence(), list(read_networks(results))  # also of families that have no scores yet
    for network in networks:
        evidence.source(cost_path(network, results, root), network_lines(network))
    shown = [_shown(family, Trace(family, results, root, evidence), methods, published) for family in families]
    used = {row.method for family in shown for sheet in family.scores for row in sheet.measured}
    test_sets = {column.test_set for family in families for column in family.board.columns}
    costs = cost_sheet(networks, results, root, evidence)
    return {
        "folder": named(results, root),
        "lede": lede(families),
        "facts": list(facts(families)),
        "families": shown,
        "kinds": KINDS,
        "columns": _columns(shown),
        "costs": costs,
        "crops": crops(results),
        "crop_rules": rules(results),
        "palette": palette(),
        "methods": {name: method for name, method in methods.items() if name in used},
        "data_sets": [data_set for data_set in read_data_sets(shared) if data_set.name in test_sets],
        "bibliography": bibliography(results, shared),
        "evidence": Markup(evidence.json()),
    }


def _shown(family: Family, trace: Trace, methods: Methods, published: Sequence[PublishedTable]) -> Shown:
    if family.unfair:
        return Shown(family.network, family.unfair)
    numbers = Numbers(trace)
    return Shown(
        family.network,
        [],
        tuple(conclusions(numbers)),
        tuple(score_sheets(numbers, methods, published)),
        tuple(effect_sheets(numbers, methods)),
        tuple(family_notes(family)),
    )


def _columns(families: Sequence[Shown]) -> dict[str, str]:
    """The kinds of columns of the tables of scores, by what they are called."""
    sheets = (sheet for family in families for sheet in family.scores)
    kinds = {heading.kind: heading.title for sheet in sheets for heading in sheet.headings}
    return kinds | {METRIC: METRIC_TITLES[METRIC]} if METRIC in kinds else kinds


def _template() -> Template:
    """The page without its content; what it is given is escaped, and must be there."""
    environment = Environment(
        loader=FileSystemLoader(FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"prose": prose, "bibtex": entry, "svg": lambda drawing: Markup(inline_svg(drawing))}
    return environment.get_template("page.html")
