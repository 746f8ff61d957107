"""What moved between two folders of records, and whether it is more than another seed would give."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from bench.diff import compare, lines, tables
from bench.diff.moves import Place, Scores, judged
from bench.record import write_record
from bench.scoreboard import Column
from bench.stats import unpaired_difference
from bench.values import write_per_image
from tests.harness.test_tables import record

SEEDS = {"scratch": (30.0, 30.2, 30.4), "fitnet": (30.5, 30.7, 30.91), "slkd": (31.0, 31.21, 31.39)}
NOWHERE = Place("nafnet", Column("deraining", "rain_light"), "slkd")


def of(method, psnr, seed=0, **changes):
    return record(method, psnr, seed, **{"weights_sha256": f"{method} {seed} {psnr}", "initial_sha256": "a"} | changes)


def three_seeds(scores=SEEDS, **changes):
    return [of(method, psnr, seed, **changes) for method, row in scores.items() for seed, psnr in enumerate(row)]


@pytest.fixture
def comparison(tmp_path):
    """Compares two lists of records."""

    def write(side, records):
        for item in records:
            cell = tmp_path / side / "cells" / item.task / item.network / f"seed{item.seed}" / item.label
            write_record(cell / f"{item.test_set}.json", item)
        return tmp_path / side

    return lambda here, there: compare(write("here", here), write("there", there))


def verdicts(moves):
    return {move.place.label: move.verdict for move in moves}


def moved(scores, values):
    return scores | {"slkd": tuple(psnr + value for psnr, value in zip(scores["slkd"], values, strict=True))}


def test_the_same_records_are_the_same_bit_by_bit(comparison):
    found = comparison(three_seeds(), three_seeds())
    assert found.cells == {"same bits": 9} and found.is_quiet
    assert {*verdicts(found.rows).values(), *verdicts(found.means).values()} == {"same"}
    assert not (found.lone or found.changes or found.unlike or found.turned)
    assert [row for row in tables(found)[0].rows if row[0].startswith("rows")] == [("rows by metrics: same", "3")]


def test_records_that_keep_no_digest_of_weights_have_the_same_numbers(comparison):
    old = three_seeds(weights_sha256="", initial_sha256="")
    found = comparison(old, old)
    assert found.cells == {"same numbers": 9} and found.is_quiet


def test_the_last_digits_of_a_sum_are_no_move(comparison):
    dust = {method: tuple(psnr * (1 + 4e-16) for psnr in row) for method, row in SEEDS.items()}
    assert dust != SEEDS
    found = comparison(three_seeds(dust), three_seeds())
    assert found.cells == {"same numbers": 9} and set(verdicts(found.rows).values()) == {"same"}


def test_other_numbers_of_the_same_weights_are_told_from_another_training(comparison):
    here, there = [of("scratch", 30.0, weights_sha256="w")], [of("scratch", 30.1, weights_sha256="w")]
    assert comparison(here, there).cells == {"same weights, other numbers": 1}


def test_a_row_that_moved_is_found_and_no_other(comparison):
    found = comparison(three_seeds(moved(SEEDS, (1.0, 1.01, 0.99))), three_seeds())
    assert verdicts(found.rows) == {"scratch": "same", "fitnet": "same", "slkd": "more than noise"}
    (move,) = [move for move in found.rows if move.verdict != "same"]
    assert move.difference.mean == pytest.approx(1.0) and move.basis == "3 seeds, paired"
    assert (move.there, move.here) == (pytest.approx(31.2), pytest.approx(32.2))
    assert found.cells == {"same bits": 6, "other numbers": 3} and not found.is_quiet
    line = "deraining: rain_light, slkd, PSNR: 31.20 there, 32.20 here, +1 ± 0.025 (3 seeds, paired)"
    assert any(f"{line}: moved, more than noise, better" in text for text in lines(found))


def test_what_another_seed_would_give_is_noise(comparison):
    found = comparison(three_seeds(moved(SEEDS, (0.2, -0.1, 0.3))), three_seeds())
    assert verdicts(found.rows)["slkd"] == "within noise" and found.is_quiet
    assert not any(text.startswith("moved: ") for text in lines(found))
    (table,) = [table for table in tables(found) if table.title == "What moved"]
    assert [row[0] for row in table.rows] == ["nafnet, deraining: rain_light, slkd"]


def test_more_is_worse_where_less_is_better(comparison):
    both = {"signatures": {"piqe": "piqe|v1", "psnr_db": "p"}, "input_metrics": {"piqe": 50.0}}
    here, there = ([of("slkd", 0, s, metrics={"piqe": p + s}, **both) for s in range(3)] for p in (41.0, 40.0))
    (table,) = [table for table in tables(comparison(here, there)) if table.title == "What moved"]
    assert table.rows[0][1:3] == ("PIQE", "41.0000") and table.rows[0][-1] == "moved, more than noise, worse"


def test_the_verdict_is_corrected_for_how_many_rows_were_tested():
    one = Scores(NOWHERE, "psnr_db", {0: 30.8, 1: 31.0, 2: 31.2}, {0: 30.0, 1: 30.0, 2: 30.0}, is_paired=True)
    noise = one._replace(here={0: 30.1, 1: 29.8, 2: 30.2})
    alone, beside = judged([one], _no_images), judged([one, *[noise] * 4], _no_images)
    assert alone[0].difference == beside[0].difference and 0.025 / 5 < alone[0].difference.p_value < 0.025
    assert (alone[0].verdict, beside[0].verdict) == ("more than noise", "within noise")


def test_rows_that_are_the_same_are_no_tests():
    one = Scores(NOWHERE, "psnr_db", {0: 30.8, 1: 31.0, 2: 31.2}, {0: 30.0, 1: 30.0, 2: 30.0}, is_paired=True)
    found = judged([one, *[one._replace(here=one.there)] * 9], _no_images)
    assert [move.verdict for move in found] == ["more than noise", *["same"] * 9]


def test_false_alarms_are_as_rare_as_they_are_said_to_be():
    rng = np.random.default_rng(0)
    num_trees, num_rows, num_seeds = 200, 12, 3
    alarms, alone = 0, 0
    for _ in range(num_trees):
        common = rng.normal(0, 0.05, num_seeds)  # rows of one seed see the same batches
        differences = common + rng.normal(0, 0.03, (num_rows, num_seeds))
        rows = [_row(differences[i], f"m{i}") for i in range(num_rows)]
        found = judged(rows, _no_images)
        alarms += any(move.verdict == "more than noise" for move in found)
        alone += any(move.difference.p_value < 0.05 for move in found)
    assert alarms <= 0.05 * num_trees < alone


def test_the_mean_shows_what_moves_all_students_and_no_row_is_sure_of(comparison):
    rng = np.random.default_rng(1)
    there = {f"m{i:02}": tuple(30 + rng.normal(0, 0.3, 3)) for i in range(20)}
    here = {method: tuple(np.array(row) + 0.3 + rng.normal(0, 0.05, 3)) for method, row in there.items()}
    teacher = [record("scratch", psnr=34.0, role="removal")]
    found = comparison([*three_seeds(here), *teacher], [*three_seeds(there), *teacher])
    (mean,) = found.means
    assert mean.place.label == "mean of 20 students" and mean.verdict == "more than noise"
    assert mean.difference.mean == pytest.approx(np.mean([np.subtract(here[m], there[m]) for m in here]))
    assert [*verdicts(found.rows).values()].count("more than noise") < 10


def test_the_mean_of_students_has_no_teacher(comparison):
    here, there = ([of("slkd", psnr), of("at", 30.0), of("scratch", 34.0, role="removal")] for psnr in (31.0, 30.0))
    (mean,) = comparison(here, there).means
    assert (mean.place.label, mean.there, mean.here) == ("mean of 2 students", 30.0, 30.5)


def test_of_one_seed_the_noise_is_unknown(comparison, tmp_path):
    found = comparison([of("slkd", 31.0)], [of("slkd", 30.0)])
    assert verdicts(found.rows) == {"slkd": "noise unknown"} and not found.is_quiet
    assert found.rows[0].basis == "1 seed" and found.rows[0].difference.half_width is None
    for side, shift in (("here", 1.0), ("there", 0.0)):
        (path,) = (tmp_path / side / "cells").rglob("*.json")
        values = [30.0 + shift * (1 + 0.1 * (k % 2 - 0.5)) for k in range(10)]
        write_per_image(path.with_suffix(".csv"), "abcdefghij", {"psnr_db": values}, {"psnr_db": "p"})
    (move,) = compare(tmp_path / "here", tmp_path / "there").rows
    assert move.basis == "1 seed, 10 images" and move.verdict == "noise unknown"
    assert move.difference.mean == pytest.approx(1.0) and 0 < move.difference.half_width < 0.1


@pytest.mark.parametrize(("num_images", "num_moved"), [(10, 1), (3, 3)])
def test_where_a_few_images_moved_there_is_no_interval_over_images(comparison, tmp_path, num_images, num_moved):
    shift = num_moved / num_images
    comparison([of("slkd", 30.0 + shift)], [of("slkd", 30.0)])
    for side, moved_by in (("here", 1.0), ("there", 0.0)):
        (path,) = (tmp_path / side / "cells").rglob("*.json")
        values = [30.0 + moved_by * (k < num_moved) for k in range(num_images)]
        write_per_image(path.with_suffix(".csv"), "abcdefghij"[:num_images], {"psnr_db": values}, {"psnr_db": "p"})
    (move,) = compare(tmp_path / "here", tmp_path / "there").rows
    assert move.difference.mean == pytest.approx(shift) and move.difference.half_width is None
    assert move.basis == f"1 seed, too few of {num_images} images moved for an interval"


def test_images_of_some_seeds_alone_give_no_interval(comparison, tmp_path):
    comparison([of("slkd", 31.0)], [of("slkd", 30.0, seed) for seed in (1, 2)])
    for path in tmp_path.rglob("*.json"):
        values = [31.0 if "here" in path.parts else 30.0] * 10
        write_per_image(path.with_suffix(".csv"), "abcdefghij", {"psnr_db": values}, {"psnr_db": "p"})
    assert compare(tmp_path / "here", tmp_path / "there").rows[0].basis == "1 seed, 10 images"
    next((tmp_path / "there").rglob("*.csv")).unlink()
    assert compare(tmp_path / "here", tmp_path / "there").rows[0].basis == "1 seed"


def test_values_per_image_of_other_scores_give_no_interval(comparison, tmp_path):
    comparison([of("slkd", 31.0)], [of("slkd", 30.0)])
    for path in tmp_path.rglob("*.json"):
        write_per_image(path.with_suffix(".csv"), "abcdefghij", {"psnr_db": [30.0] * 10}, {"psnr_db": "p"})
    (move,) = compare(tmp_path / "here", tmp_path / "there").rows
    assert move.difference.mean == 1.0 and move.difference.half_width is None
    assert move.basis == "1 seed, whose values per image are of other scores"


@pytest.mark.parametrize("other", [{"initial_sha256": "b"}, {"config": {"training_data": "other"}}])
def test_seeds_that_began_otherwise_are_not_paired(comparison, other):
    given = {"config": {"training_data": "images"}} if "config" in other else {}
    here, there = three_seeds(moved(SEEDS, (1.0, 1.01, 0.99)), **given), three_seeds(**other)
    (move,) = [move for move in comparison(here, there).rows if move.place.label == "slkd"]
    assert move.basis == "3 and 3 seeds"
    ours = [record.metrics["psnr_db"] for record in here if record.method == "slkd"]
    assert move.difference.p_value == pytest.approx(stats.ttest_ind(ours, SEEDS["slkd"], equal_var=False).pvalue)


def test_other_seeds_are_not_paired_and_of_more_seeds_the_common_ones_are(comparison):
    here = [of("slkd", 31 + seed / 9, seed) for seed in (0, 1, 2)]
    others = [of("slkd", 31 + seed / 40, seed) for seed in (3, 4, 5, 6)]
    found = comparison(here, others)
    assert found.rows[0].basis == "3 and 4 seeds" and not found.cells and found.is_quiet
    found = comparison(here, [*others, *(of("slkd", 30.0, seed) for seed in (1, 2))])
    assert found.rows[0].basis == "2 seeds, paired" and found.rows[0].there == 30.0
    assert {side: seeds for (side, _), seeds in found.lone.items()} == {"here": [0], "there": [3, 4, 5, 6]}


@pytest.mark.parametrize(
    ("other", "reason"),
    [
        ({"signature": "psnr:rgb|v1"}, r"computed in different ways (`psnr:y|v1` here, `psnr:rgb|v1` there)"),
        ({"config": {"test_data": "others"}}, "scored on different images"),
        ({"metrics": {}, "input_metrics": {}}, "which not all records have there"),
        ({"status": "skipped", "reason": "no levels", "metrics": {}, "input_metrics": {}}, "skipped there"),
    ],
)
def test_what_cannot_be_compared_is_named_and_not_compared(comparison, other, reason):
    elsewhere = of("scratch", 30.0, test_set="rain_heavy")
    here = [of("slkd", 31.0, config={"test_data": "images"}), elsewhere]
    found = comparison(here, [of("slkd", 32.0, **other), elsewhere])
    assert verdicts(found.rows) == {"scratch": "same"} and not found.is_quiet
    (text,) = found.unlike
    assert text.startswith("nafnet, deraining: rain_light") and reason in text and text.endswith(": `slkd`")
    assert any(text in line for line in lines(found)) and any(text in note for note in tables(found)[0].notes)


def test_what_was_made_differently_is_named_with_both_values(comparison):
    def made(steps, losses, torch):
        provenance = {"packages": {"torch": torch, "numpy": "2"}, "processor": "one"}
        run = {"seconds": 1.0, "peak_memory_mb": 1.0, "started_at": "", "provenance": provenance}
        code = {"bench.losses": losses, "bench.train": "0" * 12}
        config = {"training": {"steps": steps, "crop_size": 64}, "code": code, "signatures": {"psnr_db": losses}}
        return [*three_seeds(config=config, run=run), of("at", 30.0, micro_batches=steps - 149)]

    changes = comparison(made(160, "1" * 12, "2.1"), made(150, "2" * 12, "2.0")).changes
    assert list(changes.items()) == [
        ("code.bench.losses", 9),
        ("packages.torch: 2.0 there, 2.1 here", 9),
        ("training.steps: 150 there, 160 here", 9),
        ("micro_batches: 1 there, 11 here", 1),
    ]


def test_what_one_side_does_not_tell_is_one_change(comparison):
    here = [of("slkd", 31.0, config={"code": {"a": "1" * 12, "b": "2" * 12}})]
    assert comparison(here, [of("slkd", 31.0)]).changes == {"code: not told there, told here": 1}


def test_rows_of_one_side_are_named(comparison):
    here = [*three_seeds(), of("at", 30.0, network="restormer")]
    found = comparison(here, [item for item in three_seeds() if item.method != "slkd" or item.seed])
    assert {(side, place.network, place.label): seeds for (side, place), seeds in found.lone.items()} == {
        ("here", "nafnet", "slkd"): [0],
        ("here", "restormer", "at"): [0],
    }


def test_folders_without_anything_in_common_are_not_quiet(comparison):
    found = comparison([of("slkd", 31.0)], [of("slkd", 31.0, network="restormer")])
    assert len(found.lone) == 2 and not found.rows and not found.is_quiet


def test_an_unfair_family_is_named_and_has_no_conclusions(comparison):
    trained = {"code": {}, "training": {"steps": 160}}
    unfair = [item.model_copy(update={"steps": 200 + item.seed}) for item in three_seeds(SEEDS, config=trained)[-3:]]
    here = [*three_seeds(SEEDS, config=trained)[:-3], *unfair]
    found = comparison(here, three_seeds({"scratch": SEEDS["slkd"], "slkd": SEEDS["scratch"]}))
    (text,) = found.unlike
    assert "conclusions on nafnet in" in text and "slkd was trained for 200 steps" in text and "(and 2 more)" in text
    assert verdicts(found.rows).keys() == {"scratch", "slkd"} and not found.turned


def test_a_folder_that_mixes_signatures_is_named_and_not_ranked(comparison):
    mixed = [*three_seeds(), of("at", 30.0, signature="psnr:rgb|v1")]
    found = comparison(mixed, three_seeds())
    assert "psnr_db on rain_light was computed in different ways" in found.unlike[0] and not found.turned


def test_an_order_that_turned_round_is_named(comparison):
    found = comparison(three_seeds(), three_seeds({"scratch": SEEDS["slkd"], "slkd": SEEDS["scratch"]}))
    (turn,) = found.turned
    assert (turn.first, turn.second, turn.there, turn.here) == ("slkd", "scratch", -1, 1) and turn.is_reversed
    assert any("`slkd` and `scratch`, below there, above here" in text for text in lines(found))


def test_a_pair_without_scratch_is_named_where_it_turned_round_and_is_an_alarm(comparison):
    other = SEEDS | {"fitnet": SEEDS["slkd"], "slkd": SEEDS["fitnet"]}
    found = comparison(three_seeds(), three_seeds(other))
    (turn,) = found.turned
    assert (turn.first, turn.second, turn.there, turn.here) == ("fitnet", "slkd", 1, -1)
    still = comparison(three_seeds(), three_seeds())
    assert still.is_quiet and not replace(still, turned=found.turned).is_quiet


def test_a_gain_that_is_no_longer_sure_is_named_and_alone_no_alarm(comparison):
    noisy = SEEDS | {"slkd": (30.5, 31.9, 30.6)}
    found = comparison(three_seeds(noisy), three_seeds())
    assert [(turn.first, turn.second, turn.there, turn.here) for turn in found.turned] == [("slkd", "scratch", 1, 0)]
    assert found.is_quiet


def test_a_folder_without_records_is_named(comparison, tmp_path):
    write_record(tmp_path / "full" / "cells" / "a.json", of("slkd", 31.0))
    for sides in ((tmp_path / "full", tmp_path / "none"), (tmp_path / "none", tmp_path / "full")):
        with pytest.raises(ValueError, match=r"none: expected records of scored cells .* give a results folder"):
            compare(*sides)


def test_a_damaged_record_is_named(tmp_path):
    write_record(tmp_path / "cells" / "a.json", of("slkd", 31.0))
    (tmp_path / "cells" / "b.json").write_text("{")
    with pytest.raises(ValueError, match=r"b\.json"):
        compare(tmp_path, tmp_path)


def test_two_records_of_one_cell_are_refused(tmp_path):
    for name in ("a", "b"):
        write_record(tmp_path / "cells" / f"{name}.json", of("slkd", 31.0))
    with pytest.raises(ValueError, match=r"b\.json: expected one record of a cell, but .*a\.json"):
        compare(tmp_path, tmp_path)


def test_tables_can_be_printed(comparison):
    other = three_seeds(moved(SEEDS, (1.0, 1.01, 0.99)), config={"training": {"steps": 4}})
    found = comparison([*three_seeds(), of("at", 30.0)], [*other, of("at", 31.0), of("rkd", 30.0)])
    titles = [table.title for table in tables(found)]
    assert titles[1:] == [
        "What moved in the mean",
        "What moved",
        "What was made differently",
        "What one side alone has",
    ]
    for table in tables(found):
        assert {len(row) for row in table.rows} == {len(table.header)} and table.markdown() and table.latex()
    kept = [note for table in tables(found)[1:3] for note in table.notes]
    assert any("Holm's correction for all 1 tests" in note for note in kept) and any(
        "one seed" in note for note in kept
    )


def test_the_unpaired_test_is_welchs():
    first, second = [30.0, 30.4, 30.1, 30.9], [31.0, 31.1, 31.3]
    found, known = unpaired_difference(first, second), stats.ttest_ind(first, second, equal_var=False)
    assert found.p_value == pytest.approx(known.pvalue)
    low, high = known.confidence_interval(0.95)
    assert (found.mean - found.half_width, found.mean + found.half_width) == (pytest.approx(low), pytest.approx(high))
    assert unpaired_difference([30.0, 30.0], [30.0, 30.0]).p_value == 1
    assert unpaired_difference([31.0, 31.0], [30.0, 30.0]).p_value == 0


def _no_images(_):
    return None


def _row(differences, label):
    there = dict.fromkeys(range(len(differences)), 30.0)
    here = {seed: 30.0 + value for seed, value in enumerate(differences)}
    return Scores(NOWHERE._replace(label=label), "psnr_db", here, there, is_paired=True)
