"""What both extractors must bear: features are not photographs."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.batch import Batch
from bench.distiller import Lesson
from bench.networks.base import Features, build_network
from slkd import SLKD, SLKDConfig, brisque, piqe

CHECKERBOARD = (torch.arange(32)[:, None] + torch.arange(32)) % 2


def noise(*shape):
    return torch.rand(shape, generator=torch.Generator().manual_seed(1))


HARD = {
    "flat": torch.full((2, 3, 32, 32), 0.5),
    "dead": torch.zeros(2, 3, 32, 32),
    "one dead channel": noise(2, 3, 32, 32) * torch.tensor([1.0, 0.0, 1.0])[:, None, None],
    "saturated": noise(2, 3, 32, 32).round(),
    "saturated at one": torch.ones(2, 3, 32, 32),
    "saturated at 255": torch.full((2, 3, 32, 32), 255.0),
    "huge": (CHECKERBOARD * 2e4 - 1e4).expand(2, 3, -1, -1),
    "tiny": 1e-6 * noise(2, 3, 32, 32),
    "subnormal": 1e-40 * noise(2, 3, 32, 32),
    "impulse": 1e3 * torch.eye(1024)[:6].view(2, 3, 32, 32),
    "one block": noise(1, 3, 16, 16),
    "flat block": torch.ones(1, 1, 16, 16),
    "odd": noise(1, 3, 17, 33).round(),
}

both = pytest.mark.parametrize("extractor", [brisque, piqe], ids=["brisque", "piqe"])
few = settings(max_examples=10, deadline=None)
sides = st.integers(16, 40)
channels = st.integers(1, 5)


@both
@pytest.mark.parametrize("name", HARD)
def test_gradients_are_finite(extractor, name):
    image = HARD[name].clone().requires_grad_()
    distance = extractor.distance(image, noise(*image.shape))
    distance.backward()
    assert distance.isfinite() and image.grad.isfinite().all()


@both
@few
@given(channels, sides, sides, st.sampled_from([0.0, 1e-6, 1.0, 1e3]), st.floats(-10, 10))
def test_gradients_are_finite_at_any_shape_and_contrast(extractor, channels, height, width, contrast, brightness):
    target = noise(2, channels, height, width)
    image = (contrast * target.flip(-1) + brightness).requires_grad_()
    extractor.distance(image, target).backward()
    assert image.grad.isfinite().all()


def per_channel(extractor, image):
    found = extractor.extract(image)
    return (*found.structure, found.naturalness) if extractor is brisque else found


@both
@few
@given(channels, sides, sides)
def test_images_and_channels_do_not_mix(extractor, channels, height, width):
    image = noise(2, channels, height, width).double()
    alone = per_channel(extractor, image.flatten(0, 1).unsqueeze(1))
    for found, expected in zip(per_channel(extractor, image), alone, strict=True):
        torch.testing.assert_close(found.flatten(0, 1), expected[:, 0])


@both
def test_memory_layout_changes_nothing(extractor):
    image, target = noise(2, 2, 3, 32, 32)
    found = extractor.distance(image.contiguous(memory_format=torch.channels_last), target)
    assert torch.equal(found, extractor.distance(image, target))


@both
@pytest.mark.parametrize("channels", [1, 3, 5])
def test_autocast_changes_nothing(extractor, channels):
    image, target = noise(2, 2, channels, 32, 32).unbind(0)
    gradients, distances = [], []
    for enabled in (False, True):
        x = image.clone().requires_grad_()
        with torch.autocast("cpu", torch.bfloat16, enabled=enabled):
            distances.append(extractor.distance(x, target))
        gradients += torch.autograd.grad(distances[-1], x)
    assert distances[1].dtype == torch.float32
    assert torch.equal(*distances) and torch.equal(*gradients)
    assert extractor.distance(image.bfloat16(), target).dtype == torch.float32


@both
def test_only_the_student_side_carries_gradient(extractor):
    ours, theirs = noise(2, 1, 3, 32, 32).unbind(0)
    assert not extractor.distance(ours, theirs).requires_grad
    assert extractor.distance(ours.clone().requires_grad_(), theirs).requires_grad


@both
@pytest.mark.parametrize("shape", [(1, 3, 3, 32), (1, 3, 32, 3), (0, 3, 32, 32), (1, 0, 32, 32), (3, 32, 32)])
def test_what_has_no_statistics_is_refused(extractor, shape):
    with pytest.raises(ValueError, match=r"expected a non-empty batch of images \(N, C, H, W\) with sides from"):
        extractor.extract(torch.rand(shape))


def saved_bytes(forward, parameters):
    """Memory that autograd keeps after ``forward`` for the backward pass, ``parameters`` not counted."""
    kept = {}

    def pack(tensor):
        kept[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        result = forward()
    for parameter in parameters:
        kept.pop(parameter.untyped_storage().data_ptr(), None)
    del result
    return sum(storage.nbytes() for storage in kept.values())


def share_of_memory(size):
    """What SLKD's extra work keeps for the backward pass, over what the student Res-SL keeps on ``size`` pixels."""
    student = build_network("restormer", "sl")
    with torch.device("meta"):  # of the teachers, only the number of channels matters
        teacher = build_network("restormer", "base")
    slkd = SLKD(student, {"removal": teacher, "reconstruction": teacher}, SLKDConfig())
    image = torch.rand(1, 3, size, size)

    def features(channels):
        return tuple(torch.rand(1, count, size >> level, size >> level) for level, count in enumerate(channels))

    class Answered(Lesson):
        def ask(self, role, image):
            return Features(image, features(teacher.encoder_channels), features(teacher.decoder_channels))

    def plain():
        return slkd.restoration_loss(student(image), image)

    lesson = Answered(Batch(image, image.clone()), {}, step=0)
    parameters = list(slkd.parameters())
    alone = saved_bytes(plain, parameters)
    return (saved_bytes(lambda: slkd(lesson), parameters) - alone) / alone


def test_memory_is_at_most_a_quarter_of_the_students():
    assert share_of_memory(64) < 0.25  # as of 128 pixels: both grow with their number
