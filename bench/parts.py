"""How a method can be given part of a batch, so that ranks that train together need not compute the same terms.

Alone, in one process, all of this changes nothing.
"""

import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, NamedTuple, TypeVar

import torch
from torch import Tensor

Forward = TypeVar("Forward", bound=Callable[..., dict[str, Tensor]])


class Exchange(NamedTuple):
    """What ranks do with one another's tensors.

    Attributes:
        average: Gives the mean of what the ranks have.
        gather: Puts the parts of a batch together.
        part: Gives this rank's part of a batch.
    """

    average: Callable[[Tensor], Tensor]
    gather: Callable[[Tensor], Tensor]
    part: Callable[[Tensor], Tensor]


_EXCHANGE: ContextVar[Exchange | None] = ContextVar("_EXCHANGE", default=None)


def in_parts(forward: Forward) -> Forward:
    """Declares that the terms of a batch are the means of those of its parts; decorates `Distiller.forward`.

    Each rank is then given the lesson of its part of the batch; otherwise all compute the terms of the whole batch. So
    the images of a batch must be related to one another in no way but by `mean_over_batch` and `whole_batch`, and what
    is drawn must be the same for every number of images. A method that overrides ``forward`` declares it anew.
    """

    @functools.wraps(forward)
    def averaged(distiller: Any, *lesson: Any) -> dict[str, Tensor]:
        terms = forward(distiller, *lesson)
        distiller.measured = _means(distiller.measured)
        return _means(terms)

    averaged.is_in_parts = True  # type: ignore[attr-defined]
    return averaged  # type: ignore[return-value]


def is_in_parts(distiller: Any) -> bool:
    """Whether a distiller can be given parts of a batch."""
    return getattr(type(distiller).forward, "is_in_parts", False)


def mean_over_batch(mean: Tensor) -> Tensor:
    """A mean over the images of the whole batch, from that over the images of a lesson; see `in_parts`.

    Args:
        mean: Any shape; the gradient goes back through it, from all ranks.
    """
    exchange = _EXCHANGE.get()
    return mean if exchange is None else Exchanged.apply(exchange.average, exchange.average, mean)


def whole_batch(part: Tensor) -> Tensor:
    """What there is of all images of the batch, from what there is of those of a lesson; see `in_parts`.

    Args:
        part: ``(N, ...)``; the gradient goes back through it, from all ranks.
    """
    exchange = _EXCHANGE.get()
    return part if exchange is None else Exchanged.apply(exchange.gather, functools.partial(_own_sum, exchange), part)


def _own_sum(exchange: Exchange, gradient: Tensor) -> Tensor:
    """The sum of all ranks' gradients for the own part of a batch, since those of weights are averaged."""
    own = exchange.part(exchange.average(gradient))
    return len(gradient) // len(own) * own


@contextmanager
def exchanging(exchange: Exchange) -> Iterator[None]:
    """Has methods be given parts of a batch meanwhile, each rank as many images."""
    token = _EXCHANGE.set(exchange)
    try:
        yield
    finally:
        _EXCHANGE.reset(token)


class Exchanged(torch.autograd.Function):
    """What an exchange among ranks makes of a tensor; another one takes the gradient back.

    ``Exchanged.apply(there, back, tensor)``. Where ranks go on differently, the loss is the mean of theirs.
    """

    @staticmethod
    def forward(
        ctx: Any, there: Callable[[Tensor], Tensor], back: Callable[[Tensor], Tensor], tensor: Tensor
    ) -> Tensor:
        ctx.back = back
        return there(tensor)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[None, None, Tensor]:
        return None, None, ctx.back(gradient)


def _means(scalars: dict[str, Tensor]) -> dict[str, Tensor]:
    """Scalars over the whole batch; all in one message."""
    if _EXCHANGE.get() is None or not scalars:
        return scalars
    return dict(zip(scalars, mean_over_batch(torch.stack(list(scalars.values()))).unbind(), strict=True))
