"""BibTeX entries of methods, networks, data sets and published numbers, to copy."""

import re
import unicodedata
from collections.abc import Iterable, Iterator
from pathlib import Path
from string import ascii_lowercase
from urllib.parse import quote

from bench.data_set_record import read_data_sets
from bench.family import read_families
from bench.method_record import MethodRecord, read_methods
from bench.paper import INITIALS, Paper, cited, people
from bench.published import read_all

CONFERENCES = {
    "AAAI": "AAAI Conference on Artificial Intelligence (AAAI)",
    "CVPR": "Conference on Computer Vision and Pattern Recognition (CVPR)",
    "ECCV": "European Conference on Computer Vision (ECCV)",
    "ICASSP": "International Conference on Acoustics, Speech and Signal Processing (ICASSP)",
    "ICCV": "International Conference on Computer Vision (ICCV)",
    "ICIP": "International Conference on Image Processing (ICIP)",
    "ICLR": "International Conference on Learning Representations (ICLR)",
    "ICML": "International Conference on Machine Learning (ICML)",
    "IJCAI": "International Joint Conference on Artificial Intelligence (IJCAI)",
    "NeurIPS": "Advances in Neural Information Processing Systems (NeurIPS)",
    "WACV": "Winter Conference on Applications of Computer Vision (WACV)",
}
JOURNALS = {
    "IJCV": "International Journal of Computer Vision",
    "TCSVT": "IEEE Transactions on Circuits and Systems for Video Technology",
    "TIP": "IEEE Transactions on Image Processing",
    "TPAMI": "IEEE Transactions on Pattern Analysis and Machine Intelligence",
}
"""What venues are called in full; one that is in neither table is a journal, and called as it is."""

FILLERS = {"a", "an", "the", "on", "in", "of", "for", "to", "with"}
SPECIALS = str.maketrans(
    {char: rf"\{char}" for char in "&%$#_"}
    | {"{": r"\textbraceleft{}", "}": r"\textbraceright{}", "\\": r"\textbackslash{}"}
    | {"~": r"\textasciitilde{}", "^": r"\textasciicircum{}"}
)
Citable = Paper | MethodRecord


NETWORKS = {
    "drsformer": cited(
        "X. Chen, H. Li, M. Li and J. Pan, Learning A Sparse Transformer Network for Effective Image Deraining, "
        "CVPR 2023",
        "https://arxiv.org/abs/2303.11950",
    ),
    "nafnet": cited(
        "L. Chen, X. Chu, X. Zhang and J. Sun, Simple Baselines for Image Restoration, ECCV 2022",
        "https://arxiv.org/abs/2204.04676",
    ),
    "restormer": cited(
        "S. W. Zamir, A. Arora, S. Khan, M. Hayat, F. S. Khan and M.-H. Yang, Restormer: Efficient Transformer for "
        "High-Resolution Image Restoration, CVPR 2022",
        "https://arxiv.org/abs/2111.09881",
    ),
    "uformer": cited(
        "Z. Wang, X. Cun, J. Bao, W. Zhou, J. Liu and H. Li, Uformer: A General U-Shaped Transformer for Image "
        "Restoration, CVPR 2022",
        "https://arxiv.org/abs/2106.03106",
    ),
}
"""The papers of the network families that come with the benchmark."""


def entry(source: Citable, key: str = "") -> str:
    """The BibTeX entry of a publication, whose title is printed as it is written here.

    Args:
        source: What is cited.
        key: Under which it is cited; else `key_of` the source.

    Raises:
        ValueError: It has no authors.
    """
    if not source.authors:
        raise ValueError(f"{source.title}: expected authors, got none; what was not published is not cited")
    arxiv = re.search(r"arxiv\.org/abs/([\w./-]+)", source.url)
    doi = re.search(r"doi\.org/(.+)", source.url)
    kind, place = _place(source.venue)
    fields = {
        "author": " and ".join(map(_author, people(source.authors))),
        "title": f"{{{source.title.translate(SPECIALS)}}}",
        **place,
        "year": str(source.year),
        **({"eprint": arxiv[1], "archiveprefix": "arXiv"} if arxiv else {}),
        **({"doi": doi[1]} if doi else {}),
        **({"url": quote(source.url, safe="%/:=&?~#+!$,;'@()*[]")} if source.url else {}),
    }
    lines = "".join(f"  {name} = {{{value}}},\n" for name, value in fields.items())
    return f"@{kind}{{{key or key_of(source)},\n{lines}}}\n"


def key_of(source: Citable) -> str:
    """The first author's surname, the year and the first word of the title that says something."""
    first = people(source.authors)[0]
    match = INITIALS.fullmatch(first)
    words = (_plain(word) for word in re.split(r"\W+", source.title))
    word = next((word for word in words if word and word not in FILLERS), "")
    return f"{_plain(match[2] if match else first.split()[-1])}{source.year}{word}"


def bibliography(results: Path, shared: Path | None = None) -> str:
    """The entries of what occurs in a results folder, in the order of their keys.

    These are the methods, networks and data sets of its cells, and the papers of published numbers.

    Args:
        results: The results folder.
        shared: Where methods and data sets are described and published numbers kept; by default in the same folder.
    """
    found: dict[str, Citable] = {}
    for source in _sources(results, shared or results):
        base = key_of(source)
        for key in (base, *(f"{base}{letter}" for letter in ascii_lowercase[1:])):
            if found.setdefault(key, source).title == source.title:
                break
    return "\n".join(entry(source, key) for key, source in sorted(found.items()))


def _sources(results: Path, shared: Path) -> Iterator[Citable]:
    """What is cited, some of it more than once."""
    cells = [record for family in read_families(results) for record in family.records.values()]
    networks, test_sets = ({getattr(cell, name) for cell in cells} for name in ("network", "test_set"))
    methods = {method.name: method for method in read_methods(shared)}
    used = {_original(cell.method, methods) for cell in cells if cell.role == "student"}
    yield from (method for name, method in methods.items() if name in used and method.authors)
    yield from (paper for network, paper in NETWORKS.items() if network in networks)
    yield from (table.paper for table in read_all(shared).values())
    data_sets = {record.name: record.paper for record in read_data_sets(shared)}
    fullest = {paper.title: paper for paper in sorted(data_sets.values(), key=lambda paper: len(paper.authors))}
    yield from (fullest[paper.title] for name, paper in data_sets.items() if name in test_sets)


def _original(method: str, described: Iterable[str]) -> str:
    """The described method that a method is, or is a variant of: ``slkd_drl`` is one of ``slkd``."""
    return max((name for name in described if f"{method}_".startswith(f"{name}_")), key=len, default="")


def _place(venue: str) -> tuple[str, dict[str, str]]:
    """The kind of an entry, and the field that says where it was published."""
    short = venue.removeprefix("IEEE ")
    if short in CONFERENCES:
        return "inproceedings", {"booktitle": CONFERENCES[short]}
    if venue in ("", "arXiv"):
        return "misc", {}
    return "article", {"journal": JOURNALS.get(short, venue).translate(SPECIALS)}


def _author(name: str) -> str:
    """A name in BibTeX's form, surname first."""
    match = INITIALS.fullmatch(name)
    return (f"{match[2]}, {match[1].strip()}" if match else name).translate(SPECIALS)


def _plain(text: str) -> str:
    """The letters and digits of ASCII that are nearest to a text, in lower case."""
    letters = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]", "", letters)
