"""The budget of a grid: what is counted, and schedules that no GPU has to run."""

import json

import pytest
from typer.testing import CliRunner

from bench.__main__ import app
from bench.gpu_hours import Assumptions, GpuHoursRecord, Work, simulate
from bench.record import read_record

HOUR = 3600e12
"""Multiply-accumulates of a GPU hour at 1 x 10^12 a second."""
CALM = Assumptions(tera_macs=1, failure_hours=1e12)


def test_works_wait_for_their_teachers_and_gpus_for_works():
    works = [Work("teacher", 2 * HOUR), Work("a", 3 * HOUR, ("teacher",)), Work("b", 1 * HOUR, ("teacher",))]
    one, two, many = (simulate(works, "cohorts", count, CALM) for count in (1, 2, 64))
    assert one.hours == pytest.approx(6) and two.hours == many.hours == pytest.approx(5), "the teacher, then a"
    assert one.gpu_hours == many.gpu_hours == pytest.approx(6) and one.lost_hours == 0
    assert one.longest_hours == pytest.approx(3) and one.num_jobs == 3


def test_failures_cost_what_came_after_the_last_checkpoint_and_the_restart():
    works = [Work(str(number), 100 * HOUR) for number in range(200)]
    assumed = Assumptions(tera_macs=1, failure_hours=50, checkpoint_minutes=60, restart_minutes=30)
    found = simulate(works, "cells alone", 8, assumed)
    failures = 200 * 100 / 50
    assert found.lost_hours == pytest.approx(failures * (0.5 + 0.5), rel=0.1), "half an interval, and half an hour"
    assert found.gpu_hours == pytest.approx(200 * 100 + found.lost_hours)
    assert simulate(works, "cells alone", 8, assumed) == found, "the same failures"
    assert simulate(works, "cells alone", 8, assumed, seed=1) != found


def test_cohorts_share_the_passes_of_their_teachers(tmp_path):
    """Of the smoke grid: a student's step is three passes of its own and one of each teacher that it asks."""
    told = ["--profile", "smoke", "--rate", "2", "--gpus", "1", "--out", str(tmp_path / "hours.json")]
    done = CliRunner().invoke(app, ["budget", *told])
    assert done.exit_code == 0, done.exception
    record = read_record(tmp_path / "hours.json", GpuHoursRecord)
    alone, shared = record.exa_macs["cells alone"], record.exa_macs["cohorts"]
    assert 0 < shared < alone
    assert {schedule.num_jobs for schedule in record.schedules} == {8 + 4, 8 + 4 * 6}, "teachers, and cohorts or cells"
    assert "Assumed, not measured" in done.output and "| cohorts | 1 |" in done.output
    assert json.loads((tmp_path / "hours.json").read_text())["grid"] == "smoke"
