"""Runs the benchmark with weights and batches in float64, where rounding leaves nothing to be seen; scores are float32.

``python -m tests.in_float64`` takes what ``python -m bench.run`` takes.
"""

import runpy
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from bench.batch import Batch
from bench.device import Device
from bench.networks.base import RestorationNetwork


class WideDevice(Device):
    """A device that makes all that it is given float64."""

    def place(self, module: torch.nn.Module) -> torch.nn.Module:
        return super().place(module).double()

    def move(self, batch: Batch) -> Batch:
        return Batch(*(image.double() for image in super().move(batch)))

    @contextmanager
    def restoring(self, network: RestorationNetwork) -> Iterator[None]:
        with super().restoring(network.float()):
            yield


if __name__ == "__main__":
    import bench.plan

    bench.plan.Device = WideDevice
    runpy.run_module("bench.run", run_name="__main__")
