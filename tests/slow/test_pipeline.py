"""A real DVC run, and a real SIGKILL, in a fresh clone."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

from bench.record import read_cells

pytestmark = pytest.mark.slow

TINY = {"steps": 2, "batch_size": 2, "crop_size": 32}


def run(*command, cwd, check=True):
    # The stages of dvc.yaml call `python`, which must be the one that runs the tests.
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = os.environ | {"PATH": path, "DVC_NO_ANALYTICS": "1"}
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False, timeout=900, env=environment)
    assert not check or done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture
def clone(tmp_path):
    """A fresh clone whose default grid is tiny."""
    run("git", "clone", "--quiet", str(Path.cwd()), "clone", cwd=tmp_path)
    root = tmp_path / "clone"
    write_params(root, train=TINY)
    return root


def write_params(root, **changes):
    values = {
        "tasks": ["denoising"], "networks": ["nafnet"], "methods": ["scratch", "slkd"], "seeds": [0],
        "teacher": ["trained", "oracle"], "perceptual": "teacher",
        "teachers": {"removal": TINY, "reconstruction": TINY}, "sizes": {"teacher": "mini", "student": "micro"},
        "method_configs": {}, "evaluate_on": "test", "tiling": None, "threads": 2,
    }  # fmt: skip
    (root / "params.yaml").write_text(yaml.safe_dump(values | changes))


def test_dvc_repro_runs_the_grid_offline_once_and_then_nothing(clone):
    run("dvc", "repro", cwd=clone)
    records = list(read_cells(clone / "results"))
    assert {r.method for r in records if r.role == "student"} == {"scratch", "slkd"}
    assert (clone / "results" / "tables" / "nafnet.md").exists()
    started = time.monotonic()
    assert "up to date" in run("dvc", "repro", cwd=clone)
    print(f"second dvc repro: {time.monotonic() - started:.1f} s")
    write_params(clone, train=TINY | {"steps": 3})
    run("dvc", "repro", cwd=clone)
    assert {r.steps for r in read_cells(clone / "results") if r.role == "student"} == {3}


def test_a_killed_run_leaves_whole_records_and_ends_in_the_same_bits(clone):
    run("dvc", "pull", "--quiet", "data.dvc", cwd=clone)
    methods = ["scratch", "dckd", "slkd"]  # dckd has a history and a codebook, slkd running moments
    write_params(clone, train=TINY | {"steps": 60}, methods=methods, checkpoint_seconds=0.01)
    command = [sys.executable, "-m", "bench.run", "--all"]
    run(*command, "--results", "quiet", cwd=clone)
    returned = []
    for _ in range(3):
        process = subprocess.Popen(command, cwd=clone, stdout=subprocess.DEVNULL, start_new_session=True)
        before = newest(clone / "runs" / "default")
        while process.poll() is None and newest(clone / "runs" / "default") == before:
            time.sleep(0.01)
        time.sleep(0.3)
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        returned.append(process.wait())
        list(read_cells(clone / "results"))  # every record that is there can be read
    assert -signal.SIGKILL in returned, "no run was killed: it takes more steps to catch one"
    run(*command, cwd=clone)
    quiet, killed = (
        [record.model_dump(exclude={"run"}) for record in read_cells(clone / folder)] for folder in ("quiet", "results")
    )
    assert killed == quiet
    histories = [
        {path.parent.name: path.read_text() for path in (clone / folder / "cells").rglob("terms.csv")}
        for folder in ("quiet", "results")
    ]
    assert histories[0] == histories[1] and len(histories[0]) > 2


def newest(folder):
    return max((path.stat().st_mtime_ns for path in folder.rglob("checkpoint.pt")), default=0)
