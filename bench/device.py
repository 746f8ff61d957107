"""Where networks compute, and in which precision; weights, extractors and metrics are float32 everywhere."""

import functools
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from bench.batch import Batch
from bench.config import DeviceName, Precision
from bench.distiller import Distiller
from bench.networks.base import RestorationNetwork

Module = TypeVar("Module", bound=nn.Module)


class Device:
    """The CPU, or the GPU that this process has.

    Args:
        name: Its kind.
        precision: ``bf16`` trains under autocast, ``tf32`` multiplies so on tensor cores; scores are of float32.

    Attributes:
        about: Its name, for records.

    Raises:
        ValueError: PyTorch sees no such device, or it does not have the precision.
    """

    def __init__(self, name: DeviceName, precision: Precision) -> None:
        if name == "cuda" and not torch.cuda.is_available():
            raise ValueError(
                f"device: cuda: PyTorch {torch.__version__} sees no GPU; `nvidia-smi` should list one, and PyTorch be "
                "built for its CUDA; or set device: cpu"
            )
        if name == "cpu" and precision == "tf32":
            raise ValueError("precision: tf32 is one of GPUs; set float32 or bf16, or device: cuda")
        self._device, self._precision = torch.device(name), precision
        self.about = torch.cuda.get_device_name() if name == "cuda" else "cpu"
        if name == "cuda":  # PyTorch's convolutions would take TF32 unasked
            torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = precision == "tf32"

    def place(self, module: Module) -> Module:
        """Moves a module here."""
        return module.to(self._device)

    def move(self, batch: Batch) -> Batch:
        """A batch, here."""
        return Batch(*(image.to(self._device, non_blocking=True) for image in batch))

    @contextmanager
    def training(self, distillers: Iterable[Distiller]) -> Iterator[None]:
        """Has distillers, and the teachers that they ask, compute in the precision; gradients then have it, too."""
        if self._precision != "bf16":
            yield
            return
        autocast = torch.autocast(self._device.type, torch.bfloat16)
        with _in_place_of("forward", {distiller: autocast(distiller.forward) for distiller in distillers}):
            yield

    @contextmanager
    def restoring(self, network: RestorationNetwork) -> Iterator[None]:
        """Has a network that is here restore images that are in the CPU's memory, and return them there."""

        def restore(image: Tensor) -> Tensor:
            return original(image.to(self._device)).cpu()

        original = network.restore
        with _in_place_of("restore", {network: functools.wraps(original)(restore)}):
            yield


@contextmanager
def _in_place_of(name: str, methods: dict[Any, Any]) -> Iterator[None]:
    """Lends objects a method."""
    for owner, method in methods.items():
        setattr(owner, name, method)
    try:
        yield
    finally:
        for owner in methods:
            delattr(owner, name)
