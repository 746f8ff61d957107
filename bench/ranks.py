"""The ranks that ``torchrun`` starts, and what they say to one another."""

import os
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor

from bench.config import DeviceName
from bench.distiller import Lesson

PATIENCE = timedelta(minutes=10)
"""How long a rank waits for another one's part of a step, and rank 0 for others to listen."""
LONG = timedelta(days=1)
"""How long others wait for rank 0, which scores and writes alone, and all for those that read their images first."""

GO_ON = "go on"
"""What rank 0 tells before every step."""
GIVE_UP = "give up"
"""What it tells where it cannot go on with a cohort, as on a full disk."""


class LostRankError(SystemExit):
    """A rank has died, or does not answer: this one ends, too. What was trained up to the last checkpoint is kept."""


class GivenUpError(Exception):
    """Rank 0 has given up a cohort, and says why itself."""


class Ranks:
    """The processes that train together; made by `joined`.

    Attributes:
        rank: The number of this one; 0 schedules, scores and writes.
        size: How many there are.

    Raises:
        ValueError: This machine has fewer GPUs than ranks.
    """

    def __init__(self, device: DeviceName) -> None:
        if device == "cuda":
            number, present = int(os.environ["LOCAL_RANK"]), torch.cuda.device_count()
            if number >= present:
                raise ValueError(f"device: cuda: each rank needs a GPU of its own; this machine has {present}")
            torch.cuda.set_device(number)
        dist.init_process_group("nccl" if device == "cuda" else "gloo", timeout=PATIENCE)
        self.rank, self.size = dist.get_rank(), dist.get_world_size()
        self._control = _gloo(LONG if self.rank else PATIENCE)
        self._meeting = _gloo(LONG)

    def meet(self) -> None:
        """Waits until all ranks are here, however long that takes.

        Raises:
            LostRankError: Another rank has died.
        """
        with _losses():
            dist.barrier(self._meeting)

    def in_step(self, teach: Callable[[int], Lesson]) -> Callable[[int], Lesson]:
        """Gives lessons for as long as rank 0 goes on, and raises KeyboardInterrupt or an error when it does not."""

        def together(step: int) -> Lesson:
            said = self.tell(GO_ON)
            if said is None:
                raise KeyboardInterrupt
            if said == GIVE_UP:
                raise GivenUpError
            if said != GO_ON:
                raise LostRankError("error: rank 0 could not go on with this cohort; its log tells why")
            return teach(step)

        return together

    def tell(self, message: Any) -> Any:
        """Rank 0 tells all others, which return what it says.

        Raises:
            LostRankError: Another rank has died, or does not listen in time.
        """
        said = [message]
        with _losses():
            dist.broadcast_object_list(said, src=0, group=self._control)
        return said[0]

    def gather(self, part: Tensor) -> Tensor:
        """Puts the parts of a batch together again, by rank.

        Raises:
            LostRankError: Another rank has died, or has not come to this part in time.
        """
        is_map = part.ndim == 4
        rows = (part.permute(0, 2, 3, 1) if is_map else part).contiguous()  # free where maps are channels-last
        whole = rows.new_empty((len(rows) * self.size, *rows.shape[1:]))
        with _losses():
            dist.all_gather(list(whole.chunk(self.size)), rows)
        return whole.permute(0, 3, 1, 2) if is_map else whole

    def part(self, batch: Tensor) -> Tensor:
        """This rank's part of a batch: as many images as each other one's.

        Raises:
            ValueError: The images cannot be shared equally.
        """
        if len(batch) % self.size:
            raise ValueError(f"{len(batch)} images cannot be shared equally among {self.size} ranks; see batch_size")
        return batch.chunk(self.size)[self.rank]

    def average(self, tensor: Tensor) -> Tensor:
        """The mean of what the ranks have.

        Raises:
            LostRankError: As `gather`.
        """
        total = tensor.clone()
        with _losses():
            dist.all_reduce(total)
        return total / self.size

    def add_up(self, tensors: Sequence[Tensor]) -> None:
        """Adds the same tensors of all ranks, in place.

        Raises:
            LostRankError: As `gather`.
        """
        flat = torch.cat([tensor.flatten() for tensor in tensors])
        with _losses():
            dist.all_reduce(flat)
        for tensor, total in zip(tensors, flat.split([tensor.numel() for tensor in tensors]), strict=True):
            tensor.copy_(total.view_as(tensor))


def _gloo(patience: timedelta) -> dist.ProcessGroup:
    """A group of all ranks, in which this one waits so long."""
    group = dist.new_group(backend="gloo", timeout=patience)
    assert isinstance(group, dist.ProcessGroup)
    return group


@contextmanager
def joined(device: DeviceName) -> Iterator[Ranks]:
    """The ranks that ``torchrun`` has started, each with a GPU of its own; at the end, rank 0 lets the others go.

    These leave signals to rank 0, with which they end after the same step.
    """
    ranks = Ranks(device)
    if ranks.rank:
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
    is_lost = False
    try:
        yield ranks
    except LostRankError:
        is_lost = True
        raise
    finally:
        if ranks.rank == 0 and not is_lost:
            ranks.tell(None)
        dist.destroy_process_group()


@contextmanager
def _losses() -> Iterator[None]:
    """Says what it means that ranks cannot talk to one another."""
    try:
        yield
    except RuntimeError as error:
        text = str(error).strip().splitlines()[0]
        raise LostRankError(
            f"error: a rank has died or does not answer ({text}); what was trained up to the last checkpoint is kept, "
            "and the same command goes on from there"
        ) from error
