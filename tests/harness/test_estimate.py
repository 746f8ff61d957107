"""What a dry run says of a grid, with and without its data."""

import re
from dataclasses import replace

import pytest
from typer.testing import CliRunner

from bench import run
from bench.cell import Filters
from bench.estimate import estimate
from bench.grid import open_grid
from bench.plan import Planner


def numbers(line):
    return [int(number.replace(",", "")) for number in re.findall(r"[\d,]*\d", line)]


def test_teacher_forwards_are_shared_by_a_cohort(make_params, workspace):
    """Three of the four methods ask the removal teacher, slkd the other one too: 3 steps of 2 crops each."""
    planner = Planner(make_params(), workspace)
    cohorts = planner.cohorts(Filters())
    teachers, students, forwards = estimate(cohorts, planner, {})
    assert numbers(teachers) == [2, 6] and numbers(students) == [4, 12]
    assert numbers(forwards) == [2 * 3 * 2, 4 * 3 * 2]
    done = {cell: 0 for cohort in cohorts for cell in cohort.cells}
    assert all(not any(numbers(line)) for line in estimate(cohorts, planner, done))


@pytest.fixture
def papers_grid(tmp_path):
    """What `--profile paper --dry-run` prints in a checkout without any data."""
    grid, workspace = open_grid("paper", None, results=tmp_path / "results")
    workspace = replace(workspace, data=tmp_path / "data", datasets=tmp_path / "datasets")
    with run.console.capture() as printed:
        run._show(grid, workspace, Filters())
    return printed.get()


def test_the_papers_grid_is_counted_without_its_data(papers_grid):
    *_, teachers, students, forwards = papers_grid.strip().splitlines()
    # 100 epochs in batches of 8 of Rain1400, Test1200, GoPro, SIDD and OTS.
    steps = sum(-(-100 * pairs // 8) for pairs in (12_600, 12_000, 2_103, 320, 313_950))
    assert numbers(teachers) == [3 * 5 * 2, 3 * 2 * steps]
    assert numbers(students) == [3 * 5 * 3 * 6, 3 * 3 * 6 * steps]  # four methods, two of them with a control
    assert numbers(forwards)[0] == 3 * 3 * steps * 8 * 2
    assert "deraining_rain1400/restormer/seed0/slkd" in papers_grid and "157,500" in papers_grid
    for missing in ("rain1400", "test1200", "gopro", "hide", "sidd", "ots", "sots_outdoor", "rtts"):
        assert f"`python -m bench data where {missing}`" in papers_grid


def test_a_dry_run_is_a_command_of_its_own_and_writes_nothing(tmp_path):
    options = ["--all", "--profile", "real", "--dry-run", "--results", str(tmp_path / "results")]
    done = CliRunner().invoke(run.app, options)
    assert done.exit_code == 0, done.output
    assert "students: " in done.output and not list(tmp_path.iterdir())


def test_a_misspelt_test_set_is_suggested(make_params, workspace):
    params = make_params(tasks=["denoising_sigma25"], data_root=None, test_sets=["cbsd86"])
    with pytest.raises(KeyError, match="did you mean 'cbsd68'"):
        Planner(params, workspace).cohorts(Filters())
