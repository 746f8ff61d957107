"""Records of data sets: who made them, their terms and what to cite, for pages that are made without their code."""

from pathlib import Path
from typing import Literal

from bench.paper import INITIALS, Paper, cited, people
from bench.record import StrictRecord, read_record


class DataSetRecord(StrictRecord):
    """The words of a data set's declaration, for pages that are made without its code.

    Attributes:
        name: As it is registered.
        title: What it is.
        authors: Who made its images.
        licence: The terms of its images.
        url: Its home page.
        reference: The publication behind it: ``W. Yang et al., Deep Joint Rain Detection, CVPR 2017``.
        note: What a user should know.
    """

    kind: Literal["data_set"] = "data_set"
    version: Literal[1] = 1
    name: str
    title: str
    authors: str
    licence: str
    url: str
    reference: str
    note: str = ""

    @property
    def paper(self) -> Paper:
        """The publication behind it, with all authors where they are those of the images.

        Raises:
            ValueError: The reference is not authors, title, venue and year.
        """
        paper = cited(self.reference)
        makers = self.authors.partition(";")[0]
        is_theirs = makers.startswith(f"{paper.authors.removesuffix(' et al.')},")
        is_known = is_theirs and all(map(INITIALS.fullmatch, people(makers)))
        changes = {"authors": makers if is_known else paper.authors, "url": "" if paper.venue else self.url}
        return paper.model_copy(update=changes)


def describe(name: str, declared: object) -> DataSetRecord:
    """The record of a data set, from its declaration."""
    words = ("title", "authors", "licence", "url", "reference", "note")
    return DataSetRecord(name=name, **{word: getattr(declared, word) for word in words})


def record_path(results: Path, name: str) -> Path:
    """Where the record of a data set is kept in a results folder."""
    return results / "data_sets" / f"{name}.json"


def read_data_sets(results: Path) -> list[DataSetRecord]:
    """All data set records of a results folder, in the order of their names.

    Raises:
        ValueError: A file is not a valid record; the message names it and what is wrong.
    """
    return [read_record(path, DataSetRecord) for path in sorted((results / "data_sets").glob("*.json"))]
