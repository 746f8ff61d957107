"""Which failures may pass when a cell is tried again."""

import errno
from typing import Literal

import torch

PASSING = frozenset(
    (
        errno.EIO,
        errno.EAGAIN,
        errno.EBUSY,
        errno.EINTR,
        errno.ESTALE,
        errno.ETIMEDOUT,
        errno.ENETDOWN,
        errno.ENETUNREACH,
    )
)
"""What a network file system or a device reports of a moment's trouble; a full disk is not among it."""

Remedy = Literal["smaller parts", "again"]


def remedy(error: BaseException) -> Remedy | None:
    """How a failed cell is tried once more; None where the same would happen again.

    Returns:
        ``smaller parts`` where memory was short: batches are then taken in two parts. ``again`` where reading or
        writing failed for a reason that may pass.
    """
    if is_out_of_memory(error):
        return "smaller parts"
    return "again" if isinstance(error, OSError) and error.errno in PASSING else None


def is_out_of_memory(error: BaseException) -> bool:
    """Whether memory could not be allocated, on any device; the CPU's allocator has no exception of its own."""
    is_cpus = isinstance(error, RuntimeError) and "allocate memory" in str(error)
    return is_cpus or isinstance(error, MemoryError | torch.OutOfMemoryError)
