"""Where the time of a step goes: what is added up where, and that watching changes nothing."""

import json

import pytest
import torch
from typer.testing import CliRunner

from bench.__main__ import app
from bench.cell import Filters
from bench.distiller import Lesson
from bench.plan import Planner
from bench.profile import course_of
from bench.record import read_record
from bench.registry import UnknownNameError
from bench.step_profile import DATA, PERCEPTUAL, ProfileRecord, Stopwatch, profile_steps, rows


def bench(*arguments):
    return CliRunner().invoke(app, list(map(str, arguments)))


@pytest.fixture
def clock(monkeypatch):
    """A clock that stands still until it is moved."""
    now = [0.0]
    monkeypatch.setattr("time.perf_counter", lambda: now[0])

    def wait(seconds):
        now[0] += seconds

    return wait


def test_a_section_within_another_is_not_counted_there(clock):
    watch = Stopwatch()
    with watch.section(("slkd", "optimiser")):
        clock(1)
        with watch.section(("slkd", "terms")):
            clock(10)
            with watch.section(("removal teacher", "shared")):
                clock(100)
            clock(1000)
        clock(10000)
    clock(5)  # of nobody
    expected = {("slkd", "optimiser"): 10001, ("slkd", "terms"): 1010, ("removal teacher", "shared"): 100}
    assert watch.reset() == expected and watch.reset() == {}


def test_a_device_is_waited_for(clock):
    watch = Stopwatch(lambda: clock(7))
    with watch.section(("slkd", "forward")):
        clock(1)
    assert watch.reset() == {("slkd", "forward"): 8}


def test_a_section_that_fails_is_closed(clock):
    watch = Stopwatch()
    with pytest.raises(KeyError), watch.section(("a", "terms")):
        clock(1)
        raise KeyError
    with watch.section(("b", "terms")):
        clock(2)
    assert watch.reset() == {("a", "terms"): 1, ("b", "terms"): 2}


def test_rows_are_medians_and_what_is_shared_comes_first():
    steps = [
        {("slkd", "forward"): 0.001, (DATA, "shared"): 0.002, ("slkd", "terms"): 0.5},
        {("slkd", "forward"): 0.003, (DATA, "shared"): 0.009, ("slkd", "terms"): 0.1},
        {("slkd", "forward"): 0.002, (DATA, "shared"): 0.004},
    ]
    data, slkd = rows(steps, {"slkd": 1.5})
    assert (data.name, data.parts, data.floor_ms) == (DATA, {"shared": 4.0}, None)
    assert (slkd.name, slkd.parts, slkd.floor_ms) == ("slkd", {"forward": 2.0, "terms": 100.0}, 1.5)
    assert slkd.total_ms == 102.0


@pytest.fixture
def cohort(make_params, workspace):
    """A planner, and the cells of a cohort with a method of every kind: teachers, perceptual features, an oracle."""
    methods, oracle = ["scratch", "fitnet", "dckd", "slkd"], ["trained", "oracle"]
    planner = Planner(make_params(methods=methods, teacher=oracle), workspace)
    return planner, next(cohort.cells for cohort in planner.cohorts(Filters()) if cohort.cells[0].role == "student")


def test_watching_changes_no_weight(cohort):
    planner, cells = cohort
    watched, alone = course_of(cells, planner), course_of(cells, planner)
    times = profile_steps(watched, 1)
    for step in range(3):  # two of which warm up
        batch = alone.draw(step)
        for member in alone.members.values():
            member.learn(Lesson(batch, alone.teachers, step, alone.seed, alone.total_steps))
    for name, member in alone.members.items():
        ours, theirs = member.distiller.state_dict(), watched.members[name].distiller.state_dict()
        assert all(torch.equal(ours[key], theirs[key]) for key in ours), name
    names = {name for name, _ in times[0]}
    assert names == {DATA, "removal teacher", "reconstruction teacher", PERCEPTUAL, *watched.members}
    for name in watched.members:
        assert {part for row, part in times[0] if row == name} == {"forward", "terms", "backward", "optimiser"}


def test_the_command_prints_a_table_and_keeps_a_record_and_a_trace(real_set, tmp_path):
    out, trace = tmp_path / "profile.json", tmp_path / "traces" / "step.json"
    options = ("--profile", "smoke", "--data-root", real_set, "--steps", 1, "--threads", 1, "--set", "precision=bf16")
    done = bench("profile", "denoising/nafnet/seed0/slkd", *options, "--out", out, "--trace", trace)
    assert done.exit_code == 0, done.exception
    record = read_record(out, ProfileRecord)
    assert [row.name for row in record.rows] == [DATA, "removal teacher", "reconstruction teacher", "slkd"]
    assert [row.floor_ms is None for row in record.rows] == [True, False, False, False]
    assert record.threads == 1 and record.macs_per_second_g > 0
    assert (record.precision, record.is_compiled) == ("bf16", False) and "bf16, PyTorch" in done.output
    for text in ("| slkd |", "| all |", "100.0 %", str(out), str(trace)):
        assert text in done.output
    assert any(event.get("name") == "aten::convolution" for event in json.loads(trace.read_text())["traceEvents"])


@pytest.mark.slow
def test_compiled_networks_are_timed_as_others_are(make_params, workspace):
    grids = [make_params(methods=["scratch", "slkd"], compile=is_compiling) for is_compiling in (True, False)]
    cells = Planner(grids[0], workspace).cohorts(Filters())[-1].cells
    compiled, eager = (course_of(cells, Planner(grid, workspace)) for grid in grids)
    times, expected = (profile_steps(course, 1)[0] for course in (compiled, eager))
    assert times.keys() == expected.keys() and all(seconds > 0 for seconds in times.values())
    students = (member.distiller.student for member in compiled.members.values())
    assert not any({"forward", "encode", "forward_features"} & vars(student).keys() for student in students)


def test_a_teacher_is_profiled_and_an_unknown_name_refused(real_set):
    options = ("--profile", "smoke", "--data-root", real_set, "--steps", 1)
    done = bench("profile", "denoising/nafnet/teachers/removal", *options)
    assert done.exit_code == 0 and "| removal |" in done.output, done.exception
    error = bench("profile", "denoising/nafnet/seed1", *options).exception
    assert isinstance(error, UnknownNameError) and "denoising/nafnet/seed0" in str(error)
