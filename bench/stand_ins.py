"""Functions that stand in for methods of objects for a while: of networks in parts, compiled, in another precision."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

CALLS = ("forward", "encode", "forward_features")
"""The methods of a network that take a batch of images."""


@contextmanager
def stand_ins(functions: Mapping[tuple[Any, str], Callable[..., Any]]) -> Iterator[None]:
    """Has functions stand in for methods.

    Args:
        functions: By the object and the method's name. What stood in for a method before does so again afterwards.
    """
    before = {(owner, name): vars(owner).get(name) for owner, name in functions}
    for (owner, name), function in functions.items():
        setattr(owner, name, function)
    try:
        yield
    finally:
        for (owner, name), earlier in before.items():
            if earlier is None:
                delattr(owner, name)
            else:
                setattr(owner, name, earlier)
