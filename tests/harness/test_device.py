"""Devices and precisions: what is asked for is had, or refused; the CPU stands in for a GPU."""

import pytest
import torch

from bench import run
from bench.batch import Batch
from bench.cell import Filters
from bench.device import Device
from bench.distiller import METHODS, Lesson
from bench.networks.base import build_network
from bench.plan import Planner
from bench.record import read_cells


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
