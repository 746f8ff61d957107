"""``python -m bench crops``: cuts what networks restored out of the images that show what a method does."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import numpy as np
import typer

from bench.cell import Cell, cell_of
from bench.crop_choice import METRIC, Choice, choose, choose_window, stale_crops
from bench.crop_record import (
    CLEAN_ROW,
    CropRecord,
    CropRow,
    Rule,
    read_crops,
    read_panels,
    record_path,
    strip_digest,
    write_crop,
)
from bench.datasets.degrade import Image
from bench.datasets.images import Pixels
from bench.family import Family, read_families
from bench.grid import open_grid, with_methods
from bench.registry import UnknownNameError
from bench.run import Names, console
from bench.scoreboard import INPUT_ROW, Column

if TYPE_CHECKING:  # at run time only where networks restore: it imports torch, which --help can do without
    from bench.networks.base import RestorationNetwork
    from bench.plan import Planner

SAME = 1e-6
"""Relative difference of two PSNR that are of the same image."""
Key = tuple[str, Column, Rule]
"""What tells a crop from others: its family, its test set, and which of its images."""


def crops(
    profile: Annotated[str | None, typer.Option(help="configs/PROFILE.yaml instead of params.yaml.")] = None,
    params: Annotated[Path | None, typer.Option(help="A params file of your own.")] = None,
    data_root: Annotated[Path | None, typer.Option(help="As it was given to run.")] = None,
    set_: Annotated[list[str] | None, typer.Option("--set", help="As it was given to run; repeatable.")] = None,
    results: Annotated[
        Path | None, typer.Option(help="Where the records are.", show_default="results, results/PROFILE")
    ] = None,
    task: Names = None,
    method: Annotated[
        str, typer.Option(help="The row whose lead chooses the images; a name, or a dotted path.")
    ] = "slkd",
    baseline: Annotated[str, typer.Option(help="The row that it leads.")] = "scratch",
    side: Annotated[int, typer.Option(min=16, max=256, help="Height and width of the crops, in pixels.")] = 64,
) -> None:
    """Cuts the same window out of what every network made of a few test images, to see them side by side.

    Of every test set, the images with the worst, the median and the best lead of --method over --baseline are shown, in
    the window where the degradation changes them most. The trained weights must be here, and what they restore must
    have the scores that are on record. The crops go to RESULTS/crops, small enough for version control; what is there
    and still fits the records is kept.
    """
    grid, workspace = open_grid(profile, params, data_root, results=results, settings=set_ or ())
    grid, (first,) = with_methods(grid, [method])
    chosen = list(_choices(workspace.results, task or (), first, baseline))
    kept = _kept(workspace.results, first, baseline, side)
    chosen = [
        (family, new) for family, choices in chosen if (new := [c for c in choices if _key(family, c) not in kept])
    ]
    import torch

    from bench.plan import Planner

    torch.set_num_threads(grid.threads)
    planner = Planner(grid, workspace)
    sizes = []
    for family, choices in chosen:
        for crop, panels in cut(family, choices, planner, side):
            files = write_crop(workspace.results, crop, panels)
            sizes.append(sum(path.stat().st_size for path in files))
            _print("  ".join(map(str, files)))
    _print(f"cut: {len(sizes)}, {sum(sizes) / 1e6:.2f} MB together; up to date: {len(kept)}")


def _print(text: str) -> None:
    console.print(text, markup=False, highlight=False, soft_wrap=True)


def _kept(results: Path, first: str, second: str, side: int) -> set[Key]:
    """The crops of these two rows that are here, and that the records still support."""
    stale, wanted = stale_crops(results), (first, second, side)
    crops = (crop for crop in read_crops(results) if (crop.first, crop.second, crop.side) == wanted)
    kept = (crop for crop in crops if record_path(results, crop) not in stale and _has_strip(results, crop))
    return {(crop.network, Column(crop.task, crop.test_set), crop.rule) for crop in kept}


def _has_strip(results: Path, crop: CropRecord) -> bool:
    try:
        read_panels(results, crop)
    except (FileNotFoundError, ValueError):  # lost or damaged: cut again
        return False
    return True


def _key(family: Family, choice: Choice) -> Key:
    return family.network, choice.column, choice.rule


def _choices(results: Path, tasks: Sequence[str], first: str, second: str) -> Iterator[tuple[Family, list[Choice]]]:
    """The images to be shown, by network family and task: a network restores all those of its task.

    Raises:
        UnknownNameError: There are no records of a task.
        ValueError: There are none of both rows, or they cannot be compared.
    """
    families = read_families(results)
    if not families:
        raise FileNotFoundError(f"{results / 'cells'}: no records of scores; python -m bench.run makes them")
    known = {column.task for family in families for column in family.board.columns}
    for task in tasks:
        if task not in known:
            raise UnknownNameError(f"task of the records in {results}", task, known)
    for family in families:
        if family.unfair:
            raise ValueError(f"{family.network}: its students cannot be compared: {'; '.join(family.unfair)}")
        columns = [column for column in family.board.columns if METRIC in family.board.metrics[column]]
        for task, of_task in groupby(columns, lambda column: column.task):
            if not tasks or task in tasks:
                yield family, [choice for column in of_task for choice in _choose(family, column, first, second)]


def _choose(family: Family, column: Column, first: str, second: str) -> list[Choice]:
    if not (choices := choose(family, column, first, second)):
        raise ValueError(
            f"{family.network}, {column.task}: {column.test_set}: no seed has scores of both {first} and {second}; "
            "run both, or choose others with --method and --baseline, or tasks that have them with --task"
        )
    return choices


def cut(
    family: Family, choices: Sequence[Choice], planner: "Planner", side: int
) -> Iterator[tuple[CropRecord, list[Pixels]]]:
    """Restores the chosen images of a task and cuts their windows: each network is loaded once, and sees each once.

    Args:
        family: The records.
        choices: The images, of one task.
        planner: Of the grid that trained the networks.
        side: Of the windows, in pixels.

    Returns:
        The records, with the panels of their rows.

    Raises:
        FileNotFoundError: A network's weights are not here; the message says how to make them.
        ValueError: They are not those on record, or restore an image with another PSNR.
    """
    views = {(choice.column, choice.image): View(planner, choice, side) for choice in choices}
    for cell, rows in _by_cell(family, choices).items():
        network, sha256 = _load(cell, planner)
        for (column, image), row in rows.items():
            if row.weights_sha256 not in ("", sha256):
                raise ValueError(_differs(cell, planner, "the weights that are here are not those on record"))
            psnr_db = views[column, image].show(row.label, network)
            assert row.psnr_db is not None  # only the clean panel has none
            if not math.isclose(psnr_db, row.psnr_db, rel_tol=SAME):
                found = f"PSNR of {image} in {column.test_set} is {psnr_db:.6f} dB here, {row.psnr_db:.6f} on record"
                raise ValueError(_differs(cell, planner, found))
    for choice in choices:
        view = views[choice.column, choice.image]
        first = (CropRow(label=INPUT_ROW, psnr_db=view.psnr_db), CropRow(label=CLEAN_ROW, psnr_db=None))
        yield _crop(family.network, choice, view, (*first, *choice.rows.values()))


def _by_cell(family: Family, choices: Sequence[Choice]) -> dict[Cell, dict[tuple[Column, str], CropRow]]:
    """What every cell restores: the rows that it makes of each image."""
    rows: dict[Cell, dict[tuple[Column, str], CropRow]] = {}
    for choice in choices:
        for path, row in choice.rows.items():
            rows.setdefault(cell_of(family.records[path]), {})[choice.column, choice.image] = row
    return rows


def _crop(network: str, choice: Choice, view: "View", rows: tuple[CropRow, ...]) -> tuple[CropRecord, list[Pixels]]:
    panels = [view.panels[row.label] for row in rows]
    about = {field: getattr(choice, field) for field in ("rule", "image", "first", "second", "difference_db", "seed")}
    place = {"left": view.left, "top": view.top, "side": view.side}
    crop = CropRecord(
        network=network, **choice.column._asdict(), **about, **place, rows=rows, strip_sha256=strip_digest(panels)
    )
    return crop, panels


def _load(cell: Cell, planner: "Planner") -> tuple["RestorationNetwork", str]:
    """The trained network of a cell, and the digest of its weights."""
    from bench.cohort import load_network
    from bench.networks.base import weights_digest

    try:
        network = load_network(cell, planner)
    except FileNotFoundError as error:
        path = planner.workspace.checkpoint(cell)
        raise FileNotFoundError(_differs(cell, planner, f"{path}: no weights trained with these parameters")) from error
    return network, weights_digest(network)


def _differs(cell: Cell, planner: "Planner", what: str) -> str:
    """A message; records that are up to date would keep a run from training and scoring their cell again."""
    folder = planner.workspace.results / "cells" / cell.path
    return f"{cell.path}: {what}; delete {folder}, then: {planner.workspace.command(cell)}"


class View:
    """A test image with the window that is shown of it, and what was cut out there.

    Attributes:
        left: First column of the window.
        top: Its first row.
        side: Its height and width.
        psnr_db: Of the whole degraded image.
        panels: By label, ``(side, side, 3)`` uint8 each.
    """

    def __init__(self, planner: "Planner", choice: Choice, side: int) -> None:
        (task, test_set), data = choice.column, planner.data(choice.column.task)
        pairs = data.test_sets.get(test_set)
        names = [pairs.name(index) for index in range(len(pairs))] if pairs else []
        if pairs is None or choice.image not in names:
            raise ValueError(
                f"{task}: {test_set}: this grid has no image {choice.image!r} there, which the records have; "
                "give the options of the run that made them, such as --profile"
            )
        self._degraded, clean = pairs.pair(names.index(choice.image))
        assert clean is not None  # it has a PSNR
        protocol = data.protocol(test_set)
        self._protocol = replace(protocol, metrics={METRIC: protocol.metrics[METRIC]})
        self._clean, self._tiling = clean, planner.params.tiling
        degraded, self.psnr_db = self._scored(None)
        self.side, (self.left, self.top) = side, choose_window(degraded, clean, side)
        self.panels = {INPUT_ROW: self._window(degraded), CLEAN_ROW: self._window(clean)}

    def show(self, label: str, network: "RestorationNetwork") -> float:
        """Cuts the window out of what a network makes of the image; returns the PSNR of all of it."""
        restored, psnr_db = self._scored(network)
        self.panels[label] = self._window(restored)
        return psnr_db

    def _window(self, image: Pixels) -> Pixels:
        return image[self.top : self.top + self.side, self.left : self.left + self.side]

    def _scored(self, network: "RestorationNetwork | None") -> tuple[Pixels, float]:
        """The whole image and its PSNR, as `bench.evaluate.score` has them: restored, or degraded without a network."""
        import torch

        from bench.evaluate import restore, to_tensor

        def batch(image: Pixels | Image) -> torch.Tensor:
            return torch.tensor(image).permute(2, 0, 1).unsqueeze(0)

        if network is None and self._degraded.dtype == np.uint8:
            levels = batch(self._degraded)
        else:
            seen = to_tensor(self._degraded)
            levels = self._protocol.levels(restore(network, seen, self._tiling) if network else seen)
        psnr_db = self._protocol.score(levels, batch(self._clean))[METRIC].item()
        return levels[0].permute(1, 2, 0).round().to(torch.uint8).numpy(), psnr_db
