"""BibTeX entries, read back by a strict parser: of methods, networks, data sets and published numbers."""

import re
from pathlib import Path

import pytest

from bench.bibliography import NETWORKS, bibliography, entry, key_of
from bench.data_set_record import DataSetRecord, describe, read_data_sets, record_path
from bench.datasets.base import DATASETS
from bench.method_record import read_methods
from bench.networks.base import NETWORKS as FAMILIES
from bench.paper import Paper, cited
from bench.published import read_all
from bench.record import write_record
from tests.harness.test_tables import record

RESULTS = Path("results")
REQUIRED = {"inproceedings": {"booktitle"}, "article": {"journal"}, "misc": set()}
PLAIN = Paper(title="A Study of Rain", authors="A. Author", venue="CVPR", year=2020)


def parse(text):
    """The entries of a BibTeX file by key, as (kind, fields); whatever BibTeX would not take is an AssertionError."""
    entries = {}
    while text.strip():
        head = re.match(r"\s*@([a-z]+)\{([a-z0-9]+),\n", text)
        assert head, text[:80]
        kind, key = head.groups()
        assert key not in entries, f"{key} is there twice"
        text, fields = text[head.end() :], {}
        while not text.startswith("}"):
            name, text = re.match(r"  ([a-z]+) = \{", text)[1], text[text.index("{") + 1 :]
            end = closing_brace(text)
            assert text[end:].startswith("},\n") and name not in fields
            fields[name], text = text[:end], text[end + 3 :]
        entries[key], text = (kind, fields), text[1:]
    return entries


def closing_brace(text):
    """Where the brace closes that was open before the text; BibTeX counts those behind a backslash too."""
    depth = 1
    for place, char in enumerate(text):
        depth += {"{": 1, "}": -1}.get(char, 0)
        if depth == 0:
            return place
    raise AssertionError(f"no closing brace: {text[:80]}")


def check(entries):
    """That BibTeX's styles find all they need, and that LaTeX can print it."""
    for key, (kind, fields) in entries.items():
        assert {"author", "title", "year"} | REQUIRED[kind] <= fields.keys(), key
        assert re.fullmatch(r"\d{4}", fields["year"])
        for name in ("author", "title", "booktitle", "journal"):
            assert not re.search(r"(?<!\\)[&%$#_~^]", fields.get(name, "")), (key, name)


def fields_of(paper):
    ((_, fields),) = parse(entry(paper)).values()
    return fields


def test_an_entry_has_every_field_in_its_place():
    paper = cited(
        "W. Yang, R. T. Tan and L. Van Gool, On Deep Rain: A Study, CVPR 2017", "https://arxiv.org/abs/1609.07769"
    )
    assert entry(paper) == (
        "@inproceedings{yang2017deep,\n"
        "  author = {Yang, W. and Tan, R. T. and Van Gool, L.},\n"
        "  title = {{On Deep Rain: A Study}},\n"
        "  booktitle = {Conference on Computer Vision and Pattern Recognition (CVPR)},\n"
        "  year = {2017},\n"
        "  eprint = {1609.07769},\n"
        "  archiveprefix = {arXiv},\n"
        "  url = {https://arxiv.org/abs/1609.07769},\n"
        "}\n"
    )


@pytest.mark.parametrize(
    ("venue", "kind", "field", "name"),
    [
        (
            "ICASSP",
            "inproceedings",
            "booktitle",
            "International Conference on Acoustics, Speech and Signal Processing (ICASSP)",
        ),
        ("IEEE TIP", "article", "journal", "IEEE Transactions on Image Processing"),
        ("Sound & Vision", "article", "journal", r"Sound \& Vision"),
        ("arXiv", "misc", "year", "2020"),
        ("", "misc", "year", "2020"),
    ],
)
def test_a_venue_tells_the_kind_of_an_entry(venue, kind, field, name):
    ((found, fields),) = parse(entry(PLAIN.model_copy(update={"venue": venue}))).values()
    assert (found, fields[field]) == (kind, name)


@pytest.mark.parametrize(
    ("authors", "printed", "key"),
    [
        ("W. Yang et al.", "Yang, W. and others", "yang2020study"),
        ("W.-T. Chen, S. E. Kahou", "Chen, W.-T. and Kahou, S. E.", "chen2020study"),
        ("S. van der Walt and Š. Žižek", "van der Walt, S. and Žižek, Š.", "vanderwalt2020study"),
        ("Ana Müller, B. Li, and C. Ω", "Ana Müller and Li, B. and Ω, C.", "muller2020study"),
    ],
)
def test_names_are_put_as_bibtex_wants_them(authors, printed, key):
    paper = PLAIN.model_copy(update={"authors": authors})
    assert fields_of(paper)["author"] == printed
    assert key_of(paper) == key


def test_special_characters_are_escaped_and_braces_balance():
    paper = PLAIN.model_copy(update={"title": r"50 % of {x_1} & \y: #1 ~ $2^3$}", "url": "https://x.org/a_b%20c#{d}"})
    fields = fields_of(paper)
    braces = r"\textbraceleft{}x\_1\textbraceright{}"
    rest = r" \& \textbackslash{}y: \#1 \textasciitilde{} \$2\textasciicircum{}3\$\textbraceright{}"
    assert fields["title"] == "{" + r"50 \% of " + braces + rest + "}"
    assert fields["url"] == "https://x.org/a_b%20c#%7Bd%7D"


