"""A method of another package is found and checked without touching this repository: examples/my_lab."""

import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from typer.testing import CliRunner

from bench.__main__ import app
from bench.cell import Filters
from bench.conformance import CHECKS
from bench.distiller import METHODS
from bench.grid import with_methods
from bench.plan import Planner

ROOT = Path(__file__).parents[2]
MY_LAB = ROOT / "examples" / "my_lab"


@pytest.fixture
def my_lab(monkeypatch):
    """The package as Python finds it, uninstalled; its method is gone again afterwards."""
    monkeypatch.syspath_prepend(MY_LAB)
    METHODS._loaded()  # so that what is undone is only what the test adds
    monkeypatch.setattr(METHODS, "_entries", dict(METHODS._entries))
    yield
    for name in [name for name in sys.modules if name.partition(".")[0] == "my_lab"]:
        del sys.modules[name]


def run(*command, **environment):
    settings = os.environ | {"PYTHONPATH": str(MY_LAB), "OMP_NUM_THREADS": "1", **environment}
    arguments = [sys.executable, "-m", *command]
    return subprocess.run(arguments, cwd=ROOT, env=settings, capture_output=True, text=True, check=False)


def test_a_dotted_path_joins_the_grid(my_lab, make_params, workspace):
    grid, wanted = with_methods(make_params(), ["my_lab.edge_kd", "scratch"])
    assert wanted == ["edge_kd", "scratch"]
    assert grid.methods == (*make_params().methods, "edge_kd")
    (cohort,) = (c for c in Planner(grid, workspace).cohorts(Filters(methods=wanted)) if c.cells[0].role == "student")
    assert {cell.method for cell in cohort.cells} == {"edge_kd", "scratch"}


def test_a_cell_depends_on_the_source_of_its_method_wherever_that_is(my_lab, make_params, workspace):
    grid, wanted = with_methods(make_params(), ["my_lab.edge_kd"])
    planner = Planner(grid, workspace)
    files = planner.shared_files(cell for cohort in planner.cohorts(Filters(methods=wanted)) for cell in cohort.cells)
    assert {MY_LAB / "my_lab" / "edge_kd.py", ROOT / "bench" / "losses.py"} <= files


def test_a_path_that_is_given_twice_is_found_twice(my_lab):
    assert METHODS.load("my_lab.edge_kd") == METHODS.load("my_lab.edge_kd") == ["edge_kd"]
    assert METHODS.load("my_lab") == ["edge_kd"], "and so is the package that it is in"


def test_names_alone_leave_the_grid_as_it_is(make_params):
    grid, wanted = with_methods(make_params(), ["scratch"])
    assert grid == make_params() and wanted == ["scratch"]


@pytest.mark.parametrize(
    ("path", "reason"),
    [("my_lab.nothing", "No module named 'my_lab.nothing'"), ("json.decoder", "the module registers no method")],
)
def test_a_path_without_a_method_is_refused(my_lab, make_params, path, reason):
    with pytest.raises(ValueError, match=reason):
        with_methods(make_params(), [path])


def test_check_passes_a_method_of_another_package(my_lab):
    done = CliRunner().invoke(app, ["check", "--method", "my_lab.edge_kd"])
    assert done.exit_code == 0, done.stdout
    assert f"edge_kd: {len(CHECKS)} of {len(CHECKS)} checks passed" in done.stdout


def test_the_entry_point_of_its_pyproject_is_enough(tmp_path):
    """Installed, it is found by its name; an installation is a folder on the path that names the entry points."""
    project = tomllib.loads((MY_LAB / "pyproject.toml").read_text())["project"]
    lines = [
        f"[{group}]\n" + "\n".join(f"{k} = {v}" for k, v in e.items()) for group, e in project["entry-points"].items()
    ]
    installed = tmp_path / "my_lab-0.1.0.dist-info"
    installed.mkdir()
    (installed / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n"
    )
    (installed / "entry_points.txt").write_text("\n".join(lines) + "\n")
    done = run("bench", "list", PYTHONPATH=f"{tmp_path}{os.pathsep}{MY_LAB}", COLUMNS="200")
    assert "edge_kd" in done.stdout and "Edge distillation, an example" in done.stdout


@pytest.mark.slow
def test_its_own_tests_pass():
    done = run(
        "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", str(MY_LAB), "-c", os.devnull, str(MY_LAB / "tests")
    )
    assert done.returncode == 0, done.stdout
