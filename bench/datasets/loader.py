"""Drawing the next batches while a step runs."""

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager

from bench.batch import Batch

BATCHES_AHEAD = 2
"""Batches that each worker has waiting: one while the step runs, one for when decoding an image takes longer."""


@contextmanager
def prefetched(draw: Callable[[int], Batch], num_workers: int) -> Iterator[Callable[[int], Batch]]:
    """Draws the batches of the steps to come in threads; a batch is a pure function of its step, so no result changes.

    Threads suffice: Pillow, NumPy and SciPy release the interpreter while they work.

    Args:
        draw: Gives the batch of a step.
        num_workers: Threads; 0 draws each batch when it is asked for.

    Yields:
        What takes the place of ``draw``; made for steps that follow one another.
    """
    if not num_workers:
        yield draw
        return
    pool = ThreadPoolExecutor(num_workers, thread_name_prefix="batches")
    ahead: deque[tuple[int, Future[Batch]]] = deque()

    def next_batch(step: int) -> Batch:
        while ahead and ahead[0][0] != step:
            ahead.popleft()[1].cancel()
        for later in range(step + len(ahead), step + 1 + BATCHES_AHEAD * num_workers):
            ahead.append((later, pool.submit(draw, later)))
        return ahead.popleft()[1].result()

    try:
        yield next_batch
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
