import copy

import pytest
import torch
from pydantic import ValidationError

from bench.batch import Batch
from bench.distiller import METHODS, Lesson
from bench.losses import image_kl
from slkd import SLKD, SLKDConfig

DISTILLATION = ("kl", "nc", "et")


def gradients(loss, parameters):
    return torch.autograd.grad(loss, list(parameters), retain_graph=True, allow_unused=True)


def test_it_is_registered():
    assert METHODS["slkd"] is SLKD


def test_terms_come_in_order(make_slkd, lesson):
    terms = make_slkd()(lesson)
    assert list(terms) == ["restoration", "kl", "nc", "et"]
    assert all(term.ndim == 0 and term.isfinite() for term in terms.values())


def test_no_gradient_reaches_the_teachers_side(make_slkd, lesson):
    """The probes are fit, not trained: the distance sees their images as constants."""
    slkd = make_slkd()
    terms = slkd(lesson)
    before = copy.deepcopy([slkd.removal.teacher_scm.state_dict(), slkd.reconstruction.teacher_scm.state_dict()])
    torch.stack(list(terms.values())).sum().backward()
    torch.optim.SGD(slkd.parameters(), 1.0).step()
    for branch, state in zip((slkd.removal, slkd.reconstruction), before, strict=True):
        assert not list(branch.teacher_scm.parameters())
        assert all(torch.equal(value, state[name]) for name, value in branch.teacher_scm.state_dict().items())
        assert all(parameter.grad.abs().sum() > 0 for parameter in branch.student_scm.parameters())


def test_distillation_does_not_collapse_the_students_side(make_slkd, lesson):
    """Trained by the distances alone, both sides keep the spread of the image that they are to show."""
    slkd = make_slkd(balance="none", kl_weight=0.0)
    optimizer = torch.optim.Adam(slkd.parameters(), 3e-3)
    for _ in range(40):
        terms = slkd(lesson)
        optimizer.zero_grad()
        (terms["nc"] + terms["et"]).backward()
        optimizer.step()
    student = slkd.student.forward_features(lesson.degraded)
    sides = (
        (slkd.removal, student.encoder, lesson.teacher("removal"), "encoder"),
        (slkd.reconstruction, student.decoder, lesson.teacher("reconstruction"), "decoder"),
    )
    for branch, ours, teacher, part in sides:
        spread = teacher.restored.std(dim=(-2, -1)).mean()
        for images in (branch.student_scm(ours), branch.teacher_scm(getattr(teacher, part))):
            assert images.std(dim=(-2, -1)).mean() > 0.2 * spread


def test_removal_teaches_the_encoder_and_reconstruction_also_the_decoder(make_slkd, lesson):
    slkd = make_slkd()
    terms = slkd(lesson)
    decoder = list(slkd.student.decoders.parameters())
    assert gradients(terms["nc"], decoder) == (None,) * len(decoder)
    assert all(gradient is not None for gradient in gradients(terms["et"], decoder))
    assert any(gradient is not None for gradient in gradients(terms["nc"], slkd.student.encoders.parameters()))


def test_every_parameter_of_the_student_learns(make_slkd, lesson):
    slkd = make_slkd()
    torch.stack(list(slkd(lesson).values())).sum().backward()
    assert all(parameter.grad.abs().sum() > 0 for parameter in slkd.student.parameters())


def test_training_lowers_the_loss_and_leaves_the_teachers_alone(make_slkd, lesson, teachers):
    slkd = make_slkd(balance="none")
    before = copy.deepcopy({role: teacher.state_dict() for role, teacher in teachers.items()})
    optimizer = torch.optim.Adam(slkd.parameters(), 1e-3)
    history = []
    for _ in range(8):
        terms = slkd(lesson)
        history.append({name: term.item() for name, term in terms.items()})
        optimizer.zero_grad()
        torch.stack(list(terms.values())).sum().backward()
        optimizer.step()
    assert sum(history[-1].values()) < sum(history[0].values())
    for role, teacher in teachers.items():
        assert all(parameter.grad is None for parameter in teacher.parameters())
        assert all(torch.equal(value, before[role][name]) for name, value in teacher.state_dict().items())