def test_a_digital_object_identifier_has_a_field_of_its_own():
    assert fields_of(PLAIN.model_copy(update={"url": "https://doi.org/10.1109/X.1"}))["doi"] == "10.1109/X.1"


def test_what_has_no_authors_is_not_cited():
    scratch = next(method for method in read_methods(RESULTS) if method.name == "scratch")
    with pytest.raises(ValueError, match="No distillation: the student alone: expected authors, got none"):
        entry(scratch)


def test_a_reference_that_cannot_be_read_is_named():
    with pytest.raises(ValueError, match=r"expected a reference 'authors, title .*, got 'a home page'"):
        cited("a home page")


def data_set(name, reference, authors="A. Author", url="https://home.org"):
    return DataSetRecord(name=name, title="", authors=authors, licence="", url=url, reference=reference)


@pytest.mark.parametrize(
    ("makers", "authors"),
    [
        ("W. Yang, R. T. Tan and S. Yan; drawn by B. Brush", "W. Yang, R. T. Tan and S. Yan"),
        ("W. Yang, who took them from the web", "W. Yang et al."),
        ("NASA (astronaut)", "W. Yang et al."),
    ],
)
def test_the_rest_of_the_authors_are_those_of_the_images_where_they_are_the_same_people(makers, authors):
    paper = data_set("rain", "W. Yang et al., Deep Rain, CVPR 2017", makers).paper
    assert paper == Paper(title="Deep Rain", authors=authors, venue="CVPR", year=2017)


def test_a_data_set_without_a_publication_is_cited_by_its_home_page():
    fields = fields_of(data_set("kodak", "R. Franzen, Kodak Suite, 1999").paper)
    assert fields == {"author": "Franzen, R.", "title": "{Kodak Suite}", "year": "1999", "url": "https://home.org"}


def test_the_committed_records_say_what_the_declarations_say():
    assert {path.stem for path in (RESULTS / "data_sets").iterdir()} == set(DATASETS)
    for record_ in read_data_sets(RESULTS):
        assert record_ == describe(record_.name, DATASETS[record_.name]), f"{record_.name}: describe it again"


def test_everything_that_is_registered_can_be_cited():
    sources = [method for method in read_methods(RESULTS) if method.authors]
    sources += [*NETWORKS.values(), *(table.paper for table in read_all(RESULTS).values())]
    sources += [data_set.paper for data_set in read_data_sets(RESULTS)]
    assert len(sources) > 60
    for source in sources:
        check(parse(entry(source)))


def test_every_network_family_of_the_benchmark_has_a_paper():
    own = {name for name in FAMILIES if FAMILIES.origin(name).startswith("bench.networks.")}
    assert set(NETWORKS) == own


@pytest.fixture
def results(tmp_path):
    for name in ("slkd", "output_kd", "fakd", "scratch", "dckd"):
        (method,) = (method for method in read_methods(RESULTS) if method.name == name)
        write_record(tmp_path / "methods" / f"{name}.json", method)
    references = {
        "rain_light": "W. Yang et al., Deep Rain, CVPR 2017",
        "rain100l": "W. Yang and S. Yan, Deep Rain, CVPR 2017",
    }
    for name, reference in {**references, "haze": "C. Haze, Haze, IJCV 2000"}.items():
        write_record(record_path(tmp_path, name), data_set(name, reference))
    for method in ("scratch", "slkd_drl", "output_kd", "fakd"):
        write_record(tmp_path / "cells" / method / "rain_light.json", record(method))
    return tmp_path


def test_what_occurs_in_the_records_is_cited_once_with_all_its_authors(results):
    entries = parse(bibliography(results))
    check(entries)
    assert list(entries) == ["chen2022simple", "he2020fakd", "yang2017deep", "zhang2025knowledge"]
    assert entries["yang2017deep"][1]["author"] == "Yang, W. and Yan, S."


def test_descriptions_may_stand_in_another_folder(results, tmp_path_factory):
    shared = tmp_path_factory.mktemp("shared")
    for folder in ("methods", "data_sets"):
        (results / folder).rename(shared / folder)
    assert list(parse(bibliography(results))) == ["chen2022simple"]
    assert "yang2017deep" in parse(bibliography(results, shared))


def test_two_papers_never_share_a_key(results):
    for name, title in (("one", "Deep Rain"), ("two", "Deep Snow"), ("three", "Deep Fog")):
        write_record(record_path(results, name), data_set(name, f"W. Yang, {title}, CVPR 2017"))
        write_record(results / "cells" / "scratch" / f"{name}.json", record("scratch", test_set=name))
    entries = parse(bibliography(results))
    titles = {key: entries[key][1]["title"] for key in entries if key.startswith("yang")}
    assert titles == {"yang2017deep": "{Deep Rain}", "yang2017deepb": "{Deep Fog}", "yang2017deepc": "{Deep Snow}"}


def test_the_bibliography_of_the_committed_results_is_valid():
    check(parse(bibliography(RESULTS / "ablation", RESULTS)))
