"""Time and memory of a network's forward passes: what can only be measured."""

import statistics
import time
import weakref
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from bench.networks.base import RestorationNetwork
from bench.provenance import provenance
from bench.record import Measured

MIN_RUNS, MAX_RUNS, SECONDS = 5, 50, 3.0
"""Forward passes are timed until the seconds are over, but at least and at most so many."""


def measure(network: RestorationNetwork, input_size: int, batch: int) -> Measured:
    """Times forward passes and adds up the memory of one.

    Args:
        network: In evaluation mode.
        input_size: Side of the square images, in pixels.
        batch: Images of a pass.
    """
    shape = torch.Size((batch, network.in_channels, input_size, input_size))
    image = torch.linspace(0, 1, shape.numel()).view(shape).contiguous(memory_format=torch.channels_last)
    runs = milliseconds(network, image)
    lower, median, upper = statistics.quantiles(runs, n=4, method="inclusive")
    return Measured(
        latency_ms=median,
        latency_iqr_ms=upper - lower,
        peak_memory_mb=peak_memory(network, image) / 1e6,
        batch=batch,
        threads=torch.get_num_threads(),
        num_runs=len(runs),
        device=provenance()["processor"],
        torch=torch.__version__,
    )


@torch.inference_mode()
def milliseconds(restore: Callable[[Tensor], Any], image: Tensor) -> list[float]:
    """What each of several passes took, in milliseconds; a network, or what restores images in its place."""
    restore(image)  # not timed: the first pass chooses kernels and touches memory
    runs: list[float] = []
    while len(runs) < MIN_RUNS or (len(runs) < MAX_RUNS and sum(runs) < 1e3 * SECONDS):
        start = time.perf_counter()
        restore(image)
        runs.append(1e3 * (time.perf_counter() - start))
    return runs


def peak_memory(network: RestorationNetwork, image: Tensor) -> int:
    """Largest sum of the bytes of tensors alive at one time in a forward pass, the weights and ``image`` included."""
    with torch.no_grad(), LiveTensors() as live:
        live.follow((*network.parameters(), *network.buffers(), image))
        network(image)
    return live.peak


class LiveTensors(TorchDispatchMode):
    """Adds up the memory of the tensors that operators return, and takes it off again when the last view is gone.

    Attributes:
        peak: The largest sum so far, in bytes.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.peak = self._bytes = 0
        self._known: weakref.WeakSet[torch.UntypedStorage] = weakref.WeakSet()

    def follow(self, tensors: Any) -> None:
        """Counts each memory block among (nested) tensors once."""
        for tensor in tree_leaves(tensors):
            if isinstance(tensor, Tensor) and (storage := tensor.untyped_storage()) not in self._known:
                self._known.add(storage)
                self._add(storage.nbytes())
                weakref.finalize(storage, self._add, -storage.nbytes())
        self.peak = max(self.peak, self._bytes)

    def _add(self, size: int) -> None:
        self._bytes += size

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        self.follow(result)
        return result
