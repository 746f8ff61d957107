"""The ledger: the short answer is given only while nothing has changed that the long one would look at."""

import json
import os
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

import bench.ledger
from bench import judge, run, stamps
from bench.cell import Cell, Cohort, Filters
from bench.judge import plans
from bench.ledger import NUM_REQUESTS, Ledger, Note
from bench.plan import Planner
from bench.record import read_cell, write_record
from bench.stamps import own_sources, stamps_of


@pytest.fixture(autouse=True)
def source(tmp_path, monkeypatch):
    """The program's source is one old file."""
    path = tmp_path / "source.py"
    path.write_text("")
    os.utime(path, (1, 1))
    for module in (bench.ledger, stamps):
        monkeypatch.setattr(module, "own_sources", lambda: {path})
    return path


@pytest.fixture
def files(tmp_path):
    """Two files and one that is missing."""
    for name in ("a", "b"):
        (tmp_path / name).write_text(name)
    return [tmp_path / "a", tmp_path / "b", tmp_path / "missing"]


@pytest.fixture
def open_ledger(make_params, workspace):
    return lambda **params: Ledger(make_params(**params), workspace)


def note(ledger: Ledger, files: list[Path], shared: list[Path] | None = None, detail: str = "") -> None:
    """Notes two cells, the first of which has the files, and settles a request."""
    judged = {"cell": Note(detail, stamps_of(files), "teachers"), "other": Note("", stamps_of([]), "")}
    ledger.update(judged, stamps_of(shared or []))
    ledger.settle("request", ["cell"], [])


def test_what_is_noted_is_known_to_the_next_run(open_ledger, files):
    assert open_ledger().recall("cell") is None and not open_ledger().is_settled("request")
    note(open_ledger(), files, detail="as it should be")
    assert open_ledger().recall("cell") == Note("as it should be", stamps_of(files), "teachers")
    assert open_ledger().recall("another") is None
    assert open_ledger().is_settled("request") and not open_ledger().is_settled("another")


def test_cells_are_known_in_a_larger_grid_and_not_in_another(open_ledger, files):
    note(open_ledger(), files)
    assert open_ledger(seeds=[0, 1], methods=["scratch"]).recall("cell")
    assert open_ledger(train={"steps": 99}).recall("cell") is None