def test_nothing_to_learn_where_both_sides_are_the_same(make_network, batch):
    teacher = make_network(1, 6)
    lesson = Lesson(Batch(batch.clean, batch.clean), {"removal": teacher}, step=0)
    config = SLKDConfig(balance="none", teacher_b="restorer")
    slkd = SLKD(copy.deepcopy(teacher), {"removal": teacher}, config)
    for branch in (slkd.removal, slkd.reconstruction):
        branch.student_scm = branch.teacher_scm
    terms = slkd(lesson)
    assert terms["nc"] == 0 and terms["et"] == 0
    assert abs(terms["kl"]) < 1e-6


def test_balanced_terms_have_the_value_of_their_weight_times_restoration(make_slkd, lesson):
    balanced = make_slkd(kl_weight=0.4, nc_weight=0.2, et_weight=0.3)(lesson)
    for name, weight in zip(DISTILLATION, (0.4, 0.2, 0.3), strict=True):
        torch.testing.assert_close(balanced[name], weight * balanced["restoration"])


def test_balancing_scales_gradients_and_adds_none(make_slkd, lesson):
    """The factor is a constant: a balanced term's gradient is parallel to the plain one's."""
    found = {}
    for balance in ("pixel", "none"):
        slkd = make_slkd(balance=balance)
        terms = slkd(lesson)
        gradient = gradients(terms["nc"], slkd.student.intro.parameters())[0]
        found[balance] = gradient / terms["nc"]
    torch.testing.assert_close(found["pixel"], found["none"])


def test_a_vanished_term_is_not_blown_up(make_slkd):
    slkd = make_slkd()
    term = torch.zeros((), requires_grad=True)
    slkd._balance(term, torch.tensor(0.05)).backward()
    assert term.grad.isfinite()


@pytest.mark.parametrize(("teacher_b", "asked"), [("reconstruction", "reconstruction"), ("restorer", "removal")])
def test_teacher_b_sees_the_clean_image(make_slkd, teachers, batch, teacher_b, asked):
    questions = []

    class Listening(Lesson):
        def ask(self, role, image):
            questions.append((role, image is self.clean))
            return super().ask(role, image)

    make_slkd(teacher_b=teacher_b)(Listening(batch, teachers, step=0))
    assert list(dict.fromkeys(questions)) == [("removal", False), (asked, True)]


def test_kl_is_half_the_variance_of_a_small_difference():
    target = torch.rand(2, 3, 32, 32)
    difference = 0.05 * torch.randn(target.shape, generator=torch.Generator().manual_seed(0))
    expected = difference.flatten(2).var(dim=-1, correction=0).mean() / 2
    for tau in (1.0, 4.0):
        torch.testing.assert_close(image_kl(target + difference, target, tau), expected, rtol=0.1, atol=0)
    assert abs(image_kl(target + 0.3, target, 1.0)) < 1e-6, "a constant offset does not change the distribution"


def test_kl_agrees_with_its_definition():
    restored, target = torch.rand(2, 2, 3, 8, 8, dtype=torch.float64).unbind(0)
    p, q = (torch.softmax(image.flatten(2) / 0.2, dim=-1) for image in (target, restored))
    expected = 0.2**2 * (p * (p / q).log()).sum(-1).mean()
    torch.testing.assert_close(image_kl(restored, target, 0.2).double(), expected, rtol=1e-4, atol=0)


def test_different_numbers_of_levels_are_refused(make_network, teachers):
    reason = SLKD.unsupported(make_network(0, 4, depth=3), teachers)
    assert reason == "the student has 4 encoder levels, the removal teacher 3"
    assert SLKD.unsupported(make_network(0, 4), teachers) is None


def test_a_network_without_decoder_is_refused(make_network, teachers):
    student = make_network(0, 4)
    student.decoder_channels = ()
    assert SLKD.unsupported(student, teachers) == "the student has no decoder"


@pytest.mark.parametrize("change", [{"tau": 0}, {"kl_weight": -1}, {"balance": "ema"}, {"nonsense": 1}])
def test_bad_hyper_parameters_are_refused(change):
    with pytest.raises(ValidationError):
        SLKDConfig(**change)


def test_one_block_under_autocast(make_slkd, teachers, batch):
    crops = Batch(*(image[..., :16, :16] for image in batch))
    slkd = make_slkd()
    with torch.autocast("cpu", torch.bfloat16):
        terms = slkd(Lesson(crops, teachers, step=0))
    torch.stack(list(terms.values())).sum().backward()
    assert all(terms[name].dtype == torch.float32 for name in DISTILLATION)
    assert all(parameter.grad.isfinite().all() for parameter in slkd.parameters())
