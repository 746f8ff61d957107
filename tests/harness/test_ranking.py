"""Which students can be told apart, from records and values per image."""

import numpy as np
import pytest

from bench.ranking import ranking_tables, rankings
from bench.scoreboard import Column, Scoreboard
from bench.values import read_per_image, write_per_image
from tests.harness.test_tables import record

NAMES = [f"image{k}" for k in range(20)]
PSNR = {"psnr_db": "psnr:y|v1"}


@pytest.fixture
def place(tmp_path):
    """A record with its values per image."""
    files = {}

    def make(method, psnr, seed=0, task="deraining", test_set="rain_light", names=NAMES, **changes):
        item = record(method, psnr, seed, task=task, test_set=test_set, **changes)
        values = psnr + np.random.default_rng([seed, len(method)]).normal(0, 0.1, len(names))
        values += psnr - values.mean()
        path = files[item.label, Column(task, test_set), seed] = tmp_path / f"{task}_{test_set}_{item.label}_{seed}.csv"
        write_per_image(path, names, {"psnr_db": values.tolist()}, PSNR)
        return item

    make.files = files
    return make


def three_seeds(place, **changes):
    scores = {"scratch": (30.0, 30.2, 30.4), "fitnet": (30.01, 30.19, 30.4), "slkd": (31.0, 31.21, 31.39)}
    return [place(name, psnr, seed, **changes) for name, row in scores.items() for seed, psnr in enumerate(row)]


def tables_of(records, place):
    board = Scoreboard(records)
    return ranking_tables(board.network, rankings(board, place.files))


def rows(table):
    return {row[0]: row[1:] for row in table.rows}


def test_rows_stand_by_their_mean_with_interval_and_group(place):
    (table,) = tables_of(three_seeds(place), place)
    assert [row[:3] for row in table.rows] == [
        ("slkd", "31.20 ± 0.48", "a"), ("scratch", "30.20 ± 0.50", "b"), ("fitnet", "30.20 ± 0.48", "b")
    ]  # fmt: skip
    assert "after Holm's correction for all 3 pairs" in table.notes[0] and "over 3 seeds" in table.notes[0]
    assert "power of 80 % is 0.04 dB" in table.notes[0] and "pooled: 0.01 dB" in table.notes[0]


def test_the_difference_to_scratch_is_for_other_seeds_and_images(place):
    (table,) = tables_of(three_seeds(place), place)
    mean, half_width = rows(table)["slkd"][2].split(" ± ")
    assert mean == "+1.00" and 0.02 < float(half_width) < 0.15  # of the seeds alone: 0.02
    assert rows(table)["scratch"][2:] == ("-", "-")


def test_the_gap_has_fiellers_interval(place):
    teacher = record(psnr=34.2, role="removal")
    (table,) = tables_of([*three_seeds(place), teacher], place)
    assert rows(table)["slkd"][3] == "25 % [22, 28]"


def test_one_seed_ranks_nothing(place):
    records = [place("scratch", 30.0), place("slkd", 31.0), record(psnr=34.0, role="removal")]
    (table,) = tables_of(records, place)
    psnr, group, over, gap = rows(table)["slkd"]
    assert (psnr, group, gap) == ("31.00", "-", "25 %") and over.startswith("+1.00 ± 0.")
    assert table.notes[0].startswith("One seed: nothing is ranked.")


def test_only_rows_of_the_same_seeds_and_steps_are_in_groups(place):
    others = [place("at", 30.5), *(place("scratch_long", 32.0 + seed / 9, seed, steps=9) for seed in range(3))]
    (table,) = tables_of([*three_seeds(place), *others], place)
    assert {label: row[1] for label, row in rows(table).items() if row[1] == "-"} == {"at": "-", "scratch_long": "-"}
    assert "all 3 pairs" in table.notes[0]
    assert "`scratch_long` is in no group: trained for 9 steps." in table.notes
    assert "`at` is in no group: its seeds are 0, others have more or others." in table.notes


def test_several_test_sets_get_a_ranking_of_their_mean(place):
    noise = three_seeds(place, task="denoising", test_set="noise_50", names=NAMES[:8])
    tables = tables_of([*three_seeds(place), *noise], place)
    assert [table.title for table in tables] == [
        "nafnet: ranking on deraining: rain_light",
        "nafnet: ranking on denoising: noise_50",
        "nafnet: ranking on the mean of the test sets",
    ]
    assert rows(tables[2])["slkd"][2].startswith("+1.00 ± 0.") and rows(tables[2])["slkd"][1] == "a"
    assert [any(note.startswith("PSNR: mean") for note in table.notes) for table in tables] == [False, False, True]


def test_missing_values_per_image_are_named(place):
    records = [place("scratch", 30.0), place("slkd", 31.0), record("fitnet", 30.5)]
    (table,) = tables_of(records, place)
    assert rows(table)["fitnet"][2] == "+0.50"
    assert "`fitnet`: no interval over `scratch`, as there are no values per image." in table.notes


def test_rows_scored_on_different_images_are_refused(place):
    records = [place("scratch", 30.0), place("slkd", 31.0, names=NAMES[::-1])]
    with pytest.raises(ValueError, match="deraining/rain_light: scratch with seed 0 and slkd with seed 0"):
        tables_of(records, place)


def test_one_student_is_not_ranked(place):
    assert tables_of([place("scratch", 30.0), record(psnr=34.0, role="removal")], place) == []


def test_values_per_image_are_read_as_they_were_written(tmp_path):
    names, values = ["#1, left", "b"], {"psnr_db": [30.125, float("inf")], "ssim": [0.1, 0.2]}
    write_per_image(tmp_path / "a.csv", names, values, {"psnr_db": "p", "ssim": "s"})
    found = read_per_image(tmp_path / "a.csv")
    assert found == {metric: dict(zip(names, row, strict=True)) for metric, row in values.items()}


@pytest.mark.parametrize(
    "text",
    ["", "# a\n", "image,psnr_db\n", "image,psnr_db\na,x\n", "image,psnr_db\na,1\nb\n", "image,psnr_db\na,1\na,2\n"],
)
def test_a_broken_file_of_values_per_image_is_named(tmp_path, text):
    (tmp_path / "a.csv").write_text(text)
    with pytest.raises(ValueError, match=r"a\.csv: expected a table of values per image"):
        read_per_image(tmp_path / "a.csv")


def test_more_groups_than_letters_are_counted(place):
    names = ["scratch", *(f"method_{chr(97 + k)}" for k in range(26))]
    (table,) = tables_of([place(name, 30.0 + k, seed) for k, name in enumerate(names) for seed in (0, 1)], place)
    assert [row[2] for row in table.rows][:2] == ["26 below, 0 above", "25 below, 1 above"]
    assert "more groups of rows that cannot be told apart than letters" in table.notes[0]
