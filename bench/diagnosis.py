"""Figures of a trained student: how its loss terms went, what it restores, and what its method sees."""

import difflib
import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal, NamedTuple

import torch
from matplotlib.figure import Figure
from torch import Tensor

from bench import plots
from bench.atomic import write_atomically
from bench.batch import Batch
from bench.cell import Cell
from bench.cohort import load_distiller
from bench.datasets.base import PairSource
from bench.distiller import Lesson, OracleLesson, Panels
from bench.evaluate import to_tensor
from bench.plan import Planner
from bench.record import read_cell
from bench.registry import UnknownNameError
from bench.values import read_history

LARGEST_SIDE = 256
"""Of the crop that is shown, in pixels."""
CROP_MULTIPLE = 16
"""Sides of the crop are multiples of this, as those of training crops are, so that it has whole levels and blocks."""
UNWEIGHTED = "_unweighted"

TERMS = (
    "The terms as they enter the loss, which is their sum; beside them, if anything, what was measured and does not "
    "enter it, such as terms before they are weighted. A point is the mean over the steps since the last one. A term "
    "that stays level before it is weighted is not learned."
)
OUTPUTS = (
    "What the networks make of the image; below, the mean absolute difference from the clean one. Errors of the "
    "student that the teacher does not make are what is left to distil."
)


class Drawing(NamedTuple):
    """A figure that was drawn: its files, and what to look at."""

    files: tuple[Path, ...]
    caption: str


class View(NamedTuple):
    """The part of a test image that is shown, and its title."""

    title: str
    batch: Batch


def diagnose(
    cell: Cell, planner: Planner, folder: Path, test_set: str | None = None, image: str | None = None
) -> Iterator[Drawing]:
    """Draws all figures of a trained student, one after the other.

    Args:
        cell: The student.
        planner: Of the grid it belongs to.
        folder: Where the files go.
        test_set: Whose image is shown; by default the task's first.
        image: Its name or its number, from 0; by default the first.

    Raises:
        FileNotFoundError: The cell is not trained, or its history was not kept; the other figures are drawn first.
        UnknownNameError: No such test set.
        ValueError: There is no such image, or it cannot be shown.
    """
    terms = _draw_terms(cell, planner, folder)
    if terms:
        yield terms
    yield from _draw_pictures(cell, planner, folder, test_set, image)
    if not terms:
        path = planner.workspace.history(cell)
        raise FileNotFoundError(
            f"{path}: no history of the loss terms, which earlier versions did not keep; to have one, delete "
            f"{path.parent} and {planner.workspace.checkpoint(cell)}, and train the cell again"
        )


def _draw_terms(cell: Cell, planner: Planner, folder: Path) -> Drawing | None:
    """Draws the history of the loss terms; None where it was not kept."""
    path = planner.workspace.history(cell)
    history = read_history(path) if path.exists() else []
    if not history:
        return None
    columns = [column for column in history[0] if column != "step"]
    records = sorted(path.parent.glob("*.json"))
    terms = (read_cell(records[0]).terms if records else {}) or columns
    weighted = {column: column for column in columns if column in terms}
    measured = {column: column.removesuffix(UNWEIGHTED) for column in columns if column not in terms}
    is_unweighted = all(column.endswith(UNWEIGHTED) for column in measured)
    beside = {"the same, unweighted" if is_unweighted else "measured, not in the loss": measured} if measured else {}
    figure = plots.curves(history, {"terms as they enter the loss": weighted, **beside}, cell.path)
    return Drawing(_save(figure, folder / "terms", "png", "svg"), TERMS)


