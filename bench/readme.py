"""The generated blocks of README and docs: text between ``<!-- begin: NAME -->`` and ``<!-- end -->``."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path

from bench import tables
from bench.cost_table import cost_table
from bench.family import read_families
from bench.gpu_hours import GpuHoursRecord, schedule_table
from bench.main_table import ablation_table, main_tables
from bench.method_record import methods_page, read_methods
from bench.published import published_table, read_published
from bench.record import read_cells, read_networks, read_record
from bench.scoreboard import INPUT_ROW
from bench.stats_simulations import simulation_tables
from bench.table import in_order, number
from bench.trials import read_trials, trials_table
from bench.weight_search import search_table

BLOCK = re.compile(r"(<!-- begin: (?P<name>\w+)(?: (?P<argument>\S+))? -->\n).*?(<!-- end -->)", re.DOTALL)


def render(root: Path) -> dict[Path, str]:
    """README and docs with every block made anew; nothing is written.

    Raises:
        ValueError: A block names a generator that does not exist.
    """
    paths = [root / "README.md", *sorted((root / "docs").glob("*.md"))]
    return {path: _fill(path, root) for path in paths if path.exists()}


def _fill(path: Path, root: Path) -> str:
    def replace(match: re.Match[str]) -> str:
        if match["name"] not in GENERATORS:
            raise ValueError(f"{path}: no generator {match['name']!r}; there are {', '.join(GENERATORS)}")
        return match[1] + GENERATORS[match["name"]](root / (match["argument"] or "")) + match[4]

    return BLOCK.sub(replace, path.read_text(encoding="utf-8"))


def _results(results: Path) -> str:
    """The scores of a results folder, and what every method gains."""
    return _tables(results, lambda name: not name.endswith("_ranking.md"))


def _main(results: Path) -> str:
    """The published methods of a results folder, and which of them can be told apart."""
    shared = next(folder for folder in (results, *results.parents) if folder.name == "results")
    methods = [method.name for method in read_methods(shared)]
    families = [family for family in read_families(results) if not family.unfair]
    shown = (table.markdown() for family in families for table in main_tables(family, methods))
    return "\n".join(shown) or "No records yet.\n"


def _ablations(results: Path) -> str:
    """What the project's own method and its ablations gain in a results folder."""
    families = [family for family in read_families(results) if not family.unfair]
    tables = (ablation_table(family, "slkd") for family in families)
    return "\n".join(table.markdown() for table in tables if table) or "No records yet.\n"


def _effects(results: Path) -> str:
    """What every method of a results folder gains, and how much of it a teacher gave."""
    return _tables(results, lambda name: name.endswith("_effects.md"))


def _ranking(results: Path) -> str:
    """Which methods of a results folder can be told apart, and by how much."""
    return _tables(results, lambda name: name.endswith("_ranking.md"))


def _tables(results: Path, is_shown: Callable[[str], bool]) -> str:
    files = tables.render(results).items()
    texts = [text for path, text in files if path.suffix == ".md" and is_shown(path.name)]
    return "\n".join(texts) or "No records yet.\n"


def _scores(results: Path) -> str:
    """A row for every results folder inside a folder, a column for every test set: runs that differ in a setting.

    Raises:
        ValueError: A run holds several students for one test set, which one row cannot show.
    """
    runs = {path.parent.name: list(read_cells(path.parent)) for path in sorted(results.rglob("cells"))}
    students = {run: {r.test_set: r for r in records if r.role == "student"} for run, records in runs.items()}
    for run, records in runs.items():
        if len(students[run]) < sum(r.role == "student" for r in records):
            raise ValueError(f"{results / run}: several students for one test set; show it by a block `results`")
    test_sets = list(dict.fromkeys(test_set for records in students.values() for test_set in records))
    inputs = {test_set: r.input_metrics for records in students.values() for test_set, r in records.items()}
    if not inputs:
        return "No records yet.\n"
    scores = {run: {test_set: r.metrics for test_set, r in records.items()} for run, records in students.items()}
    lines = [f"| run | {' | '.join(test_sets)} | mean PSNR |", f"|---|{'---:|' * len(test_sets)}---:|"]
    for run, by_set in {INPUT_ROW: inputs, **scores}.items():
        scored = [by_set.get(test_set, {}) for test_set in test_sets]
        cells = [" / ".join(number(values[m], m) for m in in_order(values)) or "-" for values in scored]
        psnr = [metrics["psnr_db"] for metrics in by_set.values()]
        lines.append(f"| {run} | {' | '.join(cells)} | {number(sum(psnr) / len(psnr), 'psnr_db')} |")
    return "\n".join(lines) + "\n"


def _costs(results: Path) -> str:
    """The cost of every network of a results folder."""
    records = sorted(read_networks(results), key=lambda record: (record.network, -record.params_m))
    return cost_table(records).markdown() if records else "No records yet.\n"


def _published(path: Path) -> str:
    """The numbers in a file of `results/published`."""
    return published_table(read_published(path)).markdown()


def _methods(results: Path) -> str:
    """Every method of a results folder in words, with what a step of it costs."""
    return methods_page(read_methods(results))


def _trials(path: Path) -> str:
    """What was tried while a method was made."""
    return trials_table(read_trials(path)).markdown()


def _weights(path: Path) -> str:
    """What the runs of a search for weights gave, method by method."""
    return search_table(path).markdown()


def _statistics(path: Path) -> str:
    """How often the tests of `bench.stats` are wrong, and what they find, by simulation."""
    return "\n".join(table.markdown() for table in simulation_tables(path))


def _gpu_hours(path: Path) -> str:
    """What a grid would take on GPUs, by simulation."""
    return schedule_table(read_record(path, GpuHoursRecord)).markdown()


GENERATORS: dict[str, Callable[[Path], str]] = {
    "main": _main,
    "ablations": _ablations,
    "results": _results,
    "effects": _effects,
    "ranking": _ranking,
    "scores": _scores,
    "costs": _costs,
    "methods": _methods,
    "published": _published,
    "trials": _trials,
    "weights": _weights,
    "statistics": _statistics,
    "gpu_hours": _gpu_hours,
}


def result_folders(root: Path) -> Iterator[Path]:
    """Every folder below ``results/`` that holds records."""
    for cells in sorted((root / "results").rglob("cells")):
        if cells.is_dir():
            yield cells.parent
