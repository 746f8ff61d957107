"""What makes a record out of date, and what is said about it."""

import json

import pytest
from typer.testing import CliRunner

from bench import judge, run
from bench.__main__ import app
from bench.cell import Cell, Filters
from bench.config import digest
from bench.judge import differences
from bench.plan import Planner
from bench.record import read_cell, write_record

SLKD = Cell("denoising", "nafnet", "slkd", 0)
REMOVAL = Cell("denoising", "nafnet", "scratch", 0, "removal")


@pytest.fixture
def done(finished, make_params):
    if not finished.results.exists():
        assert run.run_grid(make_params(methods=["scratch", "slkd"]), finished, Filters()) == {}
    return finished


def changes(params, workspace):
    """By cell, what differs."""
    planner = Planner(params, workspace)
    judged = judge.plans(planner, planner.cohorts(Filters()))
    return {plan.cell.path.removeprefix("denoising/nafnet/"): list(plan.changes) for plans in judged for plan in plans}


def test_nothing_differs_after_a_run(done, make_params):
    assert not any(changes(make_params(methods=["scratch", "slkd"]), done).values())


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        ({"train": {"steps": 4, "batch_size": 2, "crop_size": 32}}, "training.steps (3, now 4)"),
        ({"threads": 2}, "threads (1, now 2)"),
        ({"method_configs": {"slkd": {"kl_weight": 0.25}}}, "method_config.kl_weight (0.5, now 0.25)"),
        ({"teachers": {"removal": {"steps": 2}}}, "its removal teacher"),
    ],
)
def test_a_changed_parameter_is_named_with_both_values(done, make_params, parameters, expected):
    base = make_params().teachers
    if "teachers" in parameters:
        removal = base.removal.model_dump(exclude_none=True) | parameters["teachers"]["removal"]
        parameters = {"teachers": {"removal": removal, "reconstruction": base.reconstruction}}
    assert expected in changes(make_params(methods=["scratch", "slkd"], **parameters), done)["seed0/slkd"]


def test_changed_images_are_named(done, make_params, real_set, tmp_path):
    from shutil import copytree

    from PIL import Image, ImageOps

    other = copytree(real_set, tmp_path / real_set.name)
    for split, expected in (("train", "the training images"), ("test", "the test images")):
        path = other / split / "input" / "img-0.png"
        with Image.open(path) as image:
            ImageOps.invert(image).save(path)
        assert expected in changes(make_params(methods=["scratch", "slkd"], data_root=other), done)["seed0/scratch"]


def test_changed_code_is_named_by_its_module(done, make_params, monkeypatch):
    def other(*roots):
        return fingerprint(*roots) | {"bench.losses": "changed"}

    fingerprint = judge.Planner.resolve.__globals__["fingerprint"]
    monkeypatch.setitem(judge.Planner.resolve.__globals__, "fingerprint", other)
    found = changes(make_params(methods=["scratch", "slkd"]), done)
    assert "the code of the training in bench.losses" in found["seed0/scratch"]
    assert "the code of the method in bench.losses" in found["seed0/scratch"]
    assert "its removal teacher" in found["seed0/slkd"], "teachers are trained by the same code"


def test_a_teacher_with_other_weights_makes_its_students_out_of_date(make_params, workspace):
    params = make_params(methods=["scratch", "slkd"])
    assert run.run_grid(params, workspace, Filters()) == {}
    path = workspace.record(REMOVAL, "mini_set")
    write_record(path, read_cell(path).model_copy(update={"weights_sha256": "0" * 64}))
    found = changes(params, workspace)
    assert found["seed0/slkd"] == ["the weights of its removal teacher"] and not found["seed0/scratch"]
    assert Planner(params, workspace).checkpoint(SLKD) is None, "nor does its checkpoint go on"


def test_a_record_without_code_is_of_an_earlier_release(done, make_params):
    record = read_cell(done.record(SLKD, "mini_set"))
    old = {key: value for key, value in record.config.items() if not key.endswith("code")}
    assert all("of an earlier release" in text for text in differences(old, record.config))


def test_configurations_that_are_equal_differ_in_nothing(done):
    config = read_cell(done.record(SLKD, "mini_set")).config
    assert list(differences(config, json.loads(json.dumps(config)))) == []
    assert digest(config) == read_cell(done.record(SLKD, "mini_set")).config_sha256


def test_check_lists_what_is_out_of_date(tmp_path):
    done = CliRunner().invoke(app, ["check", "--profile", "smoke", "--task", "denoising", "--results", str(tmp_path)])
    assert done.exit_code == run.FAILED
    assert "denoising/nafnet/seed0/slkd: there is no record" in done.output
    assert "0 of" in done.output


def test_check_writes_the_digests_of_the_code(tmp_path):
    path = tmp_path / "code.json"
    done = CliRunner().invoke(app, ["check", "--profile", "smoke", "--task", "denoising", "--code", str(path)])
    assert done.exit_code == 0, done.output
    assert {"bench.losses", "bench.train", "bench.evaluate", "slkd.method"} <= json.loads(path.read_text()).keys()


def test_the_methods_of_a_cohort_are_trained_by_the_same_code(done, make_params):
    planner = Planner(make_params(methods=["scratch", "slkd"]), done)
    scratch, slkd = planner.resolve(Cell("denoising", "nafnet", "scratch", 0)), planner.resolve(SLKD)
    assert scratch["code"] == slkd["code"] and "bench.train" in slkd["code"]
    assert "slkd.method" in slkd["method_code"] and "slkd.method" not in slkd["code"]
