"""A search for the methods' weights: runs that differ in the weights alone, each of all methods, on held-out images."""

from collections.abc import Mapping
from pathlib import Path
from statistics import fmean

from bench.record import CellRecord, read_cells
from bench.table import Table

METRIC = "psnr_db"
Gains = Mapping[str, Mapping[str, float]]
"""What methods gain over the student alone, in dB, averaged over the tasks: by method, then by run."""


def read_runs(search: Path) -> dict[str, list[CellRecord]]:
    """The students of every run, by the name of its results folder, which is the factor of the weights: ``x0.1``.

    Raises:
        ValueError: A run was scored on test images, or a folder is not called after a factor.
    """
    runs = {path.parent.name: list(read_cells(path.parent)) for path in search.glob("*/cells")}
    for run, records in runs.items():
        if tested := {record.test_set for record in records if not record.test_set.endswith("_validation")}:
            raise ValueError(f"{search / run}: scored on {', '.join(tested)}; a search sees validation images alone")
    return {run: [r for r in runs[run] if r.role == "student"] for run in sorted(runs, key=_factor)}


def _factor(run: str) -> float:
    try:
        return float(run.removeprefix("x"))
    except ValueError:
        raise ValueError(f"{run}: expected a folder called after the factor of the weights, such as x0.1") from None


def gains(runs: Mapping[str, list[CellRecord]]) -> Gains:
    """What every method gains over ``scratch`` of its run."""
    found: dict[str, dict[str, float]] = {}
    for run, records in runs.items():
        scores = {(r.method, r.task, r.seed): r.metrics[METRIC] for r in records}
        for method in dict.fromkeys(record.method for record in records if record.method != "scratch"):
            own = [scores[key] - scores["scratch", *key[1:]] for key in scores if key[0] == method]
            found.setdefault(method, {})[run] = fmean(own)
    return found


def choice(search: Path) -> dict[str, CellRecord]:
    """By method, one of the records of the run in which it gained most: its ``config`` has the weights."""
    runs = read_runs(search)
    best = {method: max(by_run, key=by_run.__getitem__) for method, by_run in gains(runs).items()}
    return {method: next(r for r in runs[run] if r.method == method) for method, run in best.items()}


def search_table(search: Path) -> Table:
    """A row for every method, a column for every run; what was chosen is bold."""
    runs = read_runs(search)
    rows = []
    for method, by_run in gains(runs).items():
        texts = {run: f"{gain:+.2f}" for run, gain in by_run.items()}
        best = max(by_run, key=by_run.__getitem__)
        rows.append((method, *((texts | {best: f"**{texts[best]}**"}).get(run, "-") for run in runs)))
    students = [record for records in runs.values() for record in records]
    tasks, seeds, steps = (sorted({getattr(r, field) for r in students}) for field in ("task", "seed", "steps"))
    notes = (
        f"Gain over `scratch` in PSNR (dB), mean of the held-out images of {', '.join(tasks)}; {_listed(steps)} steps, "
        f"seed {_listed(seeds)}. Columns: the factor of all distillation weights of a method. **Chosen**: the highest.",
    )
    return Table("The search for weights", ("method", *runs), tuple(rows), notes)


def _listed(values: list[int]) -> str:
    return ", ".join(map(str, values))
