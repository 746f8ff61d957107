"""The whole path with every method and every control, in miniature."""

from bench import run
from bench.cell import Filters
from bench.distiller import METHODS
from bench.record import read_cells
from bench.step_cost import published_methods


def test_every_method_and_every_control_trains_and_is_scored(make_params, workspace):
    methods = published_methods()
    grid = make_params(methods=methods, teacher=["trained", "oracle"])
    assert run.run_grid(grid, workspace, Filters()) == {}
    students = [record for record in read_cells(workspace.results) if record.role == "student"]
    controls = [f"{name}@oracle" for name in methods if METHODS[name].control == name]
    assert sorted({record.label for record in students}) == sorted([*methods, *controls])
    assert all(record.status == "ok" and record.metrics["psnr_db"] > 0 for record in students)
    usual = {record.initial_sha256 for record in students}
    assert len(usual) == 1, "all start from the same weights"
    table = (workspace.results / "tables" / "nafnet.md").read_text()
    assert "Perceptual features of `ckt`, `csd`, `dckd`, `skd`: the removal teacher's encoder." in table


def test_a_second_run_finds_everything_done(make_params, workspace):
    grid = make_params(methods=["scratch", "csd", "scratch_long"], teacher=["trained", "oracle"])
    run.run_grid(grid, workspace, Filters())
    before = {path: path.stat().st_mtime_ns for path in workspace.results.rglob("cells/**/*.json")}
    assert run.run_grid(grid, workspace, Filters()) == {}
    assert {path: path.stat().st_mtime_ns for path in workspace.results.rglob("cells/**/*.json")} == before