def _draw_pictures(
    cell: Cell, planner: Planner, folder: Path, test_set: str | None, image: str | None
) -> Iterator[Drawing]:
    """Draws what the networks restore, and what the method shows of itself."""
    distiller, teachers = load_distiller(cell, planner)
    multiple = math.lcm(CROP_MULTIPLE, *(network.size_multiple for network in (distiller.student, *teachers.values())))
    view = _view(_choose(planner, cell.task, test_set), image, multiple)
    lesson = Lesson(view.batch, teachers, step=0)
    with torch.no_grad():
        outputs = {"degraded": lesson.degraded, "student": distiller.student(lesson.degraded)}
        if "removal" in teachers:
            outputs["removal teacher"] = lesson.teacher("removal").restored
        pictures = distiller.pictures(OracleLesson(lesson) if cell.teacher == "oracle" else lesson)
    title = f"{cell.path}\n{{}}, {view.title}"
    columns = [*outputs, "clean"]
    yield _draw(_restored([*outputs.values()], lesson.clean), columns, title.format("outputs"), folder / "outputs")
    for name, panels in pictures.items():
        width = max(map(len, panels.rows.values()))
        levels = ["level 0, the finest", *(f"level {level}" for level in range(1, width))] if width > 1 else []
        yield _draw(panels, levels, title.format(name), folder / name)


def _restored(outputs: Sequence[Tensor], clean: Tensor) -> Panels:
    """Images with the clean one last, and their errors below."""
    errors = [(image - clean).abs().mean(dim=1, keepdim=True) for image in outputs]
    return Panels(OUTPUTS, {"image": torch.cat([*outputs, clean]), "error": torch.cat(errors)})


def _draw(panels: Panels, columns: Sequence[str], title: str, path: Path) -> Drawing:
    rows = {name: row.float().permute(0, 2, 3, 1).cpu().numpy() for name, row in panels.rows.items()}
    return Drawing(_save(plots.gallery(rows, columns, title, panels.caption), path, "png"), panels.caption)


def _save(figure: Figure, path: Path, *formats: Literal["png", "svg"]) -> tuple[Path, ...]:
    """Writes a figure in each format, and returns the files."""
    files = tuple(path.with_name(f"{path.name}.{name}") for name in formats)
    for file, name in zip(files, formats, strict=True):
        write_atomically(file, plots.encode(figure, name))
    return files


def _choose(planner: Planner, task: str, test_set: str | None) -> PairSource:
    sets = planner.data(task).test_sets
    if test_set is not None and test_set not in sets:
        raise UnknownNameError(f"test set of {task} in this grid", test_set, sets)
    return sets[test_set or next(iter(sets))]


def _view(pairs: PairSource, image: str | None, multiple: int) -> View:
    """The centre of an image, of at most `LARGEST_SIDE` pixels a side."""
    index = _index(pairs, image)
    title = f"{pairs.name(index)} of {pairs.dataset}"
    degraded, clean = pairs.pair(index)
    if clean is None:
        raise ValueError(f"{title}: there is no clean image, which teachers see; choose another --test-set")
    height, width = clean.shape[:2]
    sides = [min(side, LARGEST_SIDE) // multiple * multiple for side in (height, width)]
    if not all(sides):
        raise ValueError(f"{title}: {width}x{height} pixels, but these networks take sides from {multiple}")
    return View(title, Batch(_centre(to_tensor(degraded), sides), _centre(to_tensor(clean), sides)))


def _index(pairs: PairSource, image: str | None) -> int:
    names = [pairs.name(index) for index in range(len(pairs))]
    if image is None:
        return 0
    if image in names:
        return names.index(image)
    if image.isdecimal() and int(image) < len(names):
        return int(image)
    (near,) = difflib.get_close_matches(image, names, n=1, cutoff=0)
    raise ValueError(
        f"{pairs.dataset} has no image {image!r}: give a name, as {near!r}, or a number below {len(names)}"
    )


def _centre(image: Tensor, sides: Sequence[int]) -> Tensor:
    rows, columns = (
        slice((whole - side) // 2, (whole - side) // 2 + side)
        for whole, side in zip(image.shape[-2:], sides, strict=True)
    )
    return image[..., rows, columns].contiguous(memory_format=torch.channels_last)
