"""Steps rehearsed on a GPU that is not there: tensors have a device and a shape, and no values."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import DataDependentOutputException, DynamicOutputShapeException, FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode

UNFOLLOWED = (DataDependentOutputException, DynamicOutputShapeException)
"""Raised where shapes depend on values, as of a selection: what comes after cannot be rehearsed."""


@contextmanager
def rehearsal() -> Iterator[Callable[[Tensor], Tensor]]:
    """Tensors that are made meanwhile have no values; gives a function that moves one to the GPU that is not there.

    Operations on tensors of several devices raise RuntimeError, as on a real one, but for gradients: these cannot be
    had. Where a step asks for a value, it is told one, or true.
    """
    with FakeTensorMode(allow_non_fake_inputs=True) as fake, _Answers():
        yield lambda tensor: fake.from_tensor(tensor.detach()).to("cuda")


def place(module: nn.Module, move: Callable[[Tensor], Tensor]) -> None:
    """Moves a module's parameters and buffers; they lose their values."""
    for part in module.modules():
        for name, parameter in part.named_parameters(recurse=False):
            part._parameters[name] = nn.Parameter(move(parameter), requires_grad=parameter.requires_grad)
        for name, buffer in part.named_buffers(recurse=False):
            part._buffers[name] = move(buffer)


class _Answers(TorchDispatchMode):
    """Answers where a tensor is asked for its value."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func is torch.ops.aten._local_scalar_dense.default:
            (tensor,) = args
            return True if tensor.dtype is torch.bool else 1.0 if tensor.is_floating_point() else 1
        return func(*args, **(kwargs or {}))
