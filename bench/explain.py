"""``python -m bench explain``: a record's numbers in words, or a trained student in figures."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from bench.grid import open_grid, with_methods, with_teachers
from bench.metrics.signature import explain as in_words
from bench.origin import origin
from bench.record import ScoresRecord, find_records, read_cell, read_scores
from bench.run import console
from bench.table import METRIC_TITLES, in_order, number


def explain(
    record: Annotated[
        str | None,
        typer.Argument(
            metavar="[RECORD|CELL]",
            help="A record, all records of a cell such as denoising/nafnet/seed0/slkd, or the JSON file of `evaluate`.",
            show_default=False,
        ),
    ] = None,
    method: Annotated[
        str | None, typer.Option(help="Draw figures of the student that this method trained; a name, or a dotted path.")
    ] = None,
    task: Annotated[str | None, typer.Option(help="The task it was trained on.")] = None,
    network: Annotated[str | None, typer.Option(help="Its network family.", show_default="the grid's first")] = None,
    seed: Annotated[int | None, typer.Option(help="Its seed.", show_default="the grid's first")] = None,
    teacher: Annotated[
        str | None, typer.Option(help="Whom it asked: trained or oracle.", show_default="the grid's first")
    ] = None,
    test_set: Annotated[str | None, typer.Option(help="Whose image is shown.", show_default="the first")] = None,
    image: Annotated[str | None, typer.Option(help="Its name, or its number from 0.", show_default="the first")] = None,
    profile: Annotated[str | None, typer.Option(help="configs/PROFILE.yaml instead of params.yaml.")] = None,
    params: Annotated[Path | None, typer.Option(help="A params file of your own.")] = None,
    data_root: Annotated[Path | None, typer.Option(help="As it was given to run.")] = None,
    set_: Annotated[list[str] | None, typer.Option("--set", help="As it was given to run; repeatable.")] = None,
    results: Annotated[
        Path | None, typer.Option(help="Where its records are.", show_default="results, results/PROFILE")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="The folder of the figures.", show_default="RESULTS/figures/CELL")
    ] = None,
) -> None:
    """Says what the numbers of a RECORD are; or, with --method and --task, draws figures of a trained student.

    The words: of what the numbers are, by which definition, field by field, from what they were made - code, images,
    weights, machine - and the commands that make and check them again. The figures: the loss terms over
    training, what student and teacher restore, and what the method sees of both, such as the images and statistics that
    it compares. Every figure comes with a hint of what to look at.
    """
    options = (method, task, network, seed, teacher, test_set, image, out)
    if record is not None:
        if any(option is not None for option in options):
            raise ValueError(f"choose one: the record {record} in words, or figures of a --method, without a RECORD")
        paths = [Path(record)]
        if not record.endswith(".json"):
            _, workspace = open_grid(profile, params, data_root, results=results, settings=set_ or ())
            paths = find_records(record, workspace.results)
        _print("\n\n".join("\n".join(_lines(path)) for path in paths))
        return
    if method is None or task is None:
        raise ValueError("name a RECORD to have it in words, or --method and --task to have a student in figures")
    from bench.cell import Filters
    from bench.diagnosis import diagnose
    from bench.plan import Planner

    grid, workspace = open_grid(profile, params, data_root, results=results, settings=set_ or ())
    grid, methods = with_methods(grid, [method])
    planner = Planner(with_teachers(grid, [teacher]) if teacher else grid, workspace)
    filters = Filters((task,), (network,) if network else (), methods, () if seed is None else (seed,))
    cell = next(cell for cohort in planner.cohorts(filters) for cell in cohort.cells if cell.role == "student")
    folder = out or workspace.results / "figures" / cell.path.replace("/", "_")
    for drawing in diagnose(cell, planner, folder, test_set, image):
        _print(f"{'  '.join(map(str, drawing.files))}\n  {drawing.caption}\n")


def _print(text: str) -> None:
    console.print(text, markup=False, highlight=False, soft_wrap=True)


def _lines(path: Path) -> Iterator[str]:
    about = _read(path)
    yield about["title"]
    for key in in_order(about["signatures"]):
        signature = about["signatures"][key]
        value = about["metrics"].get(key)
        shown = "without a mean" if value is None else number(value, key)
        yield f"\n{METRIC_TITLES.get(key, key)} {shown}: {signature}"
        try:
            yield from (f"  {line}" for line in in_words(signature))
        except ValueError as error:  # of a metric from another package
            yield f"  {error}"
    for key, reason in about.get("unavailable", {}).items():
        yield f"\n{METRIC_TITLES.get(key, key)} was not computed: {reason}"
    if about["kind"] == "cell":
        yield ""
        yield from origin(path, read_cell(path))


def _read(path: Path) -> dict[str, Any]:
    """What a file holds of scores, with a title.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It is no record of scores.
    """
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such record; they are in results/**/cells/**/*.json")
    try:
        values = json.loads(path.read_bytes())
        kind = values["kind"]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise ValueError(f"{path}: not a record ({error}); give one of a cell, or of `evaluate`") from error
    if kind == "scores":
        return _scores(read_scores(path))
    if kind != "cell":
        raise ValueError(f"{path}: a record of kind {kind!r} holds no scores; give one of a cell, or of `evaluate`")
    cell = read_cell(path)
    if cell.status != "ok":
        return {"title": f"skipped: {cell.reason}", "signatures": {}, "metrics": {}, "kind": "cell"}
    who = cell.method if cell.role == "student" else f"{cell.role} teacher"
    return cell.model_dump() | {
        "title": f"{who} ({cell.network}/{cell.size}, seed {cell.seed}, {cell.steps} steps) on {cell.test_set}, task "
        f"{cell.task}, protocol {cell.protocol}, {cell.num_images} images"
    }


def _scores(record: ScoresRecord) -> dict[str, Any]:
    scored = record.restored or f"{record.network}/{record.size} ({record.weights}) on {record.test_set}"
    degraded = f" degraded by {record.task}" if record.task else ""
    title = f"{scored}{degraded}, protocol {record.protocol}, {record.num_images} images"
    return record.model_dump() | {"title": title}
