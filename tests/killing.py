"""Running the benchmark in processes that are killed: what tests of resumption share."""

import os
import random
import signal
import subprocess
import sys
import time

from typer.testing import CliRunner

from bench.__main__ import app
from bench.record import read_cells


def grid(real_set, methods, steps, teacher=("trained",)):
    """Options of a grid on a set of pairs whose checkpoints are written as often as may be."""
    training = f"{{steps: {steps}, batch_size: 2, crop_size: 32}}"
    settings = {
        "train": training, "teachers": f"{{removal: {training}, reconstruction: {training}}}", "networks": "[nafnet]",
        "methods": f"[{','.join(methods)}]", "teacher": f"[{','.join(teacher)}]", "threads": 1,
        "checkpoint_seconds": 0.01,
    }  # fmt: skip
    options = ["--all", "--profile", "smoke", "--data-root", str(real_set), "--task", "denoising"]
    return [*options, *(part for key, value in settings.items() for part in ("--set", f"{key}={value}"))]


def run(options, results):
    """Runs the benchmark to its end, in this process."""
    done = CliRunner().invoke(app, ["run", *options, "--results", str(results)])
    assert done.exit_code == 0, done.output


def run_until_killed(options, results, most_seconds):
    """Kills the benchmark some time after it wrote a checkpoint; returns whether it was still alive."""
    command = [sys.executable, "-m", "bench.run", *options, "--results", str(results)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
    before = _newest(results)
    while process.poll() is None and _newest(results) == before:
        time.sleep(0.005)
    time.sleep(random.uniform(0, most_seconds))
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
    return process.wait() == -signal.SIGKILL


def outcome(results):
    """All that a run leaves and that must not depend on how often it was killed."""
    records = {record.label + record.test_set: record.model_dump(exclude={"run"}) for record in read_cells(results)}
    tables = {path.relative_to(results): path.read_text() for path in (results / "cells").rglob("*.csv")}
    return records, tables


def _newest(results):
    return max((path.stat().st_mtime_ns for path in (results / "runs").rglob("checkpoint.pt")), default=0)
