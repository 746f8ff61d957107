"""Runs the benchmark with weights and batches in float64, where rounding leaves nothing to be seen; scores are float32.

``python -m tests.in_float64`` takes what ``python -m bench.run`` takes.
"""

import runpy
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import torch

from bench.batch import Batch
from bench.device import Device
from bench.distiller import Distiller
from bench.networks.base import RestorationNetwork


@contextmanager
def wide() -> Iterator[None]:
    """What asks for float32 gets float64."""
    narrow, torch.Tensor.float = torch.Tensor.float, torch.Tensor.double
    try:
        yield
    finally:
        torch.Tensor.float = narrow


class WideDevice(Device):
    """A device that makes all that it is given float64."""

    def place(self, module: torch.nn.Module) -> torch.nn.Module:
        return super().place(module).double()

    def move(self, batch: Batch) -> Batch:
        return Batch(*(image.double() for image in super().move(batch)))

    @contextmanager
    def training(self, distillers: Iterable[Distiller], networks: Iterable[RestorationNetwork] = ()) -> Iterator[None]:
        with super().training(distillers, networks), wide():
            yield

    @contextmanager
    def restoring(self, network: RestorationNetwork) -> Iterator[None]:
        with super().restoring(network.float()):
            yield


if __name__ == "__main__":
    import bench.plan

    bench.plan.Device = WideDevice
    runpy.run_module("bench.run", run_name="__main__")
