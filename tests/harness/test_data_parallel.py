"""Two ranks, here threads, take the steps of one process; `test_ranks` has real ones."""

import itertools
import re
from functools import partial
from pathlib import Path

import pytest
import torch

from bench.batch import Batch
from bench.config import Training
from bench.conformance.pair import Pair
from bench.conformance.trial import TOTAL_STEPS, Trial, crops
from bench.data_parallel import PartLesson, RankedMember, own_draws
from bench.distiller import METHODS, Lesson
from bench.ranks import Ranks
from bench.train import DivergedError, Member
from tests.in_float64 import wide

ROOT = Path(__file__).parents[2]
STEPS = 3
TRAINING = Training(
    steps=STEPS, batch_size=4, crop_size=16, learning_rate=1e-3, final_learning_rate=1e-6, restoration_loss="rmse"
)


@pytest.fixture(autouse=True)
def one_thread(two_threads):
    torch.set_num_threads(1)  # these tensors are too small to share


class Thread(Ranks):
    """One of two ranks."""

    size = 2

    def __init__(self, rank, pair):
        self.rank, self.both = rank, partial(pair.both, rank)
        self.num_gathered = 0

    def gather(self, part):
        self.num_gathered += 1
        return torch.cat(self.both(part))

    def average(self, tensor):
        return sum(self.both(tensor)) / 2

    def add_up(self, tensors):
        for tensor in tensors:
            tensor.copy_(sum(self.both(tensor)))


def batch():
    return Batch(*(image.double() for image in crops(4, 16, 16)))


def lesson(trial, step=0):
    return Lesson(batch(), trial.teachers, step, 0, TOTAL_STEPS)


def part_lesson(rank, trial, step=0):
    return PartLesson(rank, Batch(*map(rank.part, batch())), trial.teachers, step, 0, TOTAL_STEPS)


@pytest.fixture
def widened():
    """A trial of a method in float64."""
    with wide():
        yield _widened


def _widened(method, **settings):
    trial = Trial(METHODS[method], **settings)
    for network in (trial.student, *trial.teachers.values()):
        network.double()
    return trial


@pytest.fixture
def enrol(tmp_path):
    """Makes a member of a method, on one rank or alone."""
    numbers = itertools.count()

    def make(trial, method, *ranks, **settings):
        checkpoint = tmp_path / str(next(numbers)) / "checkpoint.pt"
        cell = method, trial.start().double(), TRAINING, checkpoint, ""
        return RankedMember(*ranks, *cell, **settings) if ranks else Member(*cell, **settings)

    return make


def learn(member, trial, make=lesson):
    """Takes the steps; returns the weights, and what is told of the last one."""
    for step in (0, TOTAL_STEPS // 2, TOTAL_STEPS - 1):
        member.learn(make(trial, step))
    state, measured = member.distiller.state_dict(), member.distiller.measured
    told = torch.tensor([*member.terms.values(), *(value.item() for value in measured.values())])
    return torch.cat([state[name].double().flatten() for name in sorted(state)]), told


def check_same(trial, method, enrol, **settings):
    pair = Pair()
    ranks = [Thread(rank, pair) for rank in range(2)]
    one, two = enrol(trial, method, **settings), [enrol(trial, method, rank, **settings) for rank in ranks]
    weights, told = learn(one, trial)
    both = pair.work(lambda rank: learn(two[rank], trial, partial(part_lesson, ranks[rank])))
    for ranked_weights, ranked_told in both:
        torch.testing.assert_close(ranked_weights, weights, rtol=0, atol=1e-12)
        torch.testing.assert_close(ranked_told, told, rtol=1e-6, atol=1e-12)
    assert torch.equal(both[0][0], both[1][0])


@pytest.mark.parametrize("num_parts", [1, 2])
@pytest.mark.parametrize("method", METHODS)
def test_two_ranks_take_the_steps_of_one(method, num_parts, widened, enrol):
    check_same(widened(method), method, enrol, micro_batches=num_parts)


@pytest.mark.parametrize("method", ["output_kd", "slkd", "ckt"])
def test_an_oracle_tells_ranks_what_it_tells_one_process(method, widened, enrol):
    check_same(widened(method, is_oracle=True), method, enrol, asks_oracle=True)


@pytest.mark.parametrize("methods", [("slkd", "sp", "output_kd"), ("output_kd", "sp", "slkd")])
def test_a_teacher_is_asked_about_each_image_once_and_its_answer_gathered_once(methods, widened, enrol, monkeypatch):
    trial, pair, asked = widened("slkd"), Pair(), []
    for teacher in trial.teachers.values():
        whole = teacher.forward_features
        monkeypatch.setattr(
            teacher, "forward_features", lambda image, whole=whole: (asked.append(len(image)), whole(image))[1]
        )
    ranks = [Thread(rank, pair) for rank in range(2)]
    members = [[enrol(widened(method), method, rank) for method in methods] for rank in ranks]

    def step(rank):
        shared = part_lesson(ranks[rank], trial)
        for member in members[rank]:
            member.learn(shared)

    pair.work(step)
    assert asked == [2] * 4, "two teachers, on two ranks, each about half of the batch"
    student = teacher_a = 1 + 3 + 2  # what is restored, the encoder's levels, the decoder's
    teacher_b = 1 + 2
    assert ranks[0].num_gathered == 2 + student + teacher_a + teacher_b, "two are the images themselves"


def test_methods_in_parts_gather_nothing(widened, enrol):
    trial, pair = widened("fitnet"), Pair()
    ranks = [Thread(rank, pair) for rank in range(2)]
    members = [enrol(trial, "fitnet", rank) for rank in ranks]
    pair.work(lambda rank: learn(members[rank], trial, partial(part_lesson, ranks[rank])))
    assert [rank.num_gathered for rank in ranks] == [0, 0]


def test_what_one_rank_cannot_do_is_told_by_all(widened, enrol):
    """A loss that is not finite in one part is not finite in the batch."""
    trial, pair = widened("output_kd"), Pair()
    ranks = [Thread(rank, pair) for rank in range(2)]
    members = [enrol(trial, "output_kd", rank) for rank in ranks]

    def step(rank):
        broken = part_lesson(ranks[rank], trial)
        broken.clean[0] = torch.inf if rank == 0 else 0
        with pytest.raises(DivergedError, match="restoration=inf"):
            members[rank].learn(broken)

    pair.work(step)


def test_each_rank_draws_its_own_part():
    def draw(training, step):
        first = step * training.batch_size
        return Batch(torch.arange(first, first + training.batch_size), torch.empty(0))

    whole = [draw(TRAINING, step).degraded for step in range(3)]
    parts = [own_draws(draw, TRAINING, Thread(rank, Pair())) for rank in range(2)]
    assert all(torch.equal(torch.cat([part(step).degraded for part in parts]), whole[step]) for step in range(3))


def test_the_docs_name_the_methods_that_need_the_whole_batch():
    text = (ROOT / "docs" / "scale.md").read_text(encoding="utf-8")
    (named,) = re.findall(r"Of the others \(here ([^)]*)\)", text)
    needing = {name for name, method in METHODS.items() if not getattr(method.forward, "is_in_parts", False)}
    assert set(re.findall(r"`(\w+)`", named)) == needing
