"""Carrying out plans: second tries, failures that stay alone or end the run, other runs in the same tree."""

import errno
import subprocess
import sys
from types import SimpleNamespace

import pytest

from bench import judge, run
from bench.cell import Cell, Filters
from bench.distiller import METHODS
from bench.faults import remedy
from bench.lock import CellLock
from bench.plan import Planner
from bench.record import read_cell, read_cells

SCRATCH = Cell("denoising", "nafnet", "scratch", 0)
NO_MEMORY = RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes.")


@pytest.fixture
def fail(monkeypatch):
    """Makes a method raise an error where a condition on the lesson holds; returns the sizes of its batches."""

    def patch(name, error, condition):
        shown = []
        forward = METHODS[name].forward

        def forward_or_fail(self, lesson):
            shown.append(len(lesson.clean))
            if condition(lesson, len(shown)):
                raise error
            return forward(self, lesson)

        monkeypatch.setattr(METHODS[name], "forward", forward_or_fail)
        return shown

    return patch


def test_a_cell_that_lacks_memory_is_trained_in_parts_and_says_so(make_params, workspace, fail):
    shown = fail("output_kd", NO_MEMORY, lambda lesson, call: len(lesson.clean) > 1)
    params = make_params(methods=["scratch", "output_kd"])
    assert run.run_grid(params, workspace, Filters()) == {}
    assert shown == [2] + 6 * [1], "one try with the whole batch, then three steps in halves"
    records = {record.method: record for record in read_cells(workspace.results) if record.role == "student"}
    assert records["output_kd"].micro_batches == 2 and records["scratch"].micro_batches == 1
    assert "allocate memory" in records["output_kd"].run.provenance["retried_after"]
    planner = Planner(params, workspace)
    judged = [plan for plans in judge.plans(planner, planner.cohorts(Filters())) for plan in plans]
    assert {plan.status for plan in judged} == {"up to date"}


def test_parts_come_to_the_gradient_of_the_whole(make_params, workspace, fail, tmp_path):
    """Of a loss that is a mean over images, as l1 is: the weights agree up to rounding."""
    from dataclasses import replace

    import torch

    from bench.cohort import load_network

    training = {"steps": 3, "batch_size": 2, "crop_size": 32, "restoration_loss": "l1"}
    params = make_params(methods=["scratch"], train=training)
    whole = replace(workspace, results=tmp_path / "whole", runs=tmp_path / "whole_runs")
    assert run.run_grid(params, whole, Filters()) == {}
    fail("scratch", NO_MEMORY, lambda lesson, call: len(lesson.clean) > 1)
    assert run.run_grid(params, workspace, Filters()) == {}
    first, second = (load_network(SCRATCH, Planner(params, place)).state_dict() for place in (whole, workspace))
    for name in first:
        torch.testing.assert_close(first[name], second[name], rtol=1e-3, atol=1e-5)


def test_what_fails_again_in_parts_has_failed(make_params, workspace, fail):
    shown = fail("output_kd", NO_MEMORY, lambda lesson, call: True)
    failures = run.run_grid(make_params(methods=["scratch", "output_kd"]), workspace, Filters())
    assert list(failures) == ["denoising/nafnet/seed0/output_kd"] and shown == [2, 1]
    assert [record.method for record in read_cells(workspace.results) if record.role == "student"] == ["scratch"]


def test_trouble_that_may_pass_is_met_by_a_second_try(make_params, workspace, fail):
    shown = fail("output_kd", OSError(errno.EIO, "Input/output error"), lambda lesson, call: call == 2)
    assert run.run_grid(make_params(methods=["output_kd"]), workspace, Filters()) == {}
    assert shown[:3] == [2, 2, 2]
    record = next(record for record in read_cells(workspace.results) if record.role == "student")
    assert record.micro_batches == 1 and "Input/output" in record.run.provenance["retried_after"]


@pytest.mark.parametrize("error", [ValueError("no"), OSError(errno.ENOSPC, "full"), RuntimeError("shapes")])
def test_what_would_happen_again_is_not_tried_again(make_params, workspace, fail, error):
    shown = fail("output_kd", error, lambda lesson, call: True)
    assert remedy(error) is None
    assert list(run.run_grid(make_params(methods=["output_kd"]), workspace, Filters())) and shown == [2]


def test_a_failure_is_reported_with_its_log(make_params, workspace, fail, caplog):
    fail("output_kd", ValueError("no such thing"), lambda lesson, call: True)
    with pytest.raises(BaseException) as stopped:
        run.exit_with(lambda: run.run_grid(make_params(methods=["scratch", "output_kd"]), workspace, Filters()))
    assert stopped.value.exit_code == run.FAILED
    log = workspace.log("denoising/nafnet/seed0")
    assert f"failed: denoising/nafnet/seed0/output_kd: no such thing; log: {log}" in caplog.text
    assert "Traceback" in log.read_text() and "no such thing" in log.read_text()


