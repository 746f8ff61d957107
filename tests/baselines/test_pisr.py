import math

import pytest
import torch
from torch.func import functional_call

from baselines.pisr import PISR, PISRConfig, head, laplace_loss
from bench.distiller import Oracle


@pytest.fixture
def likelihood(golden):
    """The golden case, and the value of our loss with its heads."""
    case = golden("pisr_vid")

    def predict(name):
        keys = {"0.weight": "w1", "0.bias": "b1", "1.weight": "a", "2.weight": "w2", "2.bias": "b2"}
        return functional_call(head(5, 5), {ours: case[f"{name}_{key}"] for ours, key in keys.items()}, case["s"])

    return case, laplace_loss(predict("mean"), predict("var"), case["t"])


def test_the_likelihood_and_the_heads_agree_with_the_paper(likelihood):
    case, value = likelihood
    case.check(value, "as_in_paper_laplace")


def test_the_released_code_adds_a_constant_and_has_the_same_gradient(likelihood):
    case, value = likelihood
    case.check(value + 5 / 2 * math.log(2 * math.pi), "as_released_laplace_variance_None")


def test_the_published_weight_agrees_with_released_code(likelihood):
    case, value = likelihood
    weighted = PISRConfig().likelihood_weight * (value + 5 / 2 * math.log(2 * math.pi))
    case.check(weighted, "as_released_laplace_weighted_1e-6")


def test_it_is_the_likelihood_of_a_laplace_distribution():
    mean, scale, target = torch.randn(3, 2, 4, 5, 7, dtype=torch.float64)
    b = 0.1 * torch.nn.functional.softplus(scale) + 1e-8
    expected = -torch.distributions.Laplace(mean, b).log_prob(target).mean()
    torch.testing.assert_close(laplace_loss(mean, scale, target), expected)


def test_the_terms_and_their_weights(make_network, teachers, lesson):
    distiller = PISR(make_network(3, 4), teachers, PISRConfig(likelihood_weight=0.1))
    student = distiller.student.forward_features(lesson.degraded)
    privileged = teachers["reconstruction"].forward_features(lesson.clean)
    terms = distiller(lesson)
    assert list(terms) == ["restoration", "likelihood"]
    torch.testing.assert_close(terms["restoration"], distiller.restoration_loss(student.restored, lesson.clean))
    finest = student.decoder[0]
    expected = laplace_loss(distiller.mean(finest), distiller.scale(finest), privileged.decoder[0])
    torch.testing.assert_close(terms["likelihood"], 0.1 * expected)


@pytest.mark.parametrize("scale", [-200.0, 200.0])
def test_any_certainty_gives_finite_values_and_gradients(scale):
    inputs = torch.zeros(1, 4, 5, 7).requires_grad_(), torch.full((1, 4, 5, 7), scale, requires_grad=True)
    value = laplace_loss(*inputs, torch.ones(1, 4, 5, 7))
    assert value.isfinite()
    assert all(gradient.isfinite().all() for gradient in torch.autograd.grad(value, inputs))


def test_both_need_a_decoder_of_any_depth(make_network, teachers):
    student, decoderless = make_network(0, 4, depth=3), make_network(0, 4)
    decoderless.decoder_channels = ()
    assert PISR.unsupported(student, teachers) is None
    assert PISR.unsupported(decoderless, teachers) == "it compares decoders, and the student has none"
    assert "reconstruction teacher has none" in PISR.unsupported(student, {"reconstruction": decoderless})
    assert "by its output only" in PISR.unsupported(student, {"reconstruction": Oracle()})
