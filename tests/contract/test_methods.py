"""Every registered method keeps the promises of Distiller."""

import copy
import math

import pytest
import torch

from bench.batch import Batch
from bench.distiller import METHODS, Lesson
from bench.networks.base import NETWORKS, Features, RestorationNetwork, build_network


def make(name, student="nafnet", teacher="nafnet"):
    """A distiller with its teachers, all weights away from their initial values."""
    networks = {"student": build_network(student, "micro", 0)}
    for role in ("removal", "reconstruction"):
        networks[role] = build_network(teacher, "mini", 1, residual=role == "removal")
    generator = torch.Generator().manual_seed(0)
    for network in networks.values():
        for parameter in network.parameters():
            parameter.data += 0.03 * torch.randn(parameter.shape, generator=generator)
    teachers = {role: networks[role].eval().requires_grad_(False) for role in METHODS[name].teacher_roles}
    torch.manual_seed(0)
    return METHODS[name](networks["student"], teachers, METHODS[name].Config()), teachers


def lesson(teachers, height=32, width=32, seed=0):
    generator = torch.Generator().manual_seed(seed)
    clean = torch.rand(2, 3, height, width, generator=generator)
    degraded = (clean + 0.1 * torch.randn(clean.shape, generator=generator)).clamp(0, 1)
    return Lesson(Batch(degraded, clean), teachers, step=0)


def total(terms):
    return torch.stack(list(terms.values())).sum()


@pytest.fixture(params=METHODS)
def method(request):
    return request.param


def test_name_is_the_file_name(method):
    package, _, file = METHODS[method].__module__.rpartition(".")
    if file == "ablations":
        assert method.startswith(f"{package}_")
    else:
        assert method == (package if file == "method" else file)


def test_it_says_where_it_comes_from(method):
    reference = METHODS[method].reference
    assert reference.title and 1990 < reference.year < 2100
    assert "Terms: " in METHODS[method].__doc__ or "Terms:\n" in METHODS[method].__doc__


def test_terms_are_finite_scalars(method):
    distiller, teachers = make(method)
    terms = distiller(lesson(teachers))
    assert "restoration" in terms
    assert all(term.ndim == 0 and math.isfinite(term.item()) for term in terms.values())


def test_every_parameter_of_student_and_adapters_gets_a_gradient(method):
    distiller, teachers = make(method)
    total(distiller(lesson(teachers))).backward()
    missing = [name for name, p in distiller.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0]
    assert not missing


def test_teachers_stay_as_they_are(method):
    distiller, teachers = make(method)
    before = copy.deepcopy({role: teacher.state_dict() for role, teacher in teachers.items()})
    optimizer = torch.optim.Adam(distiller.parameters(), 1e-3)
    for _ in range(2):
        optimizer.zero_grad()
        total(distiller(lesson(teachers))).backward()
        optimizer.step()
    for role, teacher in teachers.items():
        assert not teacher.training
        assert all(torch.equal(value, before[role][key]) for key, value in teacher.state_dict().items())


def test_no_teacher_is_a_submodule(method):
    distiller, teachers = make(method)
    held = {id(module) for module in distiller.modules()}
    assert not any(id(teacher) in held for teacher in teachers.values())


def test_only_declared_roles_are_asked(method):
    distiller, teachers = make(method)
    asked = []

    class Listening(Lesson):
        def ask(self, role, image):
            asked.append(role)
            return super().ask(role, image)

    base = lesson(teachers)
    distiller(Listening(Batch(base.degraded, base.clean), teachers, 0))
    assert set(asked) == set(METHODS[method].teacher_roles)


def test_it_is_deterministic_and_uses_no_hidden_randomness(method):
    distiller, teachers = make(method)
    state = torch.random.get_rng_state()
    first = distiller(lesson(teachers))
    assert torch.equal(torch.random.get_rng_state(), state)
    torch.manual_seed(99)
    again = distiller(lesson(teachers))
    assert {name: term.item() for name, term in first.items()} == {name: term.item() for name, term in again.items()}


def test_the_state_round_trip_gives_the_same_next_step(method):
    distiller, teachers = make(method)
    other, _ = make(method)
    for parameter in other.parameters():
        parameter.data.zero_()
    other.load_state_dict(distiller.state_dict())
    assert total(distiller(lesson(teachers))).item() == total(other(lesson(teachers))).item()


def test_sizes_that_are_no_power_of_two(method):
    distiller, teachers = make(method)
    assert math.isfinite(total(distiller(lesson(teachers, 24, 40))).item())


@pytest.mark.parametrize(
    ("student", "teacher"),
    [*((name, name) for name in NETWORKS), ("nafnet", "restormer"), ("restormer", "drsformer"), ("nafnet", "uformer")],
)
def test_other_families_are_trained_or_refused_with_a_reason(method, student, teacher):
    if method.startswith("slkd_") and student != "nafnet":
        pytest.skip("an ablation pairs levels as slkd does, which is tested")
    networks = build_network(student, "micro"), build_network(teacher, "mini")
    reason = METHODS[method].unsupported(networks[0], dict.fromkeys(METHODS[method].teacher_roles, networks[1]))
    if reason is None:
        distiller, teachers = make(method, student, teacher)
        assert math.isfinite(total(distiller(lesson(teachers, 64, 64))).item())
    else:
        assert len(reason) > 10
        assert student != teacher


def test_a_teacher_without_features_teaches_or_is_refused_with_a_reason(method):
    roles = METHODS[method].teacher_roles
    teachers = dict.fromkeys(roles, OutputOnly())
    reason = METHODS[method].unsupported(build_network("nafnet", "micro"), teachers)
    if reason is None:
        distiller = METHODS[method](build_network("nafnet", "micro"), teachers, METHODS[method].Config())
        assert math.isfinite(total(distiller(lesson(teachers))).item())
    else:
        assert reason == f"it needs features, and the {roles[0]} teacher is known by its output only"


class OutputOnly(RestorationNetwork):
    """A teacher from elsewhere, of which only the output is known."""

    encoder_channels = decoder_channels = ()
    size_multiple = 1

    def forward_features(self, image):
        return Features(image.clone(), (), ())


def test_bfloat16_autocast(method):
    distiller, teachers = make(method)
    with torch.autocast("cpu", torch.bfloat16):
        loss = total(distiller(lesson(teachers)))
    loss.backward()
    assert math.isfinite(loss.item())
    assert all(p.grad.isfinite().all() for p in distiller.parameters() if p.grad is not None)
