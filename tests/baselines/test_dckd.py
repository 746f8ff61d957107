import math

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from baselines.dckd import (
    DCKD,
    Codebook,
    DCKDConfig,
    code_cross_entropy,
    deepest,
    follow,
    is_update_step,
    squared_distances,
)
from bench.batch import Batch
from bench.contrast import contrast
from bench.distiller import Lesson, Oracle, OracleLesson
from bench.losses import RESTORATION_LOSSES, l1


def make_lesson(batch, teachers, step=0, total_steps=300_000):
    return Lesson(batch, teachers, step, total_steps=total_steps)


def published_loss(case, double_softmax):
    """The cross-entropy with the published kind of codebook, on features after a 1x1 convolution."""

    def logits(image):
        levels = (F.conv2d(case.extract(image)[-1], case["qw"], case["qb"]),)
        return -squared_distances(deepest(levels), case["cb"])

    return 0.001 * code_cross_entropy(logits(case["s"]), logits(case["t"]), double_softmax)


def published_contrast(case):
    return contrast(case.extract(case["s"]), case.extract(case["t"]), [case.extract(image) for image in case["hneg"]])


def test_the_contrast_with_five_negatives_agrees_with_released_code(golden):
    case = golden("dckd_dcl")
    case.check(published_contrast(case), "unweighted")
    case.check(0.1 * published_contrast(case), "as_released_weight0.1")


@pytest.mark.parametrize("name", ["dckd_ce", "dckd_ce_at_equality"])
@pytest.mark.parametrize(("variant", "double_softmax"), [("as_in_paper_intended", False), ("as_released", True)])
def test_the_cross_entropy_agrees_with_paper_and_released_code(variant, double_softmax, name, golden):
    case = golden(name)
    case.check(published_loss(case, double_softmax), variant)


@pytest.mark.parametrize(("variant", "double_softmax"), [("as_in_paper", False), ("as_released_without_lcr", True)])
def test_the_total_agrees_with_paper_and_released_code(variant, double_softmax, golden):
    case = golden("dckd_total")
    images = l1(case["s"], case["y"]) + l1(case["s"], case["t"])
    case.check(images + 0.1 * published_contrast(case) + published_loss(case, double_softmax), variant)


def test_the_history_update_agrees_with_released_code(golden):
    case = golden("dckd_history_update")
    history, student = (nn.ParameterList([case[role].detach().clone()]) for role in ("his", "stu"))
    follow(history, student, 0.9)
    expected = torch.tensor(case.variant("as_released")["updated"], dtype=torch.float64)
    torch.testing.assert_close(history[0].data, expected, rtol=1e-5, atol=1e-7)


def test_updates_are_those_of_the_published_schedule():
    total = 300_000
    steps = [step for step in range(0, total, 500) if is_update_step(step, step / total)]
    in_thirds = [*range(1000, 100_001, 1000), *range(102_000, 200_001, 2000), *range(201_000, 300_000, 3000)]
    assert steps == in_thirds
    assert [step for step in range(12) if is_update_step(step, step / 12)] == list(range(1, 12))


def test_a_short_training_does_not_flee_from_itself():
    least = DCKDConfig().least_interval
    assert [step for step in range(160) if is_update_step(step, step / 160, least)] == [50, 100, 150]


@pytest.mark.parametrize(
    "options", [{}, {"double_softmax": True, "num_negatives": 3, "code_temperature": 1.0, "restoration_loss": "l1"}]
)
def test_terms_are_composed_of_images_contrast_and_codes(options, make_network, teachers, batch):
    config = DCKDConfig(output_weight=0.7, **options)
    dckd, lesson = DCKD(make_network(3, 4), teachers, config), make_lesson(batch, teachers)
    terms, restored, target = dckd(lesson), dckd.student(lesson.degraded), lesson.teacher("removal").restored
    assert list(terms) == ["restoration", "output", "contrast", "codebook"]
    distance = RESTORATION_LOSSES[config.restoration_loss]
    torch.testing.assert_close(terms["restoration"], distance(restored, lesson.clean))
    torch.testing.assert_close(terms["output"], 0.7 * distance(restored, target))
    anchor, positive, negatives = lesson.perceive(restored), lesson.perceive(target), dckd._negatives(lesson)
    assert len(negatives) == config.num_negatives
    torch.testing.assert_close(terms["contrast"], 0.1 * contrast(anchor, positive, negatives))
    logits = (dckd.codebook.logits(deepest(levels)) / config.code_temperature for levels in (anchor, positive))
    torch.testing.assert_close(terms["codebook"], 0.001 * code_cross_entropy(*logits, config.double_softmax))


def test_negatives_are_the_history_network_s_images_of_the_degraded_and_of_noisy_copies(make_network, teachers, batch):
    lesson = make_lesson(batch, teachers)
    dckd = DCKD(make_network(3, 4), teachers, DCKDConfig(least_noise=0.1, most_noise=0.1, grey_share=1))
    seen = []
    dckd.history.register_forward_pre_hook(lambda _, images: seen.append(images[0]))
    first, *_ = dckd._negatives(lesson)
    expected = lesson.perceive(make_network(3, 4)(lesson.degraded))
    for level, restored in zip(first, expected, strict=True):
        torch.testing.assert_close(level, restored)
    noise = seen[0].unflatten(0, (5, 2)) - lesson.degraded
    assert noise[0].abs().max() == 0
    assert noise[1:].std().item() == pytest.approx(0.1, rel=0.1)
    torch.testing.assert_close(noise[:, :, 0], noise[:, :, 2])


