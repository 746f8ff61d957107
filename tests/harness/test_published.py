"""Numbers of others: read digit by digit, beside the column they belong to, with what is known of their protocol."""

from pathlib import Path

import pytest

from bench.distiller import METHODS
from bench.metrics.protocol import PROTOCOLS
from bench.published import beside, protocol_differences, published_table, read_all, read_published
from bench.table import METRIC_TITLES
from bench.tasks.base import TASKS

RESULTS = Path("results")
COMMITTED = read_all(RESULTS)
PUBLISHED = """
paper:
  title: A Network for Rain
  authors: A. Author, B. Author
  venue: CVPR
  year: 2020
where: Table 1
reading: repository
columns:
  light: [rain100l]
  heavy: [rain100h, rain12]
protocol: on luma
signatures: {psnr_db: "psnr:y|uint8:trunc"}
rows:
  - {network: First, params_m: 0.169, scores: {rain100l: {psnr_db: "37.10", ssim: "0.9790"}}}
  - {network: First, kind: student, macs_g: 20, scores: {rain100l: {psnr_db: "36.5"}, rain100h: {psnr_db: "30"}}}
  - {network: First, kind: method, method: dckd, quotes: "C. Author, 2019", scores: {rain12: {ssim: "0.9"}}}
"""
OURS = {"psnr_db": "psnr:y|range:bt601|uint8:round|crop:0|agg:image|v1", "ssim": "ssim:y|uint8:round|v1"}


@pytest.fixture
def published(tmp_path):
    (tmp_path / "p.yaml").write_text(PUBLISHED)
    return read_published(tmp_path / "p.yaml")


def test_numbers_are_shown_digit_by_digit_with_their_source(published):
    text = published_table(published).markdown()
    for part in (
        "| network | params (M) | MACs (G) | rain100l, PSNR / SSIM | rain100h, PSNR / SSIM | rain12, PSNR / SSIM |",
        "| First | 0.169 |  | 37.10 / 0.9790 | - | - |",
        "| First, student alone |  | 20 | 36.5 / - | 30 / - | - |",
        "| First, student by dckd |  |  | - | - | - / 0.9 |",
        "- Source: A. Author, B. Author, A Network for Rain, CVPR 2020; Table 1, read from the authors' repository.\n",
        "- On luma.\n",
        "- First, student by dckd: quoted there from C. Author, 2019.\n",
    ):
        assert part in text


def test_a_row_stands_beside_the_columns_that_its_table_names(published):
    found = {
        (task, test_set): [
            (reported.row.label, dict(reported.scores)) for reported in beside([published], task, test_set)
        ]
        for task, test_set in (("light", "rain100l"), ("heavy", "rain100h"), ("light", "rain100h"), ("other", "rain12"))
    }
    assert found == {
        ("light", "rain100l"): [
            ("First", {"psnr_db": "37.10", "ssim": "0.9790"}),
            ("First, student alone", {"psnr_db": "36.5"}),
        ],
        ("heavy", "rain100h"): [("First, student alone", {"psnr_db": "30"})],
        ("light", "rain100h"): [],
        ("other", "rain12"): [],
    }


def test_what_is_known_of_a_protocol_is_compared_with_ours(published):
    assert protocol_differences(published, OURS) == ["PSNR: uint8:trunc, here uint8:round"]
    on_rgb = OURS | {"psnr_db": "psnr:rgb|uint8:trunc|v1"}
    assert protocol_differences(published, on_rgb) == ["PSNR: psnr:y, here psnr:rgb"]
    assert protocol_differences(published, {"psnr_db": "psnr:y|uint8:trunc|v1"}) == ["SSIM: not measured here"]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("reading", "readings", "did you mean 'reading'"),
        ("protocol: on luma", "protocol: ''", "protocol: string should have at least 1 character"),
        ('"37.10"', "37.10", r"scores\.rain100l\.psnr_db: input should be a valid string, got 37.1"),
        ("light: [rain100l]", "light: [rain1400]", "columns are of rain1400, .* scores of rain100h, rain100l, rain12"),
        ("method: dckd, ", "", "a row of the kind 'method' names its method"),
        ("kind: student", "kind: network, method: dckd", "no other row has one"),
        ("light: [rain100l]", "light: [", "not YAML"),
    ],
)
def test_a_wrong_file_is_refused(tmp_path, old, new, message):
    assert old in PUBLISHED
    (tmp_path / "p.yaml").write_text(PUBLISHED.replace(old, new))
    with pytest.raises(ValueError, match=message):
        read_published(tmp_path / "p.yaml")


def test_all_files_of_a_results_folder_are_read_by_their_names(tmp_path, published):
    assert read_all(tmp_path) == {}
    (tmp_path / "published").mkdir()
    (tmp_path / "p.yaml").rename(tmp_path / "published" / "p.yaml")
    assert read_all(tmp_path) == {"p": published}


@pytest.mark.parametrize("name", COMMITTED)
def test_committed_numbers_stand_beside_columns_that_can_be_measured(name):
    table = COMMITTED[name]
    for task, test_sets in table.columns.items():
        assert set(test_sets) <= set(TASKS[task].test_sets)
    assert set(table.signatures) <= set(table.metrics) <= set(METRIC_TITLES)
    assert {row.method for row in table.rows if row.method} <= set(METHODS)


@pytest.mark.parametrize("name", COMMITTED)
def test_committed_signatures_name_fields_of_ours(name):
    ours = [signature for protocol in PROTOCOLS.values() for signature in protocol.available().signatures().values()]
    fields = {field.partition(":")[0] for signature in ours for field in signature.split("|")}
    for signature in COMMITTED[name].signatures.values():
        assert {field.partition(":")[0] for field in signature.split("|")} <= fields


def test_committed_scores_are_plausible():
    """A comma, a missing digit or two columns in the wrong order would be seen here."""
    ranges = {"psnr_db": (25, 45), "ssim": (0.85, 1), "ssim_volume": (0.9, 1)}
    for table in COMMITTED.values():
        for row in table.rows:
            for scores in row.scores.values():
                for metric, digits in scores.items():
                    low, high = ranges[metric]
                    assert low < float(digits) < high, (row.label, metric, digits)


def test_no_number_of_one_source_is_committed_twice():
    rows = [
        (str(table.paper), table.reading, task, test_set, row.label)
        for table in COMMITTED.values()
        for task, test_sets in table.columns.items()
        for test_set in test_sets
        for row in table.rows
        if test_set in row.scores
    ]
    assert len(rows) == len(set(rows)) > 50
