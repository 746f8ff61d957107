import threading
import time

import pytest
import torch

from bench.batch import Batch
from bench.datasets.base import draw_batch
from bench.datasets.degrade import Noise
from bench.datasets.images import list_images
from bench.datasets.loader import BATCHES_AHEAD, prefetched
from bench.datasets.pairs import open_clean

WORKERS = [0, 1, 3]


def draw(step: int) -> Batch:
    """A batch that says which step it is of; some take longer."""
    time.sleep(0.003 * (step % 3 == 0))
    return Batch(torch.full((1,), step), torch.full((1,), -step))


def drawn(steps, num_workers):
    with prefetched(draw, num_workers) as next_batch:
        return [int(next_batch(step).degraded) for step in steps]


@pytest.mark.parametrize("num_workers", WORKERS)
@pytest.mark.parametrize(
    "steps",
    [range(20), range(7, 20), [0, 1, 5, 6, 40, 41], [3, 2, 1, 0], [4, 4, 4], []],
    ids=["all", "from a checkpoint", "ahead", "backwards", "again", "none"],
)
def test_each_step_gets_its_batch(num_workers, steps):
    assert drawn(steps, num_workers) == list(steps)


@pytest.mark.parametrize("num_workers", WORKERS[1:])
def test_batches_do_not_depend_on_the_number_of_workers(write, tmp_path, num_workers):
    for k in range(3):
        write(f"clean/{k}.png", seed=k)

    def batches(num_workers):
        pairs = open_clean(list_images(tmp_path / "clean"), Noise((0, 50)), "mini")
        with prefetched(lambda step: draw_batch(pairs, 0, step, 2, 16), num_workers) as next_batch:
            return [next_batch(step) for step in range(6)]

    for alone, ahead in zip(batches(0), batches(num_workers), strict=True):
        for first, second in zip(alone, ahead, strict=True):
            torch.testing.assert_close(first, second, rtol=0, atol=0)


@pytest.mark.parametrize("num_workers", WORKERS)
def test_an_error_reaches_the_caller_at_its_step(num_workers):
    def fail_at_three(step: int) -> Batch:
        if step == 3:
            raise ValueError("3.png: damaged")
        return draw(step)

    seen = []
    with pytest.raises(ValueError, match=r"3\.png: damaged"), prefetched(fail_at_three, num_workers) as next_batch:
        for step in range(10):
            next_batch(step)
            seen.append(step)
    assert seen == [0, 1, 2]


@pytest.mark.parametrize("num_workers", WORKERS)
def test_after_an_error_other_steps_can_be_drawn(num_workers):
    fails = iter([True])

    def fail_once(step: int) -> Batch:
        if step == 1 and next(fails, False):
            raise ValueError("not now")
        return draw(step)

    with prefetched(fail_once, num_workers) as next_batch:
        next_batch(0)
        with pytest.raises(ValueError, match="not now"):
            next_batch(1)
        assert [int(next_batch(step).degraded) for step in (1, 2)] == [1, 2]


@pytest.mark.parametrize("num_workers", WORKERS[1:])
def test_an_error_of_a_step_that_is_never_asked_for_is_none(num_workers):
    def fail_after_the_end(step: int) -> Batch:
        if step > 2:
            raise ValueError("beyond the end")
        return draw(step)

    with prefetched(fail_after_the_end, num_workers) as next_batch:
        assert [int(next_batch(step).degraded) for step in range(3)] == [0, 1, 2]


@pytest.mark.parametrize("num_workers", WORKERS[1:])
def test_threads_end_with_the_training_also_where_it_fails(num_workers):
    before = threading.active_count()
    with prefetched(draw, num_workers) as next_batch:
        next_batch(0)
    with pytest.raises(KeyboardInterrupt), prefetched(draw, num_workers) as next_batch:
        next_batch(0)
        raise KeyboardInterrupt
    assert threading.active_count() == before


@pytest.mark.parametrize("num_workers", WORKERS[1:])
def test_only_a_few_batches_are_drawn_ahead(num_workers):
    steps = []

    def note(step: int) -> Batch:
        steps.append(step)
        return draw(step)

    with prefetched(note, num_workers) as next_batch:
        for step in range(5):
            next_batch(step)
        time.sleep(0.1)
        assert sorted(steps) == list(range(5 + BATCHES_AHEAD * num_workers))
