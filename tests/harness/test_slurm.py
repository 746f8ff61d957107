"""Submitting cohorts, with stand-ins for Slurm's commands; tests/slurm has a real one."""

import json
import os
import stat
import sys

import pytest
from typer.testing import CliRunner

from bench import agreement, judge, run, slurm, watch
from bench.__main__ import app
from bench.cell import Filters
from bench.plan import Planner

SBATCH = """#!{python}
import json, pathlib, sys
folder = pathlib.Path(__file__).parent
jobs = folder / "jobs.json"
known = json.loads(jobs.read_text()) if jobs.exists() else {{}}
text = pathlib.Path(sys.argv[1]).read_text()
if "--partition=nothing" in text:
    sys.exit("sbatch: error: invalid partition specified: nothing")
known[len(known) + 1] = text
jobs.write_text(json.dumps(known))
print("Submitted batch job", len(known))
"""
SQUEUE = """#!/bin/sh
[ -e {folder}/away ] && echo "slurm_load_jobs error: Unable to contact slurm controller" >&2 && exit 1
cat {folder}/queue
"""


@pytest.fixture
def cluster(tmp_path, monkeypatch):
    """A folder with the commands; its file `queue` is what squeue prints, jobs.json what sbatch was given."""
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "queue").touch()
    scripts = {"sbatch": SBATCH.format(python=sys.executable), "squeue": SQUEUE.format(folder=folder), "srun": ""}
    for name, text in scripts.items():
        (folder / name).write_text(text)
        (folder / name).chmod((folder / name).stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    return folder


@pytest.fixture
def plans(make_params, workspace):
    planner = Planner(make_params(methods=["scratch", "output_kd"], seeds=[0, 1]), workspace)
    return [plan for cohort in judge.plans(planner, planner.cohorts(Filters())) for plan in cohort]


def submitted(cluster):
    return list(json.loads((cluster / "jobs.json").read_text()).values()) if (cluster / "jobs.json").exists() else []


def make(workspace, **resources):
    return slurm.Cluster(workspace, ["--method", "scratch"], resources)


def test_students_wait_for_their_teachers(cluster, plans, workspace):
    jobs = make(workspace, array_parallelism=1).submit(plans)
    names = ["denoising/nafnet/teachers", "denoising/nafnet/seed0", "denoising/nafnet/seed1"]
    assert jobs == dict(zip(["1", "2_0", "2_1"], names, strict=True))
    teachers, students = submitted(cluster)
    assert "--array" not in teachers and "--dependency" not in teachers
    assert "--array=0-1%1" in students and "--dependency=afterany:1" in students


def test_what_is_in_the_cluster_is_not_submitted_again(cluster, plans, workspace):
    make(workspace).submit(plans)
    (cluster / "queue").write_text("2_0|RUNNING|node1\n2_1|PENDING|(Priority)\n99|RUNNING|node2\n")
    jobs = make(workspace).submit(plans)
    assert jobs == {"2_0": "denoising/nafnet/seed0", "2_1": "denoising/nafnet/seed1", "3": "denoising/nafnet/teachers"}
    assert len(submitted(cluster)) == 3, "the teachers alone, whose job is gone"


def test_what_was_accepted_is_remembered_when_something_is_refused(cluster, plans, workspace, monkeypatch):
    given = make(workspace)
    submit = given._submit

    def refuse_students(cohorts, dependency):
        if dependency:
            given._executor.update_parameters(partition="nothing")
        return submit(cohorts, dependency)

    monkeypatch.setattr(given, "_submit", refuse_students)
    with pytest.raises(ValueError, match=r"Slurm refuses.*partition specified: nothing.*are not submitted again"):
        given.submit(plans)
    (cluster / "queue").write_text("1|PENDING|(None)\n")
    assert make(workspace).jobs() == {"1": "denoising/nafnet/teachers"}


@pytest.mark.parametrize(
    ("resources", "message"),
    [
        ({"partion": "gpu"}, r"partion.*\n.*Valid parameters"),
        ({"time": 2}, "Slurm may stop a job 150 s before its limit"),
    ],
)
def test_a_bad_resource_is_refused_before_anything_is_submitted(cluster, workspace, resources, message):
    with pytest.raises(ValueError, match=message):
        make(workspace, **resources)
    assert not submitted(cluster)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--slurm", "time=9"], "--slurm and --watch are for --executor slurm"),
        (["--executor", "slurm", "--slurm", "time"], "expected KEY=VALUE, such as time=240"),
        (["--executor", "slurm"], "found no `sbatch`"),
    ],
)
def test_bad_requests(options, message, monkeypatch):
    monkeypatch.setenv("PATH", "")
    done = CliRunner().invoke(app, ["run", "--all", "--profile", "smoke", *options])
    assert message in str(done.exception)


def test_a_dead_controller_is_told(cluster, plans, workspace):
    make(workspace).submit(plans)
    (cluster / "away").touch()
    with pytest.raises(OSError, match=r"Slurm does not answer: .*Unable to contact slurm controller"):
        make(workspace).submit(plans)


def test_watching_tells_what_changes_and_ends_with_the_jobs(cluster, tmp_path, monkeypatch):
    log, shown = tmp_path / "seed0.log", []
    states = iter(["1|PENDING|(Priority)", "1|RUNNING|node1", "away", "1|RUNNING|node1", ""])

    def pass_on(seconds):
        state = next(states)
        (cluster / "away").unlink(missing_ok=True)
        (cluster / ("away" if state == "away" else "queue")).write_text(f"{state}\n" if "|" in state else "")
        if state == "away":  # while nobody can ask, it goes on
            log.write_text("12:00 INFO [1/1] denoising/nafnet/seed0: step 48/300, ETA 9 min; loss: scratch 0.2\n")

    pass_on(0)
    monkeypatch.setattr(watch.time, "sleep", pass_on)
    watch.watch({"1": "seed0"}, lambda cohort: tmp_path / f"{cohort}.log", shown.append)
    assert shown == [
        "seed0, job 1: pending (Priority)",
        "seed0, job 1: runs on node1",
        "seed0, job 1: runs on node1, step 48/300, ETA 9 min",
        "seed0, job 1: has ended",
    ]


def test_a_node_with_other_code_or_parameters_trains_nothing(make_params, workspace, plans, tmp_path, monkeypatch):
    agreement.write_expected(plans, tmp_path / "expected.json")
    monkeypatch.setenv(agreement.EXPECTED, str(tmp_path / "expected.json"))
    agreement.check_expected(plans)
    params = make_params(methods=["scratch"], train={"steps": 4, "batch_size": 2, "crop_size": 32})
    with pytest.raises(ValueError, match=r"would not train what was asked for elsewhere; .*steps.*nothing was trained"):
        run.run_grid(params, workspace, Filters())
    assert not workspace.results.exists()


def test_a_job_that_fails_tells_the_exit_code(monkeypatch):
    with pytest.raises(RuntimeError, match="exit code 1 of python -m no_such_module"):
        slurm.CohortJob(["no_such_module"], {})()
