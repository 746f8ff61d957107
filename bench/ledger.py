"""What was found up to date, cell by cell, is known at once while none of the files has changed that were looked at.

Files count as unchanged while their sizes and modification times are the same; a folder has them too, and changes when
a file is added or removed. The ledger may be deleted at any time.
"""

import json
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from bench.atomic import write_atomically
from bench.cell import Workspace
from bench.config import Params, digest
from bench.stamps import Stamps, are_same, has_source_changed, own_sources, stamps_of

AXES = dict.fromkeys(("tasks", "networks", "methods", "seeds", "teacher"), ())
"""What a grid says of which cells it has: each of them is the same in a larger grid."""
NUM_REQUESTS = 20
"""How many requests a ledger remembers."""


class Note(NamedTuple):
    """What is known of a cell that was up to date.

    Attributes:
        detail: What was to be said of it.
        stamps: Those of its own files, before they were read.
        asked: A digest of the stamps of its teachers' files.
    """

    detail: str
    stamps: Stamps
    asked: str


class Ledger:
    """The cells of one folder of runs that were up to date, and the requests that had nothing to do.

    It knows nothing where anything differs that all of its cells depend on: parameters, images, the program's source.

    Args:
        params: The grid; its axes do not matter.
        workspace: Where its files are.
    """

    def __init__(self, params: Params, workspace: Workspace) -> None:
        self._path = workspace.runs / "ledger.json"
        places = (workspace.results, workspace.runs, workspace.data, workspace.datasets)
        self._circumstances = digest(repr((params.model_copy(update=AXES), places)))
        self._shared: Stamps = {}
        self._cells: dict[str, Note] = {}
        self._requests: dict[str, Stamps] = {}
        self._read()

    def is_settled(self, request: str) -> bool:
        """Whether a request had nothing to do when it was made last, and no file of any cell has changed since."""
        own = self._requests.get(request)
        return own is not None and all(map(are_same, (own, *(note.stamps for note in self._cells.values()))))

    def recall(self, cell: str) -> Note | None:
        """What is known of a cell; None where it was not up to date, or its own files have changed."""
        note = self._cells.get(cell)
        return note if note and are_same(note.stamps) else None

    def update(self, judged: Mapping[str, Note | None], shared: Stamps) -> None:
        """Notes cells that were looked at; nothing is noted where the source changed after the program was started.

        Args:
            judged: What is known of each; None where it is not up to date.
            shared: The stamps that what decides about all of them had before it was read; the source is added.
        """
        if has_source_changed() or any(self._shared.get(path, stamp) != stamp for path, stamp in shared.items()):
            return
        cells = {cell: note for cell, note in {**self._cells, **judged}.items() if note}
        if any(cells.get(cell) != note for cell, note in self._cells.items()):
            self._requests.clear()
        if cells != self._cells:
            self._cells = cells
            self._shared = {**self._shared, **shared, **stamps_of(own_sources())}
            self._write()

    def settle(self, request: str, cells: Iterable[str], files: Iterable[Path]) -> None:
        """Notes that a request has nothing to do, if all of its cells are known.

        Args:
            request: Everything that decides which cells it is about.
            cells: These.
            files: What it needs beside their own files.
        """
        if self._cells.keys() >= set(cells):
            kept = [(known, stamps) for known, stamps in self._requests.items() if known != request]
            self._requests = dict([*kept, (request, stamps_of(files))][-NUM_REQUESTS:])
            self._write()

    def _read(self) -> None:
        """Takes over what the file knows; one that is damaged, missing or of other circumstances knows nothing."""
        try:
            known = json.loads(self._path.read_bytes())
            cells = {cell: Note(*note) for cell, note in known["cells"].items()}
            if known["circumstances"] == self._circumstances and are_same(known["shared"]):
                self._shared, self._cells, self._requests = known["shared"], cells, dict(known["requests"])
        except (OSError, ValueError, TypeError, KeyError, AttributeError):
            return

    def _write(self) -> None:
        """Keeps what is known for the next run; where it cannot be written, as by who may only read, without it."""
        content = {
            "circumstances": self._circumstances,
            "shared": self._shared,
            "cells": self._cells,
            "requests": self._requests,
        }
        with suppress(OSError):
            write_atomically(self._path, json.dumps(content).encode())
