from pathlib import Path

import pandas as pd
import pytest

from bench import readme, tables
from bench import table as table_parts
from bench.config import digest
from bench.family import Family
from bench.metrics.protocol import PROTOCOLS
from bench.record import CellRecord, NetworkRecord, write_record


def record(method="scratch", psnr=30.0, seed=0, role="student", signature="psnr:y|v1", **changes):
    values = {
        "task": "deraining", "network": "nafnet", "size": "micro" if role == "student" else "mini", "method": method,
        "role": role, "seed": seed, "test_set": "rain_light", "status": "ok", "protocol": "derain_y",
        "signatures": {"psnr_db": signature}, "metrics": {"psnr_db": psnr}, "input_metrics": {"psnr_db": 27.0},
        "num_images": 2, "steps": 3, "config": {}, "config_sha256": digest(changes.get("config", {})),
        "run": {"seconds": 1.0, "peak_memory_mb": 1.0, "started_at": "2026-01-01T00:00:00+00:00", "provenance": {}},
    }  # fmt: skip
    return CellRecord.model_validate(values | changes)


COSTS = [
    NetworkRecord(network="nafnet", size=size, params_m=p, macs_g=m, macs_complete_g=m, input_size=256)
    for size, p, m in (("mini", 1.0, 10.0), ("micro", 0.1, 1.5))
]


def family(records):
    return Family("nafnet", {Path(f"{number}.json"): record for number, record in enumerate(records)}, COSTS)


def rows(table):
    return {row[0]: row[1:] for row in table.rows}


def test_best_and_second_are_marked_among_students_only():
    records = [record("scratch", 30.0), record("slkd", 29.0), record("fitnet", 31.0), record(psnr=40.0, role="removal")]
    table = rows(tables.result_table(family(records)))
    assert table["fitnet"][-1] == "**31.00**"
    assert table["scratch"][-1] == "<u>30.00</u>"
    assert table["slkd"][-1] == "29.00"  # a loss is printed as it is
    assert table["removal teacher"][-1] == "40.00"
    assert table["degraded input"][-1] == "27.00"


def test_students_of_another_length_are_named_and_not_ranked():
    records = [record("scratch", 30.0), record("fitnet", 31.0), record("scratch_long", 33.0, steps=9)]
    other = [record(name, 30.0, task="haze", test_set="haze", steps=5) for name in ("scratch", "fitnet")]
    table = tables.result_table(family([*records, *other]))
    assert rows(table)["scratch_long"][2] == "33.00" and rows(table)["fitnet"][2] == "**31.00**"
    note = "Students: 3/5 steps, `scratch_long` 9, seeds: 1"
    assert any(text.startswith(note) and "among students of equal steps" in text for text in table.notes)


def test_whose_perceptual_features_were_compared_is_said():
    features = [{"perceptual": {"features": name, "sha256": "0"}} for name in ("removal teacher", "VGG19")]
    records = [record("csd", config=features[0]), record("dckd", config=features[0]), record("skd", config=features[1])]
    notes = tables.result_table(family([record(), *records])).notes
    assert "Perceptual features of `csd`, `dckd`: the removal teacher's encoder." in notes
    assert "Perceptual features of `skd`: VGG19." in notes


def test_seeds_become_mean_and_deviation():
    records = [record("scratch", value, seed) for seed, value in enumerate((30.0, 31.0, 32.0))] + [record("slkd", 40.0)]
    assert rows(tables.result_table(family(records)))["scratch"][-1] == "<u>31.00 ± 1.00</u>"


def test_reductions_come_from_the_cost_records():
    table = tables.result_table(family([record(), record(role="removal")]))
    assert any("90.0% fewer parameters and 85.0% fewer MACs" in note for note in table.notes)
    assert rows(table)["scratch"][:2] == ("0.100", "1.500")


def test_one_seed_is_said_to_rank_nothing():
    assert any("rank nothing" in note for note in tables.result_table(family([record()])).notes)


def test_signatures_are_not_mixed():
    with pytest.raises(ValueError, match="computed in different ways"):
        tables.result_table(family([record("scratch"), record("slkd", signature="psnr:rgb|v1")]))


def test_two_tasks_may_share_a_test_set():
    records = [
        record(method, psnr, task=f"denoising_sigma{sigma}", test_set="cbsd68")
        for sigma, scores in ((25, (31.0, 30.0)), (50, (27.0, 28.0)))
        for method, psnr in zip(("scratch", "slkd"), scores, strict=True)
    ]
    table = tables.result_table(family(records))
    assert [title.split(",")[0] for title in table.header[3:]] == [
        "denoising_sigma25: cbsd68",
        "denoising_sigma50: cbsd68",
    ]
    assert rows(table)["scratch"][2:] == ("**31.00**", "<u>27.00</u>")


def test_where_less_is_better_the_least_is_marked():
    def of(method, psnr, piqe):
        both = {"signatures": {"psnr_db": "psnr:y|v1", "piqe": "piqe:grey|v1"}}
        return record(method, metrics={"psnr_db": psnr, "piqe": piqe}, **both)

    table = tables.result_table(family([of("scratch", 30.0, 40.0), of("slkd", 31.0, 50.0)]))
    assert rows(table)["scratch"][-1] == "<u>30.00</u> / **40.0000**"