def test_the_history_follows_the_student_once_per_due_step(make_network, teachers, batch):
    dckd = DCKD(make_network(3, 4), teachers, DCKDConfig())
    before = [parameter.clone() for parameter in dckd.history.parameters()]
    dckd.student.load_state_dict(make_network(4, 4).state_dict())
    for step in (999, 1000, 1000, 1001):
        dckd(make_lesson(batch, teachers, step))
        share = 0.9 if step >= 1000 else 0
        for past, present, start in zip(dckd.history.parameters(), dckd.student.parameters(), before, strict=True):
            torch.testing.assert_close(past, start + share * (present - start))
    assert not any(parameter.requires_grad for parameter in dckd.history.parameters())


def test_a_student_that_is_its_teacher_has_nothing_to_learn(teachers, batch, make_network):
    student = make_network(1, 8)
    terms = DCKD(student, teachers, DCKDConfig(restoration_loss="l1"))(make_lesson(batch, teachers))
    assert terms["output"] == 0 and terms["contrast"] == 0
    gradients = torch.autograd.grad(terms["codebook"], list(student.parameters()), allow_unused=True)
    assert all(gradient is None or gradient.abs().max() < 1e-6 for gradient in gradients)


def test_the_positive_of_the_control_is_the_clean_image(make_network, teachers, batch):
    oracle = {"removal": Oracle(), "perceptual": teachers["perceptual"]}
    assert DCKD.unsupported(make_network(3, 4), oracle) is None
    lesson = make_lesson(batch, teachers)
    dckd = DCKD(make_network(3, 4), oracle, DCKDConfig())
    terms = dckd(OracleLesson(lesson))
    torch.testing.assert_close(terms["output"], terms["restoration"])
    anchor = lesson.perceive(dckd.student(lesson.degraded))
    expected = contrast(anchor, lesson.perceive(lesson.clean), dckd._negatives(lesson))
    torch.testing.assert_close(terms["contrast"], 0.1 * expected)


def test_codes_are_filled_over_the_first_batches_and_then_follow_means():
    codebook, data = Codebook(4, 2, 0.9), torch.tensor([[0.0, 0], [0, 8], [8, 0]])
    codebook.fit(data, 0)
    assert codebook.is_used.tolist() == [True, True, True, False]
    torch.testing.assert_close(codebook.codes[:3], data)
    codebook.fit(data + 1, 1)
    torch.testing.assert_close(codebook.codes[3], torch.tensor([1.0, 1]))
    torch.testing.assert_close(codebook.codes[1], torch.tensor([0.1, 8.1]))
    before = codebook.codes.clone()
    codebook.fit(data - 1, 1)
    assert torch.equal(codebook.codes, before)
    large = Codebook(4, 2, 0.9)
    large.fit(torch.arange(18.0).reshape(9, 2), 0)
    torch.testing.assert_close(large.codes[:, 0], torch.tensor([0.0, 4, 8, 12]), rtol=0.2, atol=0.3)


def test_a_code_that_no_vector_chooses_for_long_is_filled_anew():
    codebook = Codebook(2, 1, 0.9)
    codebook.fit(torch.tensor([[0.0], [100]]), 0)
    for step in range(1, 100):
        codebook.fit(torch.tensor([[0.0], [1]]), step)
    assert codebook.codes.max() < 2


def test_logits_do_not_depend_on_the_scale_of_features():
    data = torch.randn(16, 6, generator=torch.Generator().manual_seed(0))
    small, large = Codebook(16, 6, 0.9), Codebook(16, 6, 0.9)
    small.fit(data, 0)
    large.fit(data * 1e3, 0)
    expected = -torch.cdist(data, data).square() / data.var(dim=0, correction=0).sum()
    torch.testing.assert_close(small.logits(data), expected, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(large.logits(data * 1e3), expected, rtol=1e-4, atol=1e-5)


def test_the_same_batch_in_every_step_does_not_change_the_unit_of_distances():
    data = torch.randn(8, 6, generator=torch.Generator().manual_seed(0))
    codebook = Codebook(32, 6, 0.9)
    codebook.fit(data, 0)
    before = codebook.logits(data)[:, :8]
    for step in range(1, 6):
        codebook.fit(data, step)
    torch.testing.assert_close(codebook.logits(data)[:, :8], before, rtol=0.3, atol=1e-4)


@pytest.mark.parametrize("num_vectors", [1, 3])
def test_dead_features_and_few_vectors_give_finite_gradients(num_vectors):
    codebook, features = Codebook(4, 2, 0.99), torch.zeros(num_vectors, 2, requires_grad=True)
    codebook.fit(features.detach(), 0)
    value = code_cross_entropy(codebook.logits(features), codebook.logits(features.detach()))
    value.backward()
    assert value.item() == pytest.approx(math.log(num_vectors), abs=1e-5)
    assert features.grad.isfinite().all()


def test_a_batch_of_one_is_learned_from(make_network, teachers, batch):
    single = make_lesson(Batch(batch.degraded[:1], batch.clean[:1]), teachers)
    terms = DCKD(make_network(3, 4), teachers, DCKDConfig())(single)
    assert all(term.isfinite() for term in terms.values())


def test_it_needs_a_schedule_and_perceptual_features(make_network, teachers, batch):
    assert "perceptual features" in DCKD.unsupported(make_network(0, 4), {"removal": Oracle(), "perceptual": Oracle()})
    with pytest.raises(ValueError, match="schedule"):
        DCKD(make_network(3, 4), teachers, DCKDConfig())(Lesson(batch, teachers, 0))
