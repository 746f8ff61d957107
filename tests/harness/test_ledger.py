"""The ledger: the short answer is given only while nothing has changed that the long one would look at."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

import bench.ledger
from bench import run
from bench.cell import Cell, Filters
from bench.ledger import NUM_ANSWERS, Ledger, own_sources


@pytest.fixture
def place(tmp_path):
    return tmp_path / "runs" / "ledger.json"


@pytest.fixture
def files(tmp_path, monkeypatch):
    """Two files and one that is missing; the program's source is one file, too."""
    (tmp_path / "source.py").write_text("")
    os.utime(tmp_path / "source.py", (1, 1))
    monkeypatch.setattr(bench.ledger, "own_sources", lambda: {tmp_path / "source.py"})
    for name in ("a", "b"):
        (tmp_path / name).write_text(name)
    return [tmp_path / "a", tmp_path / "b", tmp_path / "missing"]


def test_a_question_is_settled_until_a_file_changes(place, files):
    ledger = Ledger(place, "question")
    assert not ledger.is_settled()
    ledger.settle(files)
    assert ledger.is_settled() and Ledger(place, "question").is_settled()
    assert not Ledger(place, "another question").is_settled()


@pytest.mark.parametrize("change", ["edit", "touch", "remove", "appear"])
def test_every_change_of_a_file_reopens_it(place, files, change):
    ledger = Ledger(place, "question")
    ledger.settle(files)
    if change == "edit":
        files[0].write_text("longer")
    elif change == "touch":
        os.utime(files[0], ns=(1, 1))
    elif change == "remove":
        files[1].unlink()
    else:
        files[2].write_text("new")
    assert not ledger.is_settled()


def test_a_file_in_a_folder_that_was_looked_at_reopens_it(place, files, tmp_path):
    folder = tmp_path / "images"
    folder.mkdir()
    os.utime(folder, ns=(1, 1))
    ledger = Ledger(place, "question")
    ledger.settle([folder])
    (folder / "more.png").write_text("")
    assert not ledger.is_settled()


@pytest.mark.parametrize("text", ["", "[]", "{", '{"a": 1}', "nothing"])
def test_a_damaged_ledger_knows_nothing_and_is_written_anew(place, files, text):
    place.parent.mkdir()
    place.write_text(text)
    ledger = Ledger(place, "question")
    assert not ledger.is_settled()
    ledger.settle(files)
    assert ledger.is_settled()


def test_old_questions_are_forgotten(place, files):
    for number in range(NUM_ANSWERS + 5):
        Ledger(place, str(number)).settle(files)
    assert len(json.loads(place.read_bytes())) == NUM_ANSWERS
    assert Ledger(place, str(NUM_ANSWERS + 4)).is_settled() and not Ledger(place, "0").is_settled()


def test_source_that_changed_since_the_start_settles_nothing(place, files, tmp_path):
    ledger = Ledger(place, "question")
    os.utime(tmp_path / "source.py", (time.time() + 9, time.time() + 9))
    ledger.settle(files)
    assert not ledger.is_settled()


def test_changed_source_reopens_a_question(place, files, tmp_path):
    ledger = Ledger(place, "question")
    ledger.settle(files)
    os.utime(tmp_path / "source.py", (2, 2))
    assert not ledger.is_settled()


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
    for _ in range(2):
        failures = run.run_grid(params, workspace, Filters())
        assert list(failures) == [Cell("denoising", "nafnet", "output_kd", 0).path]
    assert not (workspace.runs / "ledger.json").exists()
