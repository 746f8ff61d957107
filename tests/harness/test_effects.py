"""What a method gains, and how much of it a teacher gave, from records alone."""

import pytest

from bench import tables
from bench.effects import effect_table as table_of
from bench.record import write_record
from bench.scoreboard import Scoreboard
from tests.harness.test_tables import record

CONTROLS = {"output_kd": "output_kd@oracle", "fitnet": "scratch"}


def of(label, psnr, seed=0, **changes):
    method, _, teacher = label.partition("@")
    asks = {"teacher": teacher or "trained", "control": "" if teacher else CONTROLS.get(method, "")}
    return record(method, psnr, seed, **(asks | changes))


def effect_table(records):
    return table_of(Scoreboard(records))


def teacher(psnr, **changes):
    return record(psnr=psnr, role="removal", **changes)


def cells(table):
    return {row[0]: row[1:] for row in table.rows}


@pytest.fixture
def three_seeds():
    scores = {"scratch": (30.0, 30.2, 30.4), "output_kd": (30.5, 30.71, 30.89), "output_kd@oracle": (30.3, 30.5, 30.7)}
    return [teacher(34.2)] + [of(label, p, seed) for label, row in scores.items() for seed, p in enumerate(row)]


def test_one_seed_gives_gain_gap_and_effect_without_spread():
    records = [teacher(34.0), of("scratch", 30.0), of("output_kd", 31.0), of("output_kd@oracle", 30.8)]
    table = effect_table(records)
    assert cells(table)["output_kd"] == ("+1.00 / 25 % / +0.20",)
    assert cells(table)["output_kd@oracle"] == ("+0.80 / 20 % / -",)
    assert any("One seed" in note for note in table.notes)
    assert any("Control of `output_kd`: `output_kd@oracle`" in note for note in table.notes)


def test_losses_are_printed_as_they_are():
    assert cells(effect_table([of("scratch", 30.0), of("fitnet", 29.0)]))["fitnet"] == ("-1.00 / - / -1.00",)


def test_seeds_are_paired(three_seeds):
    found = cells(effect_table(three_seeds))
    assert found["output_kd@oracle"][0].startswith("+0.30 ± 0.00 * / 8 %")
    assert found["output_kd"] == ("+0.50 ± 0.02 * / 13 % / +0.20 ± 0.02 *",)


def test_only_seeds_that_both_have_are_compared(three_seeds):
    lone = [of("fitnet", 31.4, seed=2), of("fitnet", 99.0, seed=7)]
    assert cells(effect_table(three_seeds + lone))["fitnet"] == ("+1.00 / 25 % / +1.00",)


def test_small_noisy_gains_are_not_marked():
    scores = {"scratch": (30.0, 30.2, 30.4), "fitnet": (30.2, 30.1, 30.6)}
    records = [of(label, p, seed) for label, row in scores.items() for seed, p in enumerate(row)]
    assert "*" not in cells(effect_table(records))["fitnet"][0]


def test_several_test_sets_get_a_mean(three_seeds):
    noise = [r.model_copy(update={"task": "denoising", "test_set": "noise_50"}) for r in three_seeds]
    more = [
        r.model_copy(update={"metrics": {"psnr_db": r.metrics["psnr_db"] + (r.method == "output_kd")}}) for r in noise
    ]
    table = effect_table(three_seeds + more)
    assert table.header[1:] == (
        "deraining: rain_light, gain / gap / effect",
        "denoising: noise_50, gain / gap / effect",
        "mean of the test sets, gain / gap / effect",
    )
    assert cells(table)["output_kd"][2] == "+1.00 ± 0.02 * / 25 % / +0.20 ± 0.02 *"


def test_a_row_that_lacks_a_test_set_has_no_mean(three_seeds):
    noise = [of("scratch", 25.0, task="denoising", test_set="noise_50")]
    table = effect_table([*three_seeds, *noise])
    assert cells(table)["output_kd"][1:] == ("-", "-")


def test_without_scratch_or_psnr_there_is_nothing_to_say():
    assert effect_table([of("fitnet", 30.0)]) is None
    assert effect_table([of("scratch", 30.0)]) is None
    skipped = of("fitnet", 30.0, status="skipped", reason="no such levels", metrics={})
    assert effect_table([of("scratch", 30.0), skipped]) is None
    piqe = {"metrics": {"piqe": 30.0}, "signatures": {"piqe": "piqe|v1", "psnr_db": "p"}}
    assert effect_table([of("scratch", 30.0, **piqe), of("fitnet", 30.0, **piqe)]) is None


def test_it_stands_beside_the_scores(three_seeds, tmp_path):
    for number, item in enumerate(three_seeds):
        write_record(tmp_path / "cells" / str(number) / "rain_light.json", item)
    files = tables.render(tmp_path)
    assert {path.name for path in files} >= {"nafnet.md", "nafnet_effects.md", "nafnet_effects.tex"}
    assert "| output_kd@oracle |" in files[tmp_path / "tables" / "nafnet.md"]