def test_titles_and_directions_are_those_of_the_metrics():
    for protocol in PROTOCOLS.values():
        for key in protocol.metrics:
            assert key in table_parts.METRIC_TITLES
            assert (key in table_parts.LOWER_IS_BETTER) == protocol.metric(key).is_lower_better


def test_a_metric_that_could_not_be_computed_is_named():
    table = tables.result_table(family([record(unavailable={"niqe": "there is no weights/niqe.npz"})]))
    assert "NIQE on rain_light was not computed: there is no weights/niqe.npz" in table.notes


def test_latex_is_escaped_and_balanced():
    text = tables.result_table(family([record("output_kd", 31.0), record("scratch")])).latex()
    assert r"output\_kd" in text and r"\textbf{31.00}" in text and r"\underline{30.00}" in text
    body = "\n".join(line for line in text.splitlines() if not line.startswith("%"))
    assert body.count("{") == body.count("}") and "**" not in body and "<u>" not in body


def test_files_are_a_function_of_records(tmp_path):
    for item in (record("scratch", 30.0), record("slkd", 31.0)):
        write_record(tmp_path / "cells" / item.method / "rain_light.json", item)
    files = tables.render(tmp_path)
    assert files == tables.render(tmp_path)
    assert {path.suffix for path in files} == {".md", ".tex", ".csv"}
    tables.write(files)
    values = pd.read_csv(tmp_path / "tables" / "nafnet.csv")
    assert set(values.row) == {"degraded input", "scratch", "slkd"}


def unfair_results(folder):
    trained = {"code": {}, "training": {"steps": 160}}
    for network in ("nafnet", "restormer"):
        for method, steps in (("scratch", 160), ("output_kd", 160), ("slkd", 200)):
            steps = steps if network == "nafnet" else 160
            item = record(method, network=network, steps=steps, config=trained)
            write_record(folder / "cells" / network / method / "rain_light.json", item)


def test_the_table_of_an_unfair_family_is_refused_and_no_other(tmp_path):
    unfair_results(tmp_path)
    files = tables.render(tmp_path)
    found = "slkd was trained for 200 steps, scratch was trained for 160 steps"
    reason = f"deraining/nafnet/seed0: {found}; run the cohort again"
    for path, text in files.items():
        assert (reason in text and "30.00" not in text) == path.name.startswith("nafnet")
    assert (
        files[tmp_path / "tables" / "nafnet.md"] == f"**nafnet: refused, the comparison is not fair**\n\n- {reason}\n"
    )
    assert all(line.startswith("% ") for line in files[tmp_path / "tables" / "nafnet_ranking.tex"].splitlines())


def test_the_reasons_of_a_refusal_are_read_off_the_files(tmp_path):
    unfair_results(tmp_path)
    files = tables.render(tmp_path)
    assert [reason.partition(" ")[0] for reason in tables.refused(files)] == ["deraining/nafnet/seed0:"]
    assert tables.refused({path: text for path, text in files.items() if "restormer" in path.name}) == []


def test_no_file_of_a_refused_family_is_left_from_before(tmp_path):
    unfair_results(tmp_path)
    names = {path.name for path in tables.render(tmp_path)}
    fair = {name.replace("restormer", "nafnet") for name in names if name.startswith("restormer")}
    assert fair <= names


def test_batches_in_parts_are_noted():
    notes = tables.result_table(family([record(), record("slkd", micro_batches=4)])).notes
    assert "`slkd`: batches were taken in 4 parts, because they had not fitted into memory." in notes


def test_generated_blocks_are_filled_from_records(tmp_path):
    write_record(tmp_path / "results" / "quick" / "cells" / "a.json", record())
    (tmp_path / "README.md").write_text("before\n<!-- begin: results results/quick -->\nstale\n<!-- end -->\nafter\n")
    text = readme.render(tmp_path)[tmp_path / "README.md"]
    assert text.startswith("before\n<!-- begin") and text.endswith("<!-- end -->\nafter\n")
    assert "30.00" in text and "stale" not in text
    (tmp_path / "README.md").write_text(text)
    assert readme.render(tmp_path)[tmp_path / "README.md"] == text


def test_an_unknown_block_is_named(tmp_path):
    (tmp_path / "README.md").write_text("<!-- begin: nothing -->\n<!-- end -->\n")
    with pytest.raises(ValueError, match="nothing"):
        readme.render(tmp_path)


def test_a_block_of_scores_does_not_hide_a_second_student(tmp_path):
    (tmp_path / "README.md").write_text("<!-- begin: scores runs -->\n<!-- end -->\n")
    for method in ("scratch", "slkd"):
        write_record(tmp_path / "runs" / "first" / "cells" / f"{method}.json", record(method))
    with pytest.raises(ValueError, match="several students"):
        readme.render(tmp_path)