CHANGES = {
    "edit": lambda files: files[0].write_text("longer"),
    "touch": lambda files: os.utime(files[0], ns=(1, 1)),
    "remove": lambda files: files[1].unlink(),
    "appear": lambda files: files[2].write_text("new"),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_cell_whose_file_changed_is_looked_at_again_and_no_other(open_ledger, files, change):
    note(open_ledger(), files)
    change(files)
    ledger = open_ledger()
    assert ledger.recall("cell") is None and ledger.recall("other") and not ledger.is_settled("request")


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_all_are_looked_at_again_where_a_file_changed_that_they_share(open_ledger, files, change):
    note(open_ledger(), [], shared=files)
    assert open_ledger().is_settled("request")
    change(files)
    assert open_ledger().recall("other") is None and not open_ledger().is_settled("request")


def test_a_file_in_a_folder_that_was_looked_at_reopens_all(open_ledger, tmp_path):
    folder = tmp_path / "images"
    folder.mkdir()
    os.utime(folder, ns=(1, 1))
    note(open_ledger(), [], shared=[folder])
    (folder / "more.png").write_text("")
    assert open_ledger().recall("cell") is None


def test_a_shared_file_that_changed_meanwhile_is_not_taken_for_the_one_that_was_read(open_ledger, files):
    ledger = open_ledger()
    note(ledger, [], shared=files)
    files[0].write_text("longer")
    ledger.update({"third": Note("", {}, "")}, stamps_of(files))
    assert open_ledger().recall("cell") is None and open_ledger().recall("third") is None


def test_a_cell_that_is_out_of_date_takes_the_requests_with_it(open_ledger, files):
    ledger = open_ledger()
    note(ledger, files)
    ledger.update({"cell": None}, {})
    assert not ledger.is_settled("request") and ledger.recall("cell") is None and ledger.recall("other")
    ledger.settle("request", ["cell"], [])
    assert not open_ledger().is_settled("request"), "one of its cells is not known"


def test_a_cell_that_is_another_now_takes_the_requests_with_it(open_ledger, files):
    ledger = open_ledger()
    note(ledger, files)
    files[0].write_text("longer")
    ledger.update({"cell": Note("", stamps_of(files), "")}, {})
    assert ledger.recall("cell") and not ledger.is_settled("request"), "its students may be out of date"


def test_cells_that_are_yet_to_be_run_leave_the_requests_alone(open_ledger, files):
    ledger = open_ledger()
    note(ledger, files)
    ledger.update({"third": None}, {})
    assert ledger.is_settled("request") and open_ledger().is_settled("request")


def test_nothing_is_written_where_nothing_is_up_to_date(open_ledger, workspace):
    open_ledger().update({"cell": None}, {})
    assert not workspace.runs.exists()


def test_a_ledger_that_cannot_be_written_is_done_without(open_ledger, workspace, files):
    workspace.runs.write_text("a file where the folder should be")
    note(open_ledger(), files)
    assert open_ledger().recall("cell") is None


def test_a_request_has_files_of_its_own(open_ledger, files):
    note(open_ledger(), [])
    open_ledger().settle("request", ["cell"], files)
    assert open_ledger().is_settled("request")
    files[0].unlink()
    assert open_ledger().recall("cell") and not open_ledger().is_settled("request")


@pytest.mark.parametrize("text", ["", "[]", "{", '{"shared": 1}', "nothing", '{"cells": {"cell": 3}}'])
def test_a_damaged_ledger_knows_nothing_and_is_written_anew(open_ledger, workspace, files, text):
    workspace.runs.mkdir(parents=True)
    (workspace.runs / "ledger.json").write_text(text)
    assert open_ledger().recall("cell") is None
    note(open_ledger(), files)
    assert open_ledger().recall("cell")


def test_old_requests_are_forgotten(open_ledger, files):
    ledger = open_ledger()
    note(ledger, files)
    for number in range(NUM_REQUESTS + 5):
        ledger.settle(str(number), ["cell"], [])
    assert open_ledger().is_settled(str(NUM_REQUESTS + 4)) and not open_ledger().is_settled("0")


def test_source_that_changed_since_the_start_notes_nothing(open_ledger, files, source):
    os.utime(source, (time.time() + 9, time.time() + 9))
    note(open_ledger(), files)
    assert open_ledger().recall("cell") is None and not open_ledger().is_settled("request")


def test_changed_source_reopens_all(open_ledger, files, source):
    note(open_ledger(), files)
    os.utime(source, (2, 2))
    assert open_ledger().recall("cell") is None


@pytest.fixture
def finished(make_params, workspace):
    """A teacher and two students that are up to date, and the grid."""
    params = make_params(methods=["scratch", "output_kd"])
    assert run.run_grid(params, workspace, Filters()) == {}
    return params


@pytest.fixture
def looked_at(monkeypatch):
    """The cells that are judged."""
    cells = []
    usual = judge.judge
    monkeypatch.setattr(judge, "judge", lambda planner, cell: cells.append(cell) or usual(planner, cell))
    return cells


def statuses(params, workspace) -> dict[str, str]:
    planner = Planner(params, workspace)
    return {p.cell.path: p.status for cohort in plans(planner, planner.cohorts(Filters())) for p in cohort}


def test_cells_that_are_known_are_not_judged(finished, workspace, looked_at):
    assert set(statuses(finished, workspace).values()) == {"up to date"}
    assert looked_at == []
    added = finished.model_copy(update={"methods": ("scratch", "output_kd", "fitnet")})
    found = statuses(added, workspace)
    assert [cell.method for cell in looked_at] == ["fitnet"] and found[looked_at[0].path] == "run"


def test_students_are_judged_again_when_their_teacher_is_another(finished, workspace, looked_at):
    cell = Cell("denoising", "nafnet", "scratch", finished.teachers.seed, "removal")
    for path in (workspace.results / "cells" / cell.path).glob("*.json"):
        write_record(path, read_cell(path).model_copy(update={"weights_sha256": "ab" * 32}))
    planner = Planner(finished, workspace)
    assert [plan.status for plan in plans(planner, [Cohort((cell,))])[0]] == ["up to date"]
    looked_at.clear()
    found = statuses(finished, workspace)
    assert {path: status for path, status in found.items() if status != "up to date"} == {
        Cell("denoising", "nafnet", "output_kd", 0).path: "run"
    }
    assert [one.path for one in looked_at] == [Cell("denoising", "nafnet", "output_kd", 0).path]


def test_a_known_teacher_without_weights_is_trained_for_a_new_student(finished, workspace):
    cell = Cell("denoising", "nafnet", "scratch", finished.teachers.seed, "removal")
    workspace.checkpoint(cell).unlink()
    assert set(statuses(finished, workspace).values()) == {"up to date"}
    planner = Planner(finished.model_copy(update={"seeds": (0, 1)}), workspace)
    (plan,) = (p for cohort in plans(planner, planner.cohorts(Filters())) for p in cohort if p.cell == cell)
    assert plan.status == "run" and plan.config_sha256 == planner.identity(cell) and plan.config


def test_what_is_recalled_is_what_judging_says(finished, workspace):
    planner = Planner(finished, workspace)
    recalled = [plan for cohort in plans(planner, planner.cohorts(Filters())) for plan in cohort]
    (workspace.runs / "ledger.json").unlink()
    planner = Planner(finished, workspace)
    judged = [plan for cohort in plans(planner, planner.cohorts(Filters())) for plan in cohort]
    assert recalled == [replace(plan, config={}, config_sha256="") for plan in judged]


def test_the_source_is_that_of_the_project_and_of_extensions():
    sources = own_sources()
    assert Path(bench.ledger.__file__) in sources and Path(__file__) in sources
    assert Path(json.__file__) not in sources and Path(pytest.__file__) not in sources


SHORT = """
import sys
from bench.run import app
app({arguments}, standalone_mode=False)
print("torch" in sys.modules, "pandas" in sys.modules)
"""


def test_a_run_that_finds_everything_up_to_date_imports_no_torch(real_set, tmp_path):
    arguments = ["--profile", "smoke", "--task", "denoising", "--network", "nafnet", "--method", "scratch"]
    arguments += ["--data-root", str(real_set), "--set", "threads=1", "--results", str(tmp_path / "results")]
    command = [sys.executable, "-c", SHORT.format(arguments=arguments)]
    first, second = (subprocess.run(command, capture_output=True, text=True, check=True).stdout for _ in range(2))
    assert first.endswith("True True\n") and second.endswith("False False\n")
    tables = [text[text.index("**nafnet**") : text.index("records:")] for text in (first, second)]
    assert tables[0] == tables[1], "the same tables are shown"
    record = next((tmp_path / "results" / "cells").rglob("scratch/*.json"))
    record.unlink()
    third = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert third.endswith("True True\n") and record.exists()


def test_a_run_with_a_failure_settles_nothing(make_params, workspace, monkeypatch):
    from bench.distiller import METHODS

    monkeypatch.setattr(METHODS["output_kd"], "forward", lambda self, lesson: 1 / 0)
    params = make_params(methods=["output_kd"])
    cell = Cell("denoising", "nafnet", "output_kd", 0)
    for _ in range(2):
        assert list(run.run_grid(params, workspace, Filters())) == [cell.path]
    assert Ledger(params, workspace).recall(cell.path) is None
