import pytest
import torch

from bench import plan
from bench.batch import Batch
from bench.cell import Cell, Filters
from bench.complexity import complete_macs, count, keep_record
from bench.distiller import Lesson, OracleLesson
from bench.networks.base import build_network
from bench.plan import Planner

BATCH = Batch(torch.zeros(1, 3, 16, 16), torch.ones(1, 3, 16, 16))


def draw(name="a", seed=0, step=0, make=lambda lesson: lesson):
    return torch.rand(4, generator=make(Lesson(BATCH, {}, step, seed)).generator(name)).tolist()


def test_what_a_method_draws_depends_on_name_seed_and_step_alone():
    assert draw() == draw() == draw(make=OracleLesson)
    assert len({tuple(draw(*key)) for key in (("a", 0, 0), ("b", 0, 0), ("a", 1, 0), ("a", 0, 1))}) == 4


def test_progress_is_the_share_of_steps_that_are_done():
    lesson = Lesson(BATCH, {}, 30, total_steps=120)
    assert lesson.progress == OracleLesson(lesson).progress == 0.25


def test_without_a_length_there_is_no_progress():
    with pytest.raises(ValueError, match="total_steps"):
        _ = Lesson(BATCH, {}, 30).progress


LONG = Cell("denoising", "nafnet", "scratch_long", 0)


def test_scratch_long_spends_the_teachers_passes_on_steps(make_params, workspace):
    planner = Planner(make_params(methods=["scratch", "scratch_long", "ckt"]), workspace)
    networks = [build_network("nafnet", size).eval() for size in ("mini", "micro")]
    teacher, student = (count(network, 256).macs_complete for network in networks)
    assert [complete_macs(network, 256) for network in networks] == [teacher, student]
    steps = planner.training(LONG).steps
    assert steps == round(3 * (1 + teacher / (3 * student))) > 3
    assert planner.resolve(LONG)["training"]["steps"] == steps
    assert planner.recipe(LONG).steps == 3, "the schedule of others follows the grid's length"
    assert planner.teachers(LONG) == {}


def test_it_goes_on_when_its_cohort_is_done(make_params, workspace):
    from bench import run
    from bench.record import read_cells

    grid = make_params(methods=["scratch", "scratch_long"])
    assert run.run_grid(grid, workspace, Filters()) == {}
    steps = {record.method: record.steps for record in read_cells(workspace.results) if record.role == "student"}
    assert steps == {"scratch": 3, "scratch_long": Planner(grid, workspace).training(LONG).steps}
    table = (workspace.results / "tables" / "nafnet.md").read_text()
    assert f"Students: 3 steps, `scratch_long` {steps['scratch_long']}, seeds: 1" in table


def test_a_network_is_counted_once_for_all_runs(make_params, workspace, monkeypatch):
    grid = make_params(methods=["scratch_long"])
    steps = Planner(grid, workspace).training(LONG).steps
    for size in ("mini", "micro"):
        keep_record(workspace.results, "nafnet", size, lambda size=size: build_network("nafnet", size))
    monkeypatch.setattr(plan, "complete_macs", None)
    assert Planner(grid, workspace).training(LONG).steps == steps
