"""Devices and precisions: what is asked for is had, or refused; the CPU stands in for a GPU."""

import os
import re
import subprocess
import sys

import pytest
import torch

from bench import run
from bench.batch import Batch
from bench.cell import Filters, Workspace
from bench.device import Device
from bench.distiller import METHODS, Lesson
from bench.networks.base import build_network
from bench.plan import Planner
from bench.record import read_cells
from bench.stand_ins import CALLS, stand_ins


@pytest.mark.parametrize(
    ("name", "precision", "message"),
    [("cuda", "float32", "sees no GPU.*set device: cpu"), ("cpu", "tf32", "precision: tf32 is one of GPUs")],
)
def test_what_is_not_here_is_refused(name, precision, message, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(ValueError, match=message):
        Device(name, precision)


def test_bf16_is_for_networks_and_ends_with_the_training():
    teacher, student = (build_network("nafnet", "micro", seed) for seed in (0, 1))
    distiller = METHODS["slkd"](student, {"removal": teacher, "reconstruction": teacher}, METHODS["slkd"].Config())
    clean = torch.rand(2, 3, 32, 32)
    seen = []
    student.ending.register_forward_hook(lambda module, inputs, output: seen.append(output.dtype))
    teacher.ending.register_forward_hook(lambda module, inputs, output: seen.append(output.dtype))
    batch = Batch((clean + 0.1 * torch.randn(clean.shape)).clamp(0, 1), clean)
    networks = {"removal": teacher, "reconstruction": teacher}
    with Device("cpu", "bf16").training([distiller]):
        terms = distiller(Lesson(batch, networks, 0, 0, 1))
        sum(terms.values()).backward()
    assert set(seen) == {torch.bfloat16} and len(seen) == 3, "the student, and the teacher twice"
    assert {parameter.grad.dtype for parameter in student.parameters() if parameter.grad is not None} == {torch.float32}
    exact = distiller(Lesson(batch, networks, 0, 0, 1))
    assert seen[-1] == torch.float32 and "forward" not in vars(distiller)
    for name, term in terms.items():
        assert term.item() == pytest.approx(exact[name].item(), rel=0.1), name


def test_images_are_restored_where_the_network_is_and_come_back():
    network, image = build_network("nafnet", "micro"), torch.rand(1, 3, 20, 17)
    expected = network.restore(image)
    with Device("cpu", "float32").restoring(network):
        assert torch.equal(network.restore(image), expected)
    assert "restore" not in vars(network)


def test_a_precision_is_another_training_and_told_in_the_record(make_params, workspace):
    usual, half = (make_params(methods=["scratch"], precision=precision) for precision in ("float32", "bf16"))
    (cell,) = (
        c for cohort in Planner(usual, workspace).cohorts(Filters()) for c in cohort.cells if c.role == "student"
    )
    configs = [Planner(params, workspace).resolve(cell) for params in (usual, half)]
    assert configs[1] == configs[0] | {"device": "cpu", "precision": "bf16"}
    assert run.run_grid(half, workspace, Filters()) == {}
    (record,) = (record for record in read_cells(workspace.results) if record.role == "student")
    assert record.run.provenance["precision"] == "bf16" and record.run.provenance["device"] == "cpu"


def test_what_stood_in_for_a_method_before_does_so_again():
    network = build_network("nafnet", "micro")
    with stand_ins({(network, "forward"): lambda image: "outer"}):
        with pytest.raises(KeyError), stand_ins({(network, "forward"): lambda image: "inner"}):
            assert network(None) == "inner"
            raise KeyError
        assert network(None) == "outer"
    assert "forward" not in vars(network)


def test_a_grid_that_cannot_have_its_device_is_refused_before_anything_is_tried(real_set, tmp_path):
    words = ("--profile", "smoke", "--task", "denoising", "--data-root", str(real_set), "--results", str(tmp_path))
    command = [sys.executable, "-m", "bench.run", *words]
    without_compiler = os.environ | {"CXX": "/nowhere/g++", "TORCHINDUCTOR_CACHE_DIR": str(tmp_path / "cache")}
    settings = {"compile=true": "compile: true needs a C\\+\\+ compiler.*set compile: false"}
    settings |= {} if torch.cuda.is_available() else {"device=cuda": "sees no GPU.*set device: cpu"}
    for setting, message in settings.items():
        done = subprocess.run(
            [*command, "--set", setting], capture_output=True, text=True, check=False, env=without_compiler
        )
        assert done.returncode == run.USAGE
        assert done.stderr.count("error: ") == 1 and "failed" not in done.stdout
        assert re.search(message, done.stderr), done.stderr
    assert not (tmp_path / "runs").exists()


def test_compiled_networks_are_another_training_and_told_in_the_record(make_params, workspace):
    grid = make_params(methods=["scratch"], compile=True)
    planner = Planner(grid, workspace)
    cell = next(c for cohort in planner.cohorts(Filters()) for c in cohort.cells if c.role == "student")
    usual = Planner(make_params(methods=["scratch"]), workspace).resolve(cell)
    assert planner.resolve(cell) == usual | {"compile": True}


def test_every_call_of_a_network_is_compiled_for_a_training_and_not_afterwards(monkeypatch):
    compiled = []
    monkeypatch.setattr(torch, "compile", lambda function, dynamic: compiled.append(function.__name__) or function)
    network = build_network("nafnet", "micro")
    with Device("cpu", "float32", is_compiling=True).training([], [network, network]):
        assert set(CALLS) <= vars(network).keys()
        assert torch._dynamo.config.fail_on_recompile_limit_hit
    assert compiled == list(CALLS) and not set(CALLS) & vars(network).keys()
    assert not torch._dynamo.config.fail_on_recompile_limit_hit


@pytest.mark.slow
def test_compiled_networks_train_the_same_but_for_rounding(make_params, tmp_path):
    methods = ["scratch", "output_kd", "fitnet", "dckd", "slkd"]
    training = {"steps": 20, "batch_size": 2, "crop_size": 32}
    weights = []
    for name, is_compiling in (("eager", False), ("compiled", True), ("again", True)):
        grid = make_params(methods=methods, train=training, compile=is_compiling)
        workspace = Workspace.of("quick", tmp_path / name)
        assert run.run_grid(grid, workspace, Filters()) == {}
        paths = {method: tmp_path / name / f"runs/denoising/nafnet/seed0/{method}/checkpoint.pt" for method in methods}
        states = {method: torch.load(path, weights_only=True)["distiller"] for method, path in paths.items()}
        weights.append({method: student_weights(state) for method, state in states.items()})
        if is_compiling:
            students = (record for record in read_cells(workspace.results) if record.role == "student")
            assert all(record.run.provenance["compiled"] for record in students)
    eager, compiled, again = weights
    for method in methods:
        assert torch.equal(compiled[method], again[method]), method
        difference = (eager[method] - compiled[method]).norm() / eager[method].norm()
        assert difference < (1e-2 if method == "dckd" else 1e-4), (method, difference)


def student_weights(state):
    return torch.cat([state[name].double().flatten() for name in sorted(state) if name.startswith("student.")])
