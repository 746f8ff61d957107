"""What every method promises, as checks: of the methods here, and of anybody's by ``python -m bench check``.

The checks train a method for a few steps on tiny networks and random images. They say nothing of how well it teaches.
"""

import inspect
from collections.abc import Iterator
from typing import NamedTuple

from bench.conformance.checks import CHECKS, NonconformityError
from bench.conformance.trial import Method, Trial

__all__ = ["CHECKS", "Finding", "NonconformityError", "Trial", "examine", "find"]


class Finding(NamedTuple):
    """The outcome of a check: empty where the promise is kept, else what is wrong."""

    check: str
    promise: str
    problem: str


def examine(method: Method) -> Iterator[Finding]:
    """Runs every check on a method."""
    return (find(name, method) for name in CHECKS)


def find(name: str, method: Method) -> Finding:
    """Runs a check on a method; one that raises anything else than its own error has failed, too."""
    check = CHECKS[name]
    promise, problem = (inspect.getdoc(check) or "").splitlines()[0], ""
    try:
        check(method)
    except NonconformityError as error:
        problem = str(error)
    except Exception as error:  # noqa: BLE001 - whatever a method raises is a finding, and is shown
        problem = f"it raised {type(error).__name__}: {error}"
    return Finding(name, promise, problem)
