"""Two ranks in miniature: threads that exchange tensors."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import torch
from torch import Tensor

from bench.parts import Exchange

PATIENCE = 60.0
"""How long one waits for the other, in seconds."""

Outcome = TypeVar("Outcome")


class Pair:
    """A table on which two threads lay down what they have, and find what both have."""

    def __init__(self) -> None:
        self._lying = [torch.empty(0), torch.empty(0)]
        self._barrier = threading.Barrier(2, timeout=PATIENCE)

    def both(self, rank: int, tensor: Tensor) -> tuple[Tensor, Tensor]:
        """What rank 0 has and what rank 1 has.

        Raises:
            threading.BrokenBarrierError: The other one has failed, or does not come.
        """
        self._lying[rank] = tensor.detach().clone()
        self._barrier.wait()
        first, second = self._lying
        self._barrier.wait()
        return first, second

    def exchange(self, rank: int) -> Exchange:
        """What a rank's method does with this table."""
        return Exchange(
            average=lambda tensor: torch.stack(self.both(rank, tensor)).mean(dim=0),
            gather=lambda part: torch.cat(self.both(rank, part)),
            part=lambda batch: batch.chunk(2)[rank],
        )

    def work(self, do: Callable[[int], Outcome]) -> list[Outcome]:
        """What each rank does, by its number; raises what the first of them raises that fails."""
        errors: list[BaseException] = []

        def begin(rank: int) -> Outcome:
            try:
                return do(rank)
            except BaseException as error:  # also a rank that ends
                errors.append(error)
                self._barrier.abort()
                raise

        with ThreadPoolExecutor(2) as pool:
            done = [pool.submit(begin, rank) for rank in range(2)]
        if errors:
            raise errors[0]
        return [future.result() for future in done]
