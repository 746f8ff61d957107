"""What it costs to be able to go on after a kill, and to find out that there is nothing to do."""

import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml
from rich.console import Console

import bench.schedule
from bench.cell import Filters, Workspace
from bench.checkpoint import write_checkpoint
from bench.cohort import _record, _run_info
from bench.config import Params, load_params
from bench.grid import open_grid
from bench.judge import plans
from bench.plan import Planner
from bench.progress import StepProgress
from bench.record import write_record
from bench.step_cost import Course, Setting

CHECKPOINT_SHARE = 0.01
ANSWER_SECONDS = 3.0
RECALLED_SHARE = 0.1
SCHEDULING_SECONDS = 0.2
METHODS = ["scratch", "output_kd", "fitnet", "slkd", "fakd", "csd", "wkd", "at", "sp", "rkd", "kdsr", "skd"]


@pytest.mark.benchmark(group="ratios")
@pytest.mark.parametrize(
    "setting", [Setting("nafnet", "mini", "micro", 8, 64), Setting("restormer", "base", "sl", 1, 64)]
)
def test_a_checkpoint_at_its_default_interval(benchmark, ratios, tmp_path, setting):
    course = Course(setting)
    member = course.member("slkd")
    course.step([member])
    state = {
        "config_sha256": "", "distiller": member.distiller.state_dict(), "optimizer": member.optimizer.state_dict()
    }  # fmt: skip
    benchmark.pedantic(write_checkpoint, (tmp_path / "checkpoint.pt", state), rounds=5, warmup_rounds=1)
    interval = Params.model_fields["checkpoint_seconds"].default
    name = f"checkpoint of slkd, {setting.network} {setting.student} / default interval"
    ratios(name, benchmark.stats.stats.median / interval, CHECKPOINT_SHARE)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """Options of a grid of 1,000 cells whose records are there: made up, but as their configuration wants them."""
    folder = tmp_path_factory.mktemp("grid")
    grid = load_params(Path("params.yaml")).model_dump(mode="json")
    grid |= {"methods": METHODS, "seeds": list(range(21)), "teacher": ["trained"]}
    (folder / "grid.yaml").write_text(yaml.safe_dump(grid))
    params, workspace = open_grid(None, folder / "grid.yaml", results=folder / "results")
    planner = Planner(params, workspace)
    judged = [plan for cohort in plans(planner, planner.cohorts(Filters())) for plan in cohort]
    assert len(judged) > 1000
    for plan in judged:
        data = planner.data(plan.cell.task)
        for name in data.test_sets:
            metrics = dict.fromkeys(data.protocol(name).metrics, 30.0 + plan.cell.seed)
            run = _run_info(plan, planner, (0.0, "2026-01-01T00:00:00+00:00"))
            scores = {"status": "ok", "metrics": metrics, "input_metrics": metrics, "num_images": 10, "steps": 3}
            write_record(workspace.record(plan.cell, name), _record(plan, name, planner, run, **scores))
    return ["--all", "--params", str(folder / "grid.yaml"), "--results", str(folder / "results")]


@pytest.mark.benchmark(group="ratios")
def test_the_answer_that_a_thousand_cells_are_up_to_date(benchmark, ratios, notes, finished):
    def answer():
        subprocess.run([sys.executable, "-m", "bench.run", *finished], check=True, stdout=subprocess.DEVNULL)

    started = time.monotonic()
    answer()
    notes("seconds for the first answer on 1,000 cells, which renders tables", time.monotonic() - started)
    benchmark.pedantic(answer, rounds=3)
    ratios("seconds for the answer that 1,000 cells are up to date", benchmark.stats.stats.median, ANSWER_SECONDS)


@pytest.mark.benchmark(group="ratios")
def test_judging_cells_again(benchmark, ratios, finished):
    """Cell by cell, as where others are to be run: no record is read of those that the ledger knows."""
    grid, workspace = open_grid(None, Path(finished[2]), results=Path(finished[4]))

    def judge() -> None:
        planner = Planner(grid, workspace)
        assert all(p.status == "up to date" for cohort in plans(planner, planner.cohorts(Filters())) for p in cohort)

    (workspace.runs / "ledger.json").unlink(missing_ok=True)
    started = time.monotonic()
    judge()
    first = time.monotonic() - started
    benchmark.pedantic(judge, rounds=3)
    ratios("judging 1,000 cells again / for the first time", benchmark.stats.stats.median / first, RECALLED_SHARE)


@pytest.mark.benchmark(group="ratios")
def test_scheduling_a_thousand_cohorts(benchmark, ratios, tmp_path, monkeypatch):
    """Judging, locks, logs, judging again: all but training, scoring and records."""
    grid = load_params(Path("params.yaml"), {"tasks": ["denoising"], "methods": ["scratch"], "seeds": range(1000)})
    planner = Planner(grid, Workspace(tmp_path / "results", tmp_path / "runs"))
    monkeypatch.setattr(bench.schedule, "run_cohort", lambda *arguments: {})

    def schedule() -> None:
        judged = plans(planner, planner.cohorts(Filters()))
        assert len(judged) == 1000
        with StepProgress(0, 0, Console(quiet=True)) as progress:
            bench.schedule.Schedule(planner, progress).carry_out(judged)

    benchmark.pedantic(schedule, rounds=1)
    ratios("seconds to schedule a cohort", benchmark.stats.stats.min / 1000, SCHEDULING_SECONDS)
