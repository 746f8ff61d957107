"""Publications: what is cited, and how a reference in one line is read."""

import re

from pydantic import Field

from bench.record import StrictRecord

INITIALS = re.compile(r"((?:[^\W\d_]\.[ -]?)+) *(.+)")
"""Initials and a surname."""
REFERENCE = re.compile(r"(?P<authors>.+), (?P<title>[^,]+), (?P<venue>(?:[^,]+ )?)(?P<year>\d{4})")


class Paper(StrictRecord):
    """A publication; what is not known of it is empty.

    Attributes:
        authors: Initials and surnames, separated by commas: ``Z. Wang, X. Cun``; or ``Z. Wang et al.``.
        venue: In brief: ``CVPR``.
    """

    title: str = Field(min_length=1)
    authors: str = Field(min_length=1)
    venue: str = ""
    year: int
    url: str = ""

    def __str__(self) -> str:
        return f"{self.authors}, {self.title}, {self.venue} {self.year}"


def cited(reference: str, url: str = "") -> Paper:
    """The publication that a reference in one line stands for.

    Raises:
        ValueError: It is not authors, title, venue and year.
    """
    match = REFERENCE.fullmatch(reference)
    if not match:
        expected = "'authors, title without a comma, venue year', such as 'L. Zhang et al., Denoising, TIP 2017'"
        raise ValueError(f"expected a reference {expected}, got {reference!r}")
    authors, title, venue, year = match.groups()
    return Paper(title=title, authors=authors, venue=venue.strip(), year=int(year), url=url)


def people(authors: str) -> list[str]:
    """The names in a list of authors; ``others`` is the last where there are more."""
    return [name for name in re.split(r", (?:and )?| and ", authors.replace(" et al.", ", others")) if name]
