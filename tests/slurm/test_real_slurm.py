"""Cohorts as jobs of a real Slurm, which may be cancelled, lose their node or reach their time limit."""

import re
import subprocess
import sys
import time

import pytest

from bench.record import read_cells
from tests.killing import grid, outcome

pytestmark = pytest.mark.slurm


def command(options, results, *more):
    words = [sys.executable, "-m", "bench.run", *options, "--results", str(results), "--executor", "slurm"]
    return [*words, "--slurm", "time=5", *more]


def submit(*arguments):
    return subprocess.run(command(*arguments), text=True, capture_output=True, check=False)


def until(is_so, seconds=400):
    end = time.monotonic() + seconds
    while not (answer := is_so()):
        assert time.monotonic() < end
        time.sleep(0.5)
    return answer


def state(slurm, job):
    return slurm.ask("squeue", "--noheader", "--array", f"--jobs={job}", "--format=%T").strip()


def steps(results):
    """The last step that the students' log tells."""
    log = results / "runs" / "logs" / "denoising" / "nafnet" / "seed0.log"
    return max(map(int, re.findall(r": step (\d+)/", log.read_text())), default=0) if log.exists() else 0


def resumptions(results):
    """After which steps the students' training went on."""
    log = (results / "runs" / "logs" / "denoising" / "nafnet" / "seed0.log").read_text()
    assert len(re.findall(r"seed0: \d+ steps$", log, re.MULTILINE)) == 1, "it began once"
    return list(map(int, re.findall(r"seed0: \d+ steps, goes on after step (\d+)$", log, re.MULTILINE)))


def test_a_grid_is_what_it_is_on_one_machine_and_is_submitted_once(slurm, real_set, tmp_path):
    options = [*grid(real_set, ("scratch", "output_kd"), steps=3), "--set", "seeds=[0, 1]"]
    done = submit(options, tmp_path / "cluster", "--watch")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "3 jobs" in done.stdout and re.search(r"seed1, job \d+_1: runs on node[12]", done.stdout), done.stdout
    subprocess.run([sys.executable, "-m", "bench.run", *options, "--results", str(tmp_path / "here")], check=True)
    assert outcome(tmp_path / "cluster") == outcome(tmp_path / "here")
    again = submit(options, tmp_path / "cluster")
    assert again.returncode == 0 and "0 jobs" in again.stdout


def test_what_slurm_refuses_is_told_in_its_words(slurm, real_set, tmp_path):
    done = submit(grid(real_set, ("scratch",), steps=3), tmp_path, "--slurm", "partition=nothing")
    assert done.returncode == 2 and "invalid partition specified" in done.stderr
    done = submit(grid(real_set, ("scratch",), steps=3), tmp_path, "--slurm", "partion=main")
    assert done.returncode == 2 and "partion" in done.stderr and "partition" in done.stderr
    assert not list((tmp_path / "cells").rglob("*.json"))


def test_a_cancelled_job_keeps_what_it_has_and_is_submitted_again(slurm, real_set, tmp_path):
    options = grid(real_set, ("scratch",), steps=2500)
    first = submit(options, tmp_path)
    (job,) = re.findall(r"seed0: job (\d+)", first.stdout)
    until(lambda: steps(tmp_path) > 100)
    assert f"seed0: job {job}\n" in submit(options, tmp_path).stdout, "it is there: nothing is submitted twice"
    subprocess.run(["scancel", job], check=True)
    until(lambda: not state(slurm, job))
    at = steps(tmp_path)
    second = submit(options, tmp_path, "--watch")
    assert second.returncode == 0, second.stdout + second.stderr
    assert [done >= at for done in resumptions(tmp_path)] == [True]
    (record,) = (record for record in read_cells(tmp_path) if record.role == "student")
    assert record.steps == 2500


def test_a_job_goes_on_after_its_time_limit(slurm, real_set, tmp_path):
    options = grid(real_set, ("scratch",), steps=20_000)
    done = submit(options, tmp_path, "--slurm", "time=3", "--slurm", "signal_delay_s=60")
    (job,) = re.findall(r"seed0: job (\d+)", done.stdout)
    output = tmp_path / "runs" / "slurm" / "jobs" / f"{job}_0_log.out"
    until(lambda: output.exists() and output.read_text().count("Requeued job") >= 1)
    at = steps(tmp_path)
    assert at > 0
    until(lambda: steps(tmp_path) > at)
    subprocess.run(["scancel", job], check=True)
    until(lambda: not state(slurm, job))


def test_a_job_whose_node_crashes_goes_on_elsewhere(slurm, real_set, tmp_path):
    options = grid(real_set, ("scratch",), steps=2500)
    done = submit(options, tmp_path)
    (job,) = re.findall(r"seed0: job (\d+)", done.stdout)
    until(lambda: steps(tmp_path) > 100)
    node = slurm.ask("squeue", "--noheader", f"--jobs={job}", "--format=%N").strip()
    slurm.crash_node(node)
    try:
        watched = submit(options, tmp_path, "--watch")
    finally:
        slurm.start_node(node)
    assert watched.returncode == 0, watched.stdout + watched.stderr
    assert len(resumptions(tmp_path)) == 1, "it went on, on the other node"
