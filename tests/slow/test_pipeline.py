"""A real DVC run, and real signals, in a fresh clone."""

import csv
import inspect
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from bench.record import read_cells
from slkd import SLKD
from tests.docs.clone import RENDERED

pytestmark = pytest.mark.slow

TINY = {"steps": 2, "batch_size": 2, "crop_size": 32}
STEPS = 60
"""So many that a run can be caught in the middle."""
TEACHERS, COHORT = "denoising/nafnet/teachers", "denoising/nafnet/seed0"


def environment():
    # The stages of dvc.yaml call `python`, which must be the one that runs the tests.
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return os.environ | {"PATH": path, "DVC_NO_ANALYTICS": "1"}


def run(*command, cwd):
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False, timeout=900, env=environment())
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def cloned(source, folder):
    run("git", "clone", "--quiet", str(source), "clone", cwd=folder)
    return folder / "clone"


def commit(root):
    run("git", "add", "--all", cwd=root)
    run("git", "-c", "user.name=test", "-c", "user.email=test@example.org", "commit", "--quiet", "-m", "x", cwd=root)


def emptied(folder):
    """A fresh clone without the default grid's results, with which a small grid's cannot be compared."""
    root = cloned(Path.cwd(), folder)
    for name in RENDERED:
        run("git", "rm", "-r", "--quiet", "--ignore-unmatch", f"results/{name}", cwd=root)
    commit(root)
    return root


@pytest.fixture
def clone(tmp_path):
    """A fresh clone."""
    return emptied(tmp_path)


def write_params(root, **changes):
    values = {
        "tasks": ["denoising"], "networks": ["nafnet"], "methods": ["scratch", "slkd"], "seeds": [0],
        "teacher": ["trained", "oracle"], "perceptual": "teacher",
        "teachers": {"removal": TINY, "reconstruction": TINY}, "sizes": {"teacher": "mini", "student": "micro"},
        "method_configs": {}, "evaluate_on": "test", "tiling": None, "threads": 1,
    }  # fmt: skip
    (root / "params.yaml").write_text(json.dumps(values | changes))  # JSON is YAML


def stages_of(printed):
    """The stages that a ``dvc repro`` ran."""
    return [name.partition("@")[0] for name in re.findall("Running stage '(.+)'", printed)]


def students(root):
    return [record for record in read_cells(root / "results") if record.role == "student"]


def records_of(root, folder="results"):
    """All that is the same each time a cell is run: its records but for the provenance, and its histories."""
    records = [record.model_dump(exclude={"run"}) for record in read_cells(root / folder)]
    histories = {path.parent.name: path.read_text() for path in (root / folder / "cells").rglob("terms.csv")}
    assert records and histories
    return records, histories


def newest(folder):
    return max((path.stat().st_mtime_ns for path in folder.rglob("checkpoint.pt")), default=0)


@pytest.fixture(scope="module")
def origin(tmp_path_factory):
    """A clone whose grid was run and committed."""
    root = emptied(tmp_path_factory.mktemp("origin"))
    write_params(root, train=TINY)
    assert stages_of(run("dvc", "repro", cwd=root)) == ["data", "code", "teach", "cohort", "cost", "report"]
    commit(root)
    return root


@pytest.fixture
def finished(origin, tmp_path):
    """A copy of it, with all that git does not keep."""
    return shutil.copytree(origin, tmp_path / "finished", symlinks=True)


def test_dvc_repro_runs_the_grid_offline_once_and_then_nothing(finished):
    assert {record.method for record in students(finished)} == {"scratch", "slkd"}
    assert (finished / "results" / "tables" / "nafnet.md").exists()
    started = time.monotonic()
    assert stages_of(run("dvc", "repro", cwd=finished)) == ["code"]
    print(f"second dvc repro: {time.monotonic() - started:.1f} s")
    assert run("git", "status", "--porcelain", cwd=finished) == ""


def test_a_clone_of_finished_results_trains_no_student_again(origin, tmp_path):
    clone = cloned(origin, tmp_path)
    assert stages_of(run("dvc", "repro", cwd=clone)) == ["data", "code", "teach", "report"]
    assert students(clone) == students(origin)


