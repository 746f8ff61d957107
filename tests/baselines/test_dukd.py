import pytest
import torch
import torch.nn.functional as F

from baselines.dukd import DUKD, DUKDConfig, augment, draw_augmentation, undo_augmentation
from bench.batch import Batch
from bench.distiller import Lesson, Oracle, OracleLesson
from bench.losses import RESTORATION_LOSSES, l1


def choice(samples, count):
    """The truth values of the samples that a case lists for each operation."""
    return torch.tensor([[k in samples[operation] for k in range(count)] for operation in "ihvt"])


def test_the_augmentation_and_its_inverses_agree_with_released_code(golden):
    case = golden("invertible_augmentation")
    chosen = choice(case.params, 4)
    augmented = augment(case["img"], chosen)
    torch.testing.assert_close(augmented, case.tensor(case.variant("forward")["array"]))
    torch.testing.assert_close(undo_augmentation(augmented, chosen), case["img"])
    released = case.variant("dukd_as_released_inverse")
    torch.testing.assert_close(augment(augmented, chosen), case.tensor(released["array"]))


def upscale(image, weights):
    """The network of the case: two convolutions and a pixel shuffle."""
    hidden = F.relu(F.conv2d(image, *weights[:2], padding=1))
    return F.pixel_shuffle(F.conv2d(hidden, *weights[2:], padding=1), 2)


@pytest.mark.parametrize(
    ("variant", "undo"),
    [
        ("edsr_like_as_in_paper", undo_augmentation),
        ("edsr_like_zero_grad_added", augment),
        ("rcan_like_as_in_paper", undo_augmentation),
    ],
)
def test_two_steps_of_training_agree_with_released_code(variant, undo, golden):
    case = golden("dukd_two_step")
    expected = case.variant(variant)
    low, clean, reduced = case["lq"].detach(), case["gt"].detach(), case["zoom_out_input (for reference)"].detach()
    student, teacher = case["student"], [weight.detach() for weight in case["teacher"]]
    tiles = torch.cat([clean[..., 8 * i : 8 * i + 8, 8 * j : 8 * j + 8] for i, j in expected["tiles"]])
    chosen = choice(expected["augmented_samples"] or dict.fromkeys("ihvt", ()), len(tiles))

    def step(terms, gradients):
        for name, term in terms.items():
            assert term.item() == pytest.approx(expected[name], rel=1e-5), name
        found = torch.autograd.grad(sum(terms.values()), student)
        for gradient, name in zip(found, expected[gradients], strict=True):
            torch.testing.assert_close(gradient, case.tensor(name), rtol=1e-5, atol=1e-7)
        return [(w - 0.02 * g).detach().requires_grad_() for w, g in zip(student, found, strict=True)]

    def supervised(image, target, names):
        restored = upscale(image, student)
        distances = l1(restored, target), l1(restored, upscale(image, teacher))
        weights = expected["pixel_weight"], expected["kd_weight"]
        return {name: weight * distance for name, weight, distance in zip(names, weights, distances, strict=True)}

    student = step(supervised(low, clean, ("l_pix", "l_kd")), "grad_step1")
    restored = undo(upscale(augment(tiles, chosen), student), chosen)
    terms = {"l_zoom_in": expected["kd_weight"] * l1(restored, upscale(tiles, teacher))}
    if "l_zoom_out_pix" in expected:
        terms |= supervised(reduced, low, ("l_zoom_out_pix", "l_zoom_out_kd"))
    student = step(terms, "grad_step2_buffer")
    for weight, name in zip(student, expected["final_parameters"], strict=True):
        torch.testing.assert_close(weight, case.tensor(name), rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize(
    ("loss", "settings", "undo"),
    [
        ("rmse", {}, undo_augmentation),
        ("l1", {"output_weight": 0.2, "upcycling_weight": 0.5, "probability": 0.8}, undo_augmentation),
        ("l1", {"inverse": "released", "probability": 0.8}, augment),
    ],
)
def test_terms_are_composed_of_three_distances(loss, settings, undo, make_network, teachers, lesson):
    dukd = DUKD(make_network(3, 4), teachers, DUKDConfig(restoration_loss=loss, **settings))
    terms, distance = dukd(lesson), RESTORATION_LOSSES[loss]
    assert list(terms) == ["restoration", "output", "upcycled"]
    restored = dukd.student(lesson.degraded)
    torch.testing.assert_close(terms["restoration"], distance(restored, lesson.clean))
    output = distance(restored, teachers["removal"](lesson.degraded))
    torch.testing.assert_close(terms["output"], settings.get("output_weight", 1) * output)
    chosen = draw_augmentation(lesson.clean, settings.get("probability", 0.3), lesson.generator("dukd"))
    restored = undo(dukd.student(augment(lesson.clean, chosen)), chosen)
    upcycled = distance(restored, teachers["removal"](lesson.clean))
    torch.testing.assert_close(terms["upcycled"], settings.get("upcycling_weight", 1) * upcycled)


def test_operations_are_drawn_for_each_crop_with_the_probability():
    images = torch.rand(4000, 1, 1, 1)
    shares = draw_augmentation(images, 0.3, torch.Generator().manual_seed(0)).double().mean(dim=1)
    torch.testing.assert_close(shares, torch.full((4,), 0.3).double(), rtol=0, atol=0.03)
    assert not draw_augmentation(images, 0, torch.Generator()).any()
    assert draw_augmentation(images, 1, torch.Generator()).all()


def test_crops_that_are_not_square_are_not_transposed(make_network, teachers, batch):
    images = Batch(*(image[..., :8] for image in batch))
    chosen = draw_augmentation(images.clean, 1, torch.Generator())
    assert chosen.shape == (3, 2)
    torch.testing.assert_close(augment(images.clean, chosen), 1 - images.clean.flip(-2, -1))
    terms = DUKD(make_network(3, 4), teachers, DUKDConfig(probability=1))(Lesson(images, teachers, step=0))
    assert all(term.isfinite() for term in terms.values())


def test_a_student_that_is_its_teacher_learns_from_augmented_crops_only(teachers, lesson):
    plain = DUKD(teachers["removal"], teachers, DUKDConfig(restoration_loss="l1", probability=0))(lesson)
    assert plain["output"] == plain["upcycled"] == 0
    turned = DUKD(teachers["removal"], teachers, DUKDConfig(restoration_loss="l1", probability=1))(lesson)
    assert turned["output"] == 0 < turned["upcycled"]


def test_the_control_is_taught_to_keep_clean_images(make_network, teachers, lesson):
    oracle = {"removal": Oracle(), "perceptual": teachers["perceptual"]}
    assert DUKD.unsupported(make_network(3, 4), oracle) is None
    dukd = DUKD(make_network(3, 4), oracle, DUKDConfig(restoration_loss="l1", probability=0))
    terms = dukd(OracleLesson(lesson))
    assert terms["output"] == terms["restoration"]
    torch.testing.assert_close(terms["upcycled"], l1(dukd.student(lesson.clean), lesson.clean))
