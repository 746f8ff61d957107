"""Every registered method keeps the promises of Distiller: the conformance kit, and what only files here promise."""

import math

import pytest
import torch

from bench.conformance import CHECKS, Trial
from bench.conformance.trial import crops, total
from bench.distiller import METHODS, Lesson
from bench.networks.base import NETWORKS, build_network

OUR_OWN = [name for name in METHODS if METHODS[name].__module__.split(".")[0] in ("baselines", "slkd")]


@pytest.fixture(autouse=True)
def one_thread(two_threads):
    torch.set_num_threads(1)  # these tensors are too small to share


@pytest.mark.parametrize("check", CHECKS)
@pytest.mark.parametrize("method", METHODS)
def test_it_conforms(method, check):
    CHECKS[check](METHODS[method])


@pytest.mark.parametrize("method", OUR_OWN)
def test_name_is_the_file_name(method):
    package, _, file = METHODS[method].__module__.rpartition(".")
    if file == "ablations":
        assert method.startswith(f"{package}_")
    else:
        assert method == (package if file == "method" else file)


@pytest.mark.parametrize(
    ("student", "teacher"),
    [*((name, name) for name in NETWORKS), ("nafnet", "restormer"), ("restormer", "drsformer"), ("nafnet", "uformer")],
)
@pytest.mark.parametrize("method", OUR_OWN)
def test_other_families_are_taken_or_refused_with_a_reason(method, student, teacher):
    with torch.device("meta"):
        networks = build_network(student, "micro"), build_network(teacher, "mini")
    teachers = dict.fromkeys(METHODS[method].teacher_roles, networks[1])
    reason = METHODS[method].unsupported(networks[0], teachers)
    assert reason is None or (len(reason) > 10 and student != teacher)


@pytest.mark.parametrize("family", NETWORKS)
def test_the_adapters_fit_the_features_of_every_family(family):
    """All methods at once on one lesson: what a family's features look like, no tiny network says."""
    networks = {
        "removal": build_network(family, "micro", 1),
        "reconstruction": build_network(family, "micro", 2, residual=False),
    }
    networks["perceptual"] = networks["removal"]
    teachers = {role: network.eval().requires_grad_(False) for role, network in networks.items()}
    lesson = Lesson(crops(1, 64, 64), teachers, 0, 0, 100)
    for name in OUR_OWN:
        distiller = METHODS[name](build_network(family, "micro"), teachers, METHODS[name].Config())
        with torch.no_grad():
            assert math.isfinite(total(distiller(lesson)).item()), name


def test_a_trial_is_the_same_on_every_call():
    trial = Trial(METHODS["output_kd"])
    first, second = (trial.start()(trial.lesson()) for _ in range(2))
    assert {name: term.item() for name, term in first.items()} == {name: term.item() for name, term in second.items()}
