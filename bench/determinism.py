"""Which operations of a training step have no deterministic version on CUDA, by name.

On CPU every operation gives the same bits again, with the same number of threads. On CUDA PyTorch has deterministic
versions of most, which ``torch.use_deterministic_algorithms`` chooses; these it has none of.
"""

from collections.abc import Callable
from typing import Any

from torch.utils._python_dispatch import TorchDispatchMode

WITHOUT_DETERMINISTIC_VERSION = {
    "_adaptive_avg_pool2d_backward": "gradient of adaptive average pooling",
    "_adaptive_avg_pool3d_backward": "gradient of adaptive average pooling",
    "adaptive_max_pool2d_backward": "gradient of adaptive maximum pooling",
    "avg_pool3d_backward": "gradient of average pooling in 3D",
    "bincount": "bincount with weights",
    "grid_sampler_2d_backward": "gradient of grid_sample",
    "histc": "histogram",
    "max_unpool2d": "max_unpool2d",
    "median.dim": "median with indices",
    "nll_loss2d_forward": "negative log-likelihood loss of maps",
    "nll_loss_forward": "negative log-likelihood loss",
    "put_": "put_",
    "reflection_pad1d_backward": "gradient of reflection padding",
    "reflection_pad2d_backward": "gradient of reflection padding",
    "scatter_reduce.two": "scatter_reduce",
    "upsample_bicubic2d_backward": "gradient of bicubic interpolation",
    "upsample_bilinear2d_backward": "gradient of bilinear interpolation",
    "upsample_linear1d_backward": "gradient of linear interpolation",
}
"""Operations of ATen, and what they are, after the documentation of ``torch.use_deterministic_algorithms`` (PyTorch
2.15)."""


def nondeterministic_on_cuda(work: Callable[[], object]) -> tuple[str, ...]:
    """What some work would do on CUDA without a deterministic version; it is done here, on any device."""
    with _Operations() as operations:
        work()
    found = {WITHOUT_DETERMINISTIC_VERSION.get(name) for name in operations.names}
    return tuple(sorted(filter(None, found)))


class _Operations(TorchDispatchMode):
    """Notes the names of all operations, gradients included, with and without their overload."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.names: set[str] = set()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = func._schema.name.removeprefix("aten::")
        self.names |= {name, f"{name}.{func._overloadname}"}
        return func(*args, **(kwargs or {}))
