"""One request in several processes: cells are shared, failures and signals too."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from bench import jobs
from bench.record import read_cells

METHODS = ("scratch", "output_kd")


def command(real_set, results, *more):
    options = ["--profile", "smoke", "--task", "denoising", "--network", "nafnet", "--data-root", str(real_set)]
    options += [word for method in METHODS for word in ("--method", method)]
    options += ["--set", "threads=1", "--set", "seeds=[0, 1, 2]", "--results", str(results), "--jobs", "2"]
    return [sys.executable, "-m", "bench.run", *options, *more]


def run(*arguments):
    return subprocess.run(command(*arguments), text=True, capture_output=True, check=False, timeout=300)


@pytest.mark.slow
def test_each_cell_is_run_once_and_tables_are_shown_once(real_set, tmp_path):
    done = run(real_set, tmp_path / "results")
    assert done.returncode == 0, done.stdout + done.stderr
    students = [record for record in read_cells(tmp_path / "results") if record.role == "student"]
    assert sorted((r.method, r.seed) for r in students if r.teacher == "trained") == [
        (method, seed) for method in sorted(METHODS) for seed in (0, 1, 2)
    ]
    lines = done.stdout.splitlines()
    scored = re.findall(r"^[12]: \S+ (denoising/nafnet/\S+) on ", done.stdout, re.MULTILINE)
    assert len(scored) == len(set(scored)) == 2 * 3 + 3 + 1, "methods, a control and a teacher"
    assert sum(line.startswith("tables: ") for line in lines) == 1
    assert "2 processes of 1 threads" not in done.stdout + done.stderr or os.cpu_count() < 2


@pytest.mark.slow
def test_what_fails_in_one_process_is_tried_by_no_other(real_set, tmp_path):
    """A learning rate at which any student diverges: each cell fails once, and is named once."""
    broken = ("--set", "train.learning_rate=1", "--set", "train.steps=8")
    done = run(real_set, tmp_path / "results", *broken)
    text = done.stdout + done.stderr
    assert done.returncode == 1, text
    failed = re.findall(r"^[12]: \S+ failed: (denoising/nafnet/\S+):", text, re.MULTILINE)
    assert len(failed) == len(set(failed)) > 0


@pytest.mark.slow
def test_a_signal_stops_all_of_them_with_checkpoints(real_set, tmp_path):
    words = command(real_set, tmp_path / "results", "--set", "train.steps=100000")
    process = subprocess.Popen(words, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    lines = []
    for line in process.stdout:
        lines.append(line)
        if len({begun[0] for begun in lines if "seed" in begun and begun.endswith(" 100000 steps\n")}) == 2:
            break
    time.sleep(1)
    process.send_signal(signal.SIGTERM)
    rest, _ = process.communicate(timeout=120)
    assert process.returncode == 130, "".join(lines) + rest
    assert rest.count("stopped: what is finished is kept") == 3, "both, and the one that began them"
    assert len(list((tmp_path / "results" / "runs").rglob("seed*/*/checkpoint.pt"))) >= 2


def test_options_become_arguments():
    options = {
        "--task": ["a", "b"],
        "--seed": [0, 3],
        "--profile": None,
        "--all": True,
        "--fail-fast": False,
        "--set": [],
    }
    assert jobs.as_arguments(options) == ["--task", "a", "--task", "b", "--seed", "0", "--seed", "3", "--all"]
    assert jobs.as_arguments({"--results": Path("a b"), "--method": None}) == ["--results", "a b"]


def test_only_failures_of_the_same_request_count(tmp_path, monkeypatch):
    marker = tmp_path / "cell.failed"
    monkeypatch.delenv(jobs.GROUP, raising=False)
    jobs.tell_failed(marker)
    assert not marker.exists() and not jobs.has_failed_beside(marker)
    monkeypatch.setenv(jobs.GROUP, "one")
    jobs.tell_failed(marker)
    assert jobs.has_failed_beside(marker)
    monkeypatch.setenv(jobs.GROUP, "another")
    assert not jobs.has_failed_beside(marker)


@pytest.mark.parametrize("code", [0, 1])
def test_exit_codes_and_lines_are_passed_on(code, tmp_path, monkeypatch):
    (tmp_path / "bench").mkdir()
    (tmp_path / "bench" / "__init__.py").touch()
    (tmp_path / "bench" / "run.py").write_text(f"import sys\nprint('given', *sys.argv[1:])\nsys.exit({code})\n")
    monkeypatch.chdir(tmp_path)  # where -m finds this stand-in first
    shown = []
    assert jobs.run_jobs(3, ["--all"], shown.append) == 3 * [code]
    assert sorted(shown) == [f"{number}: given --all" for number in (1, 2, 3)]


def test_gpus_are_dealt_out_in_turn(tmp_path, monkeypatch):
    (tmp_path / "bench").mkdir()
    (tmp_path / "bench" / "__init__.py").touch()
    (tmp_path / "bench" / "run.py").write_text("import os\nprint('on', os.environ['CUDA_VISIBLE_DEVICES'])\n")
    monkeypatch.chdir(tmp_path)
    shown = []
    jobs.run_jobs(3, [], shown.append, gpus=["4", "6"])
    assert sorted(shown) == ["1: on 4", "2: on 6", "3: on 4"]