@pytest.mark.parametrize("is_fail_fast", [False, True])
def test_the_first_failure_ends_the_run_only_if_that_is_wanted(make_params, workspace, fail, is_fail_fast):
    fail("output_kd", ValueError("no"), lambda lesson, call: True)
    params = make_params(methods=["scratch", "output_kd"], seeds=[0, 1])
    failures = run.run_grid(params, workspace, Filters(), is_fail_fast=is_fail_fast)
    finished = [(r.method, r.seed) for r in read_cells(workspace.results) if r.role == "student"]
    if is_fail_fast:
        assert list(failures) == ["denoising/nafnet/seed0/output_kd"] and finished == []
        assert workspace.checkpoint(SCRATCH).exists(), "what the others had is kept"
    else:
        assert len(failures) == 2 and finished == [("scratch", 0), ("scratch", 1)]


HOLDER = """
import sys
from pathlib import Path
from bench.lock import CellLock

with CellLock(Path(sys.argv[1])) as lock:
    assert lock.acquire() is None
    print("held", flush=True)
    sys.stdin.readline()
"""


@pytest.fixture
def hold(workspace, monkeypatch):
    """Has another process hold the lock of a cell until a run of this one has nothing left to do but to wait."""

    def start(cell):
        command = [sys.executable, "-c", HOLDER, str(workspace.lock(cell))]
        holder = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert holder.stdout.readline() == "held\n"
        clock = SimpleNamespace(
            sleep=lambda seconds: holder.communicate("go on\n")
        )  # of this module, not of heartbeats
        monkeypatch.setattr("bench.schedule.time", clock)
        return holder

    return start


def test_a_cell_that_another_run_has_is_left_to_it_until_it_is_free(make_params, workspace, hold, caplog):
    caplog.set_level("INFO")
    holder = hold(SCRATCH)
    assert run.run_grid(make_params(methods=["scratch"], seeds=[0, 1]), workspace, Filters()) == {}
    text = caplog.text
    assert f"denoising/nafnet/seed0/scratch: waits for process {holder.pid} on" in text
    assert text.index("seed1/scratch on mini_set") < text.index("seed0/scratch on mini_set"), "others come first"
    assert len([r for r in read_cells(workspace.results) if r.role == "student"]) == 2


def test_who_asks_a_teacher_that_another_run_trains_waits_for_it(make_params, workspace, hold, caplog):
    caplog.set_level("INFO")
    hold(Cell("denoising", "nafnet", "scratch", 0, "removal"))
    assert run.run_grid(make_params(methods=["output_kd"]), workspace, Filters()) == {}
    assert "seed0/output_kd: waits for its teacher denoising/nafnet/teachers/removal" in caplog.text


def test_two_runs_share_the_cells_and_train_none_twice(make_params, workspace, real_set, tmp_path):
    arguments = ["--profile", "smoke", "--task", "denoising", "--network", "nafnet", "--data-root", str(real_set)]
    arguments += ["--set", "threads=1", "--set", "seeds=[0,1,2]", "--set", "methods=[scratch,fitnet]"]
    command = [sys.executable, "-m", "bench.run", *arguments, "--results", str(tmp_path / "shared")]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    both = [subprocess.Popen(command, **pipes) for _ in range(2)]
    outputs = [process.communicate(timeout=120)[0] for process in both]
    assert [process.returncode for process in both] == [0, 0], outputs
    lines = "".join(outputs).splitlines()
    scored = [line.split(" ", 1)[1] for line in lines if " on mini_set: psnr_db" in line]
    assert len(scored) == len(set(scored)) == 7, "a teacher, two methods, three seeds, each once"


def test_a_cell_that_was_finished_meanwhile_is_not_run_again(make_params, workspace):
    params = make_params(methods=["scratch"])
    planner = Planner(params, workspace)
    outdated = judge.plans(planner, planner.cohorts(Filters()))
    assert run.run_grid(params, workspace, Filters()) == {}
    before = workspace.record(SCRATCH, "mini_set").stat().st_mtime_ns
    assert run.run_plans(outdated, planner) == {}
    assert workspace.record(SCRATCH, "mini_set").stat().st_mtime_ns == before


def test_locks_are_gone_after_a_run(make_params, workspace):
    assert run.run_grid(make_params(methods=["scratch"]), workspace, Filters()) == {}
    assert not list((workspace.runs / "locks").rglob("*.json"))
    assert CellLock(workspace.lock(SCRATCH)).acquire() is None
    assert read_cell(workspace.record(SCRATCH, "mini_set")).status == "ok"


def test_what_a_killed_run_had_begun_to_write_is_swept_up(make_params, workspace):
    leftovers = [folder / ".checkpoint.pt.4711.tmp" for folder in
                 (workspace.checkpoint(SCRATCH).parent, workspace.history(SCRATCH).parent)]  # fmt: skip
    for path in leftovers:
        path.parent.mkdir(parents=True)
        path.write_bytes(b"half")
    assert run.run_grid(make_params(methods=["scratch"]), workspace, Filters()) == {}
    assert not any(path.exists() for path in leftovers)
