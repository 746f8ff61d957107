"""Random generators as pure functions of what they are for."""

import hashlib

import numpy as np


def generator(*keys: str | int) -> np.random.Generator:
    """Returns a random generator that depends on ``keys`` alone: not on process, platform or order of calls.

    Args:
        keys: What the numbers are for, such as a data set's name, a seed and a sample's index. Types and boundaries
            count: ``1`` differs from ``"1"``, and ``("ab",)`` from ``("a", "b")``.
    """
    state = hashlib.sha256(repr(keys).encode()).digest()
    return np.random.Generator(np.random.SFC64(np.frombuffer(state, dtype="<u4")))
