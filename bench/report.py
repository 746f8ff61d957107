"""``python -m bench report``: everything that is rendered from records - tables, figures, pages, blocks of the docs."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

from bench import diff as diff_of
from bench import metrics_file, page, readme, schema, tables
from bench.atomic import write_atomically
from bench.bibliography import bibliography
from bench.crop_choice import stale_crops
from bench.family import read_families
from bench.figures import draw, draw_crops, files
from bench.method_record import read_methods
from bench.run import FAILED, console

ROOT = Path()
DEFAULT = Path("results")
PAGE = "report.html"
MARK = re.compile(r'<meta name="inputs" content="([0-9a-f]{64})">')
"""Where a page says of which files it was made."""


def report(
    results: Annotated[
        Path | None,
        typer.Option(help="Render this folder alone, with a page.", show_default="all, and README and docs"),
    ] = None,
    check: Annotated[bool, typer.Option("--check", help="Write nothing; fail if anything would change.")] = False,
    diff: Annotated[
        Path | None, typer.Option(help="Compare with the records of this folder instead: what moved, more than noise?")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="With --diff: a Markdown file for all of it.")] = None,
) -> None:
    """Renders tables, figures, pages, references and the blocks of README and docs from the records.

    Tables are Markdown, LaTeX and CSV; figures SVG and PDF; the page is results/report.html, one file to open or to
    send. A folder other than results has a page once --results has made it. Exit codes: 0 success, 1 something is out
    of date (--check), cannot be compared, or moved by more than noise (--diff).
    """
    if out and diff is None:
        raise ValueError("--out is for a comparison: name the other folder with --diff")
    if check and diff is not None:
        raise ValueError("choose one: --check looks whether files are up to date, --diff compares records")
    if diff is not None:
        _compare(results or DEFAULT, diff, out)
        return
    folders = [results] if results else list(readme.result_folders(ROOT))
    texts = {path: text for folder in folders for path, text in _texts(folder).items()}
    if results is None:
        texts |= readme.render(ROOT) | schema.render(ROOT)
    stale = {path: text.encode() for path, text in texts.items() if _differs(path, text)}
    pages = [folder for folder in folders if _has_page(folder, results)]
    outdated = [folder for folder in pages if _page_digest(folder) != page.inputs(folder, ROOT)]
    if not check:
        # Written first: a page that fails leaves the tables up to date.
        _write(stale)
        for folder in outdated:
            _write(_drawn(folder))
    changed = [*stale, *(folder / PAGE for folder in outdated)]
    refused = tables.refused(texts)
    old = {path: why for folder in pages for path, why in stale_crops(folder).items()}
    lines = [
        *(f"{'stale' if check else 'written'}: {path}" for path in changed),
        *(f"refused: {reason}" for reason in refused),
        *(f"not shown: {path}: {why}; `python -m bench crops` cuts it again" for path, why in old.items()),
    ]
    for line in lines:
        console.print(line, markup=False, highlight=False, soft_wrap=True)
    if refused or (check and (changed or old)):
        raise typer.Exit(FAILED)
    console.print(f"{len(texts) + len(pages) - len(changed)} files up to date", highlight=False)


def _compare(here: Path, other: Path, out: Path | None) -> None:
    comparison = diff_of.compare(here, other)
    if out:
        _write({out: "\n".join(table.markdown() for table in diff_of.tables(comparison)).encode()})
    for line in diff_of.lines(comparison):
        console.print(line, markup=False, highlight=False, soft_wrap=True)
    if not comparison.is_quiet:
        raise typer.Exit(FAILED)


def _texts(results: Path) -> dict[Path, str]:
    """The files of a results folder that are the same on every machine, but for its page and figures."""
    files = tables.render(results)
    if results == DEFAULT:  # dvc.yaml lists these
        files |= metrics_file.render(results) | {results / "references.bib": bibliography(results)}
    return files


def _differs(path: Path, text: str) -> bool:
    return not path.exists() or path.read_text(encoding="utf-8") != text


def _has_page(folder: Path, wanted: Path | None) -> bool:
    return folder in (DEFAULT, wanted) or (folder / PAGE).exists()


def _page_digest(folder: Path) -> str:
    """The digest of the files that a folder's page was made of; empty where it has none.

    Digests are compared and not pages, since another version of the plotting library draws the same in other bytes.
    """
    path = folder / PAGE
    match = MARK.search(path.read_text(encoding="utf-8")) if path.exists() else None
    return match[1] if match else ""


def _drawn(folder: Path) -> dict[Path, bytes]:
    """The page of a results folder, and its figures."""
    drawings = draw(read_families(folder), read_methods(ROOT / "results"))
    figures = files(folder / "figures", [*drawings, *draw_crops(folder)])
    return figures | {folder / PAGE: page.render(folder, ROOT, drawings).encode()}


def _write(contents: Mapping[Path, bytes]) -> None:
    for path, content in contents.items():
        write_atomically(path, content)
