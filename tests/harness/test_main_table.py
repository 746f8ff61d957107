from pathlib import Path

from bench.family import Family
from bench.main_table import ablation_table, main_tables
from tests.harness.test_tables import COSTS, record

LEADS = {"scratch": 0.0, "fitnet": 0.5, "slkd": 1.0, "slkd_kl": 2.0}


def grid():
    """Records of two test sets and three seeds, an ablation and a control among them."""
    both = {
        "signatures": {"psnr_db": "psnr:y|v1", "gmsd": "gmsd:rgb|v1"},
        "input_metrics": {"psnr_db": 27.0, "gmsd": 0.2},
    }
    for test_set, level in {"rain_light": 30.0, "rain_heavy": 24.0}.items():
        of_set = both | {"test_set": test_set}
        for seed in range(3):
            for method, lead in LEADS.items():
                scores = {"psnr_db": level + lead + 0.1 * seed + 0.01 * seed * len(method), "gmsd": 0.1}
                yield record(method, seed=seed, metrics=scores, **of_set)
            yield record("slkd", seed=seed, teacher="oracle", metrics={"psnr_db": level + 3, "gmsd": 0.1}, **of_set)
        for role in ("removal", "reconstruction"):
            yield record(role=role, metrics={"psnr_db": level + 4, "gmsd": 0.1}, **of_set)


def family():
    return Family("nafnet", {Path(f"{number}.json"): record for number, record in enumerate(grid())}, COSTS)


def tables():
    return main_tables(family(), ("scratch", "fitnet", "slkd"))


def test_controls_ablations_and_other_metrics_are_left_out():
    scores, _ = tables()
    assert [row[0] for row in scores.rows] == ["degraded input", "removal teacher", "scratch", "fitnet", "slkd"]
    assert not any("GMSD" in title for title in scores.header) and not any("GMSD" in note for note in scores.notes)


def test_marks_and_corrections_are_among_the_rows_that_are_shown():
    scores, ranking = tables()
    rows = {row[0]: row[1:] for row in scores.rows}
    assert rows["slkd"][-1].startswith("**") and rows["fitnet"][-1].startswith("<u>")
    assert [row[0] for row in ranking.rows] == ["slkd", "fitnet", "scratch"]
    assert ranking.title == "nafnet: ranking on the mean of the test sets" and "all 3 pairs" in ranking.notes[0]


def test_the_parts_of_a_method_are_shown_with_its_control_and_without_other_methods():
    table = ablation_table(family(), "slkd")
    assert [row[0] for row in table.rows] == ["slkd", "slkd@oracle", "slkd_kl"]
    assert table.title == "nafnet: what slkd and its parts gain in PSNR (dB)" and table.rows[0][-1].startswith(
        "+0.97 ± "
    )
    assert ablation_table(family(), "csd") is None