def test_an_experiment_is_compared_with_what_is_committed(finished):
    ran = run("dvc", "exp", "run", "--name", "longer", "--set-param", "train.steps=3", cwd=finished)
    assert stages_of(ran) == ["code", "cohort", "report"]
    assert {record.steps for record in students(finished)} == {3}
    assert "denoising.nafnet.noise_50.slkd@oracle.PSNR" in run("dvc", "metrics", "diff", cwd=finished)
    assert re.search(r"train.steps +2 +3", run("dvc", "params", "diff", cwd=finished))
    run("dvc", "plots", "diff", "--out", "plots", cwd=finished)
    page = (finished / "plots" / "index.html").read_text()
    assert page.count('"facet"') == 2, "a plot is not drawn by its template"
    assert '"method": "slkd@oracle"' in page and '"term": "kl"' in page and '"rev": "HEAD"' in page


def test_a_queued_experiment_runs_beside_the_workspace_and_finds_the_teachers(finished):
    run("dvc", "exp", "run", "--queue", "--name", "longer", "--set-param", "train.steps=3", cwd=finished)
    assert "teach" not in stages_of(run("dvc", "exp", "run", "--run-all", cwd=finished))
    assert {record.steps for record in students(finished)} == {2}
    shown = csv.DictReader(run("dvc", "exp", "show", "--csv", cwd=finished).splitlines())
    (experiment,) = [row for row in shown if row["Experiment"] == "longer"]
    assert experiment["State"] == "Success" and experiment["train.steps"] == "3"
    assert float(experiment["denoising.nafnet.noise_50.slkd.PSNR"]) > 0


def test_an_edit_of_code_runs_again_what_it_touches(finished):
    before = {record.label: record for record in read_cells(finished / "results")}
    source = finished / Path(inspect.getfile(SLKD)).relative_to(Path.cwd())
    source.write_text(f"{source.read_text()}\n# A comment computes nothing.\n")
    assert stages_of(run("dvc", "repro", cwd=finished)) == ["code"]
    source.write_text(f"{source.read_text()}\nassert SLKD  # but this may\n")
    assert "cohort" in stages_of(run("dvc", "repro", "cohort", cwd=finished))
    after = {record.label: record for record in read_cells(finished / "results")}
    assert {label for label in before if after[label].run != before[label].run} == {"slkd", "slkd@oracle"}


def test_an_interrupted_repro_goes_on_and_ends_in_the_same_records(clone):
    long = TINY | {"steps": STEPS}
    methods = ["scratch", "dckd", "slkd"]  # dckd has a history and a codebook, slkd running moments
    teachers = {"removal": long, "reconstruction": TINY}
    write_params(clone, train=long, teachers=teachers, methods=methods, checkpoint_seconds=0.01)
    assert interrupt(clone, TEACHERS, power_cut) == {f"{TEACHERS}/removal"}
    cells = {f"{COHORT}/{label}" for label in (*methods, "dckd@oracle", "slkd@oracle")}
    for how in (kill_dvc, control_c, power_cut):
        assert interrupt(clone, COHORT, how) == cells
    assert stages_of(run("dvc", "repro", "cohort", cwd=clone)) == ["code", "cohort"]
    run(sys.executable, "-m", "bench.run", "--all", "--results", "quiet", cwd=clone)
    assert records_of(clone) == records_of(clone, "quiet")


def interrupt(root, part, how):
    """Interrupts a ``dvc repro`` soon after a checkpoint of a part of the grid, and names the cells that resume."""
    folder = root / "runs" / "default" / part
    before = newest(folder)
    process = subprocess.Popen(["dvc", "repro", "cohort"], cwd=root, start_new_session=True, env=environment())
    while process.poll() is None and newest(folder) == before:
        time.sleep(0.01)
    time.sleep(0.3)
    stage = psutil.Process(process.pid).children(recursive=True)
    assert stage and process.poll() is None, "it takes more steps to catch a training"
    how(process)
    assert process.wait(60) != 0
    _, alive = psutil.wait_procs(stage, timeout=60)
    assert not alive, "the stage goes on alone"
    list(read_cells(root / "results"))  # every record that is there can be read
    listed = run(sys.executable, "-m", "bench.run", "--all", "--dry-run", cwd=root)
    begun = re.findall(r"(\S+) +resume +(\d+) of (\d+) steps", listed)
    assert all(int(left) < int(steps) for _, left, steps in begun)
    return {cell for cell, _, _ in begun}


def kill_dvc(process):
    process.kill()


def control_c(process):
    os.killpg(process.pid, signal.SIGINT)  # a terminal tells all its processes


def power_cut(process):
    os.killpg(process.pid, signal.SIGKILL)
