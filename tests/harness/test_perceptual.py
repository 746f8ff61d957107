"""By whose features images are compared: the grid says it, configurations and tables carry it."""

import pytest
import torch
from torch import nn
from torchvision.models import vgg19

from bench import judge, perceptual
from bench.batch import Batch
from bench.cell import Cell, Filters
from bench.distiller import Lesson, OracleLesson
from bench.perceptual import VGG19, VGG19Weights
from bench.plan import Planner


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """A file as torchvision's, with random weights."""
    path = tmp_path_factory.mktemp("weights") / "vgg19.pth"
    network = vgg19(weights=None)
    network.classifier = nn.Identity()  # 120 million parameters that nothing needs
    torch.save(network.state_dict(), path)
    return path


@pytest.fixture
def any_digest(monkeypatch):
    monkeypatch.setattr(perceptual, "SHA256", "")


def test_its_levels_are_those_of_torchvision_after_each_first_relu(weights, any_digest):
    found = VGG19Weights.find(weights)
    reference = vgg19(weights=None).features.eval()
    reference.load_state_dict({k.removeprefix("features."): v for k, v in torch.load(weights).items()})
    image = torch.rand(1, 3, 32, 48)
    with torch.inference_mode():
        levels = found.network().forward_features(image).encoder
        for end, level in zip((2, 7, 12, 21, 30), levels, strict=True):
            torch.testing.assert_close(level, reference[:end](image))
    assert tuple(level.shape[1] for level in levels) == VGG19.encoder_channels


def test_without_the_file_it_says_where_to_get_it(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"download https://download\.pytorch\.org/models/vgg19-dcbb9e9d\.pth"):
        VGG19Weights.find(tmp_path / "vgg19.pth")


def test_another_file_is_refused(weights):
    with pytest.raises(ValueError, match="is not that of"):
        VGG19Weights.find(weights)


def test_the_gradient_of_what_is_perceived_reaches_the_image_and_no_weight(teachers, batch):
    image = batch.degraded.clone().requires_grad_()
    lesson = Lesson(batch, teachers, 0)
    sum(level.mean() for level in lesson.perceive(image)).backward()
    assert image.grad.abs().sum() > 0
    assert all(parameter.grad is None for parameter in teachers["perceptual"].parameters())


def test_answers_about_images_of_the_batch_and_of_teachers_are_shared(teachers, batch, monkeypatch):
    calls = []
    network = teachers["removal"]
    for name in ("forward_features", "encode"):
        run = getattr(network, name)
        monkeypatch.setattr(network, name, lambda image, name=name, run=run: calls.append(name) or run(image))
    lesson = Lesson(batch, teachers, 0)
    for _ in range(2):
        restored = lesson.teacher("removal").restored
        lesson.perceive(lesson.degraded)  # answered by the teacher, who is the same network
        lesson.perceive(restored)
        OracleLesson(lesson).perceive(lesson.clean)
    assert calls == ["forward_features", "encode", "encode", "encode"]  # the first calls the second


def test_an_oracle_replaces_teachers_and_not_what_perceives(teachers, batch):
    lesson = Lesson(batch, teachers, 0)
    oracle = OracleLesson(lesson)
    assert oracle.teacher("removal").restored is lesson.clean
    for ours, theirs in zip(oracle.perceive(lesson.clean), lesson.perceive(lesson.clean), strict=True):
        assert torch.equal(ours, theirs)


@pytest.fixture
def batch():
    clean = torch.rand(2, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    return Batch((clean + 0.1).clamp(0, 1), clean)


@pytest.fixture
def teachers(make_network):
    removal = make_network(1, 8).eval().requires_grad_(False)
    return {"removal": removal, "perceptual": removal}


@pytest.fixture
def make_planner(make_params, workspace):
    return lambda **changes: Planner(make_params(methods=["scratch", "csd"], **changes), workspace)


CSD = Cell("denoising", "nafnet", "csd", 0)
CONTROL = Cell("denoising", "nafnet", "csd", 0, teacher="oracle")


def test_the_control_needs_the_removal_teacher_for_its_eyes_only(make_planner):
    planner = make_planner()
    assert set(planner.teachers(CSD)) == {"removal", "perceptual"}
    assert set(planner.teachers(CONTROL)) == {"perceptual"}
    _, networks = planner.pair(CONTROL)
    assert not networks["removal"].encoder_channels and networks["perceptual"].encoder_channels
    cohorts = planner.cohorts(Filters(methods=("csd",)))
    assert [cell.role for cohort in cohorts for cell in cohort.cells] == ["removal", "student"]


def test_the_choice_is_part_of_the_configuration(make_planner, weights, any_digest, monkeypatch):
    before = make_planner().resolve(CSD)
    assert before["perceptual"]["features"] == "removal teacher"
    assert before["perceptual"]["sha256"] == before["teachers"]["removal"]
    monkeypatch.setattr(VGG19Weights.find.__func__, "__defaults__", (weights,))
    planner = make_planner(perceptual="vgg19")
    after = planner.resolve(CSD)
    assert after["perceptual"] == {"features": "VGG19", "sha256": VGG19Weights.find(weights).sha256}
    assert "perceptual" not in planner.resolve(Cell("denoising", "nafnet", "scratch", 0))
    assert planner.teachers(CONTROL) == {}
    assert judge.judge(planner, CSD).status == "run"


def test_a_grid_that_wants_vgg19_needs_its_weights(make_planner, monkeypatch, tmp_path):
    monkeypatch.setattr(VGG19Weights.find.__func__, "__defaults__", (tmp_path / "vgg19.pth",))
    with pytest.raises(FileNotFoundError, match="or choose `perceptual: teacher`"):
        make_planner(perceptual="vgg19")
