"""What was found up to date is known at once, without importing a network, while none of its files has changed.

Files count as unchanged while their sizes and modification times are the same; a folder has them too, and changes when
a file is added or removed. The ledger may be deleted at any time.
"""

import json
import os
import sys
from collections.abc import Iterable
from pathlib import Path

import psutil

from bench.atomic import write_atomically
from bench.config import digest

NUM_ANSWERS = 20
"""How many questions a ledger remembers."""

Stamp = list[int] | None


class Ledger:
    """The answers of one folder of runs.

    Args:
        path: The ledger's file.
        question: Everything beside files that decides what a run would do: parameters, filters, places.
    """

    def __init__(self, path: Path, question: str) -> None:
        self._path = path
        self._question = digest(question)

    def is_settled(self) -> bool:
        """Whether everything was up to date when this was asked last, and no file has changed since."""
        stamps = self._answers().get(self._question, {})
        return bool(stamps) and all(_stamp(path) == stamp for path, stamp in stamps.items())

    def settle(self, files: Iterable[Path]) -> None:
        """Notes that everything is up to date.

        Args:
            files: All files and folders that were looked at, those that are not there included. The source of the
                program is added; nothing is noted where that changed after the program was started.
        """
        sources = own_sources()
        started = 1e9 * psutil.Process().create_time()
        if any((stamp := _stamp(path)) is None or stamp[1] > started for path in sources):
            return
        answers = self._answers()
        answers.pop(self._question, None)
        answers[self._question] = {str(path): _stamp(path) for path in {*files, *sources}}
        newest = dict(list(answers.items())[-NUM_ANSWERS:])
        write_atomically(self._path, json.dumps(newest).encode())

    def _answers(self) -> dict[str, dict[str, Stamp]]:
        """By question, the stamps of the files; a ledger that is damaged or missing knows nothing."""
        try:
            answers = json.loads(self._path.read_bytes())
        except (OSError, ValueError):
            return {}
        is_whole = isinstance(answers, dict) and all(isinstance(stamps, dict) for stamps in answers.values())
        return answers if is_whole else {}


def _stamp(path: str | Path) -> Stamp:
    """Size and modification time; None where there is no such file."""
    try:
        status = os.stat(path)  # noqa: PTH116 - thousands of files
    except OSError:
        return None
    return [status.st_size, status.st_mtime_ns]


def own_sources() -> set[Path]:
    """The source of this program: modules outside the standard library and installed packages, extensions included."""
    files = {Path(getattr(module, "__file__", None) or "") for module in tuple(sys.modules.values())}
    own = {path for path in files if path.is_absolute() and path.suffix == ".py"}
    return {path for path in own if "site-packages" not in path.parts and not path.is_relative_to(sys.base_prefix)}
