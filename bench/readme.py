"""The generated blocks of README and docs: text between ``<!-- begin: NAME -->`` and ``<!-- end -->``."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path

from bench import tables
from bench.record import read_cells

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
    """All tables of a results folder."""
    texts = [text for path, text in tables.render(results).items() if path.suffix == ".md"]
    return "\n".join(texts) or "No records yet.\n"


def _scores(results: Path) -> str:
    """How every method scored in every results folder inside a folder."""
    lines = ["| run | method | test set | metric | mean | degraded input |", "|---|---|---|---|---:|---:|"]
    for folder in sorted(path.parent for path in results.rglob("cells")):
        for record in read_cells(folder):
            for metric, value in record.metrics.items() if record.role == "student" else ():
                title = tables.METRIC_TITLES.get(metric, metric)
                numbers = f"{value:.4f} | {record.input_metrics[metric]:.4f}"
                lines.append(f"| {folder.name} | {record.method} | {record.test_set} | {title} | {numbers} |")
    return "\n".join(lines) + "\n"


GENERATORS: dict[str, Callable[[Path], str]] = {"results": _results, "scores": _scores}


def result_folders(root: Path) -> Iterator[Path]:
    """Every folder below ``results/`` that holds records."""
    for cells in sorted((root / "results").rglob("cells")):
        if cells.is_dir():
            yield cells.parent
