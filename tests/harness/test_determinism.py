"""Operations that come out differently on CUDA each time are known by name, forwards and backwards."""

import pytest
import torch
import torch.nn.functional as F

from bench.determinism import WITHOUT_DETERMINISTIC_VERSION, nondeterministic_on_cuda


@pytest.mark.parametrize(
    ("work", "name"),
    [
        (lambda x: F.interpolate(x, scale_factor=2, mode="bicubic"), "gradient of bicubic interpolation"),
        (lambda x: F.pad(x, (1, 1, 1, 1), mode="reflect"), "gradient of reflection padding"),
        (lambda x: F.adaptive_avg_pool2d(x, 3), "gradient of adaptive average pooling"),
        (lambda x: x.flatten().median(dim=0).values, "median with indices"),
        (lambda x: F.grid_sample(x, torch.zeros(1, 4, 4, 2), align_corners=False), "gradient of grid_sample"),
    ],
)
def test_what_has_no_deterministic_version_is_named(work, name):
    image = torch.rand(1, 3, 8, 8, requires_grad=True)
    assert nondeterministic_on_cuda(lambda: work(image).sum().backward()) == (name,)


def test_what_has_one_is_not():
    image = torch.rand(1, 3, 8, 8, requires_grad=True)
    weight = torch.rand(4, 3, 3, 3, requires_grad=True)
    assert nondeterministic_on_cuda(lambda: F.avg_pool2d(F.conv2d(image, weight), 2).mean().backward()) == ()


def test_every_name_is_one_of_pytorch():
    for name in WITHOUT_DETERMINISTIC_VERSION:
        packet, _, overload = name.partition(".")
        assert hasattr(torch.ops.aten, packet), name
        assert not overload or overload in getattr(torch.ops.aten, packet).overloads(), name
