"""Data parallelism: ranks train one cohort together, each on its part of every batch, and get what one process gets.

Of a method that is declared `in_parts`, each rank computes the terms of its part; gradients are averaged. Of any
other, the networks, which cost most, run on each rank's part; what they say is gathered, and every rank computes the
terms of the whole batch, as in one process: so relations among the images of a batch, contrasts and affinities, need
nothing special, and methods know nothing of ranks. Teachers are asked about each image once, for all of them.
"""

import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from torch import Tensor
from torch.utils._pytree import tree_map

from bench.batch import Batch
from bench.config import Training
from bench.distiller import Lesson, Role
from bench.networks.base import Features, Levels, RestorationNetwork
from bench.parts import Exchange, Exchanged, exchanging, is_in_parts
from bench.ranks import LostRankError, Ranks
from bench.stand_ins import CALLS, stand_ins
from bench.train import DivergedError, Member


def own_draws(draw: Callable[[Training, int], Batch], training: Training, ranks: Ranks) -> Callable[[int], Batch]:
    """Draws this rank's part of the batch of a step, and nothing else.

    Samples are numbered through all steps, and each is drawn by its number alone: so a part of a batch is a smaller
    batch of a later step.

    Args:
        draw: Draws the batch of a training's step.
        training: That of one process.
        ranks: The processes that train together, among whom the batch can be shared equally.
    """
    smaller = training.model_copy(update={"batch_size": training.batch_size // ranks.size})
    return lambda step: draw(smaller, step * ranks.size + ranks.rank)


class PartLesson(Lesson):
    """A lesson on this rank's part of a batch.

    Args:
        ranks: The processes that train together.
        lesson: Arguments of `Lesson`.
    """

    def __init__(self, ranks: Ranks, batch: Batch, *lesson: Any) -> None:
        super().__init__(batch, *lesson)
        self._ranks, self._about = ranks, lesson
        self._whole: WholeLesson | None = None
        self._gathered: dict[int, tuple[Tensor, Tensor]] = {}
        self._parts: dict[int, Tensor] = {}

    @property
    def whole(self) -> "WholeLesson":
        """The lesson on the whole batch, which all ranks ask for, or none."""
        if self._whole is None:
            batch = Batch(*map(self.gather, (self.degraded, self.clean)))
            self._whole = WholeLesson(self, self._ranks, batch, *self._about)
        return self._whole

    def split(self, num_parts: int) -> list[Lesson]:
        """Lessons on this rank's parts of those that one process would split the whole batch into."""
        parts = self.whole.split(num_parts)
        batches = [Batch(*map(self._ranks.part, (part.degraded, part.clean))) for part in parts]
        return [PartLesson(self._ranks, batch, *self._about) for batch in batches]

    def gather(self, part: Tensor) -> Tensor:
        """Puts parts together; only once where there is no gradient, as of images and of what a teacher says."""
        if part.requires_grad:
            return self._ranks.gather(part)
        if id(part) not in self._gathered:
            whole = self._ranks.gather(part)
            self._gathered[id(part)] = part, whole  # both are kept, so that no other tensor gets their identity
            self._parts[id(whole)] = part
        return self._gathered[id(part)][1]

    def part_of(self, whole: Tensor) -> Tensor | None:
        """What was gathered to this, or None if it was not."""
        return self._parts.get(id(whole))


class WholeLesson(Lesson):
    """A lesson on a batch of which each rank asks the teachers about its part, and gets to know all answers.

    Args:
        part: The lesson on this rank's part.
        ranks: The processes that train together.
        lesson: Arguments of `Lesson`.
    """

    def __init__(self, part: PartLesson, ranks: Ranks, *lesson: Any) -> None:
        super().__init__(*lesson)
        self._part, self._ranks = part, ranks

    def ask(self, role: Role, image: Tensor) -> Features:
        return self._together(functools.partial(self._part.ask, role), image)

    def perceive(self, image: Tensor) -> Levels:
        return self._together(self._part.perceive, image)

    def _together(self, ask: Callable[[Tensor], Any], image: Tensor) -> Any:
        """Answers about an image; where the lesson on the part keeps them, so does this one."""
        part = self._part.part_of(image)
        return _in_parts(ask, self._ranks, image) if part is None else tree_map(self._part.gather, ask(part))


class RankedMember(Member):
    """A member of a cohort that several ranks train. Rank 0 writes its checkpoints, which any number of ranks resumes.

    Args:
        ranks: They.
        member: Arguments of `Member`.

    Attributes:
        is_in_parts: Whether each rank computes the terms of its part of the batch.
    """

    def __init__(self, ranks: Ranks, *member: Any, **named: Any) -> None:
        super().__init__(*member, **named)
        self._ranks = ranks
        self.is_in_parts = is_in_parts(self.distiller)
        self.optimizer.register_step_pre_hook(lambda *_: self._share_gradients())

    def learn(self, lesson: Lesson) -> None:
        try:
            super().learn(lesson)
        except DivergedError:  # on all ranks alike
            raise
        except Exception as error:  # the others wait for this rank's part
            reason = f"{self.name} failed on rank {self._ranks.rank} of {self._ranks.size}: {error}"
            raise LostRankError(reason) from error

    def _add_gradient(self, lesson: Lesson, share: float) -> dict[str, float]:
        assert isinstance(lesson, PartLesson)
        if self.is_in_parts:
            with exchanging(Exchange(self._ranks.average, lesson.gather, self._ranks.part)):
                return super()._add_gradient(lesson, share)
        with spread(self.distiller.student, self._ranks):
            return super()._add_gradient(lesson.whole, share)

    def save(self) -> None:
        if self._ranks.rank == 0:
            super().save()

    def _share_gradients(self) -> None:
        """Adds up the gradients of all ranks, of which each then has the same.

        What has that of a mean over the part, or that of the whole batch on every rank, as adapters, is averaged.
        """
        student = set() if self.is_in_parts else set(self.distiller.student.parameters())
        gradients = []
        for parameter in self.distiller.parameters():
            if parameter.grad is not None:
                gradients.append(parameter.grad if parameter in student else parameter.grad.div_(self._ranks.size))
        self._ranks.add_up(gradients)


@contextmanager
def spread(network: RestorationNetwork, ranks: Ranks) -> Iterator[None]:
    """Has a network run on this rank's part of the batches that it is given, and return the answers to all."""
    calls = {name: getattr(network, name) for name in CALLS}

    def together(name: str, image: Tensor) -> Any:
        with stand_ins({(network, name): call for name, call in calls.items()}):  # as `forward` calls `encode`
            return _in_parts(calls[name], ranks, image)

    with stand_ins({(network, name): functools.partial(together, name) for name in CALLS}):
        yield


def _in_parts(answer: Callable[[Tensor], Any], ranks: Ranks, image: Tensor) -> Any:
    """What is to say about all images, each rank about its part; what follows is the same on all ranks."""
    own = Exchanged.apply(ranks.part, ranks.gather, image)
    return tree_map(functools.partial(Exchanged.apply, ranks.gather, ranks.part), answer(own))
