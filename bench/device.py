"""Where networks compute, and in which precision; weights, extractors and metrics are float32 everywhere."""

import functools
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from bench.batch import Batch
from bench.config import DeviceName, Precision
from bench.distiller import Distiller
from bench.networks.base import RestorationNetwork
from bench.stand_ins import CALLS, stand_ins

MOST_VARIANTS = 64
"""In how many variants a network's code may be compiled: by family, role, shape of the batch, with gradients or not."""

Module = TypeVar("Module", bound=nn.Module)
Function = TypeVar("Function", bound=Callable[..., Any])


class Device:
    """The CPU, or the GPU that this process has.

    Args:
        name: Its kind.
        precision: ``bf16`` trains under autocast, ``tf32`` multiplies so on tensor cores; scores are of float32.
        is_compiling: Whether networks are compiled for training.

    Attributes:
        about: Its name, for records.

    Raises:
        ValueError: PyTorch sees no such device, or it does not have the precision.
    """

    def __init__(self, name: DeviceName, precision: Precision, is_compiling: bool = False) -> None:
        if name == "cuda" and not torch.cuda.is_available():
            raise ValueError(
                f"device: cuda: PyTorch {torch.__version__} sees no GPU; `nvidia-smi` should list one, and PyTorch be "
                "built for its CUDA; or set device: cpu"
            )
        if name == "cpu" and precision == "tf32":
            raise ValueError("precision: tf32 is one of GPUs; set float32 or bf16, or device: cuda")
        self._device, self._precision, self._is_compiling = torch.device(name), precision, is_compiling
        self.about = torch.cuda.get_device_name() if name == "cuda" else "cpu"
        if name == "cuda":  # PyTorch's convolutions would take TF32 unasked
            torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = precision == "tf32"

    def place(self, module: Module) -> Module:
        """Moves a module here."""
        return module.to(self._device)

    def move(self, batch: Batch) -> Batch:
        """A batch, here."""
        return Batch(*(image.to(self._device, non_blocking=True) for image in batch))

    def prepare(self) -> None:
        """Tries the compiler, if it will be needed.

        Raises:
            ValueError: It does not work.
        """
        if not self._is_compiling:
            return
        try:
            torch.compile(torch.sin)(torch.ones(8, device=self._device))
        except RuntimeError as error:
            reason = str(error).strip().splitlines()[0]
            needed = "Triton and a C compiler" if self._device.type == "cuda" else "a C++ compiler, such as g++"
            raise ValueError(f"compile: true needs {needed}: {reason}; install it, or set compile: false") from error

    def wait(self) -> None:
        """Waits until all that was begun here is done, so that time can be taken."""
        if self._device.type == "cuda":
            torch.cuda.synchronize()

    @contextmanager
    def training(self, distillers: Iterable[Distiller], networks: Iterable[RestorationNetwork] = ()) -> Iterator[None]:
        """Has a cohort train as the grid says.

        Args:
            distillers: These and whom they ask compute in the precision; gradients then have it, too.
            networks: Teachers and students, which are compiled where that is asked for.
        """
        precise = {(distiller, "forward"): self.in_precision(distiller.forward) for distiller in distillers}
        with self._compiled(set(networks)), stand_ins(precise):
            yield

    def in_precision(self, function: Function) -> Function:
        """A function that computes in the precision."""
        autocast = torch.autocast(self._device.type, torch.bfloat16)
        return autocast(function) if self._precision == "bf16" else function

    @contextmanager
    def _compiled(self, networks: Iterable[RestorationNetwork]) -> Iterator[None]:
        """Has networks run compiled, each shape of a batch by itself: so it matters to none which others there are.

        Networks that are alike share their code. What cannot be compiled is an error, and not done uncompiled.
        """
        if not self._is_compiling:
            yield
            return
        compiled = {
            (network, name): torch.compile(getattr(network, name), dynamic=False)
            for network in networks
            for name in CALLS
        }
        limits = {"recompile_limit": MOST_VARIANTS, "fail_on_recompile_limit_hit": True}
        with torch._dynamo.config.patch(limits), stand_ins(compiled):
            yield

    @contextmanager
    def restoring(self, network: RestorationNetwork) -> Iterator[None]:
        """Has a network that is here restore images that are in the CPU's memory, and return them there."""

        def restore(image: Tensor) -> Tensor:
            return original(image.to(self._device)).cpu()

        original = network.restore
        with stand_ins({(network, "restore"): functools.wraps(original)(restore)}):
            yield
