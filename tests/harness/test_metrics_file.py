"""What DVC shows of a results folder, from records alone."""

import csv
import io
import json
from pathlib import Path

import pytest
import yaml

from bench.metrics_file import render
from bench.record import write_record
from bench.values import write_history
from tests.harness.test_tables import record

SCORES = {"scratch": (30.0, 31.0), "slkd": (30.5, 31.7)}


def write(results, item, history=()):
    folder = results / "cells" / item.task / item.network / f"seed{item.seed}" / item.label
    write_record(folder / f"{item.test_set}.json", item)
    if history:
        write_history(folder / "terms.csv", history)


@pytest.fixture
def results(tmp_path):
    for method, scores in SCORES.items():
        for seed, psnr in enumerate(scores):
            terms = {"restoration": 0.1 + seed, "kl": 0.2} if method == "slkd" else {"restoration": 0.1}
            history = [{"step": step, **terms, "kl_unweighted": 9.0} for step in (1, 3)]
            write(tmp_path, record(method, psnr, seed, terms=terms), history)
    return tmp_path


def rows(text):
    return list(csv.DictReader(io.StringIO(text)))


def test_means_over_the_seeds_are_called_as_in_the_tables(results):
    write(results, record(psnr=40.0, role="removal"))
    found = json.loads(render(results)[results / "metrics.json"])["deraining"]["nafnet"]["rain_light"]
    assert found["slkd"] == {"PSNR": 31.1} and found["scratch"] == {"PSNR": 30.5}
    assert found["removal teacher"] == {"PSNR": 40.0} and found["degraded input"] == {"PSNR": 27.0}


def test_gains_are_paired_and_have_an_interval(results):
    (gain,) = rows(render(results)[results / "plots" / "gains.csv"])
    assert (gain["network"], gain["test_set"], gain["method"]) == ("nafnet", "deraining: rain_light", "slkd")
    assert float(gain["low"]) < float(gain["gain"]) == 0.6 < float(gain["high"])


def test_one_seed_has_no_interval(tmp_path):
    write(tmp_path, record("scratch", 30.0))
    write(tmp_path, record("slkd", 29.0))
    (gain,) = rows(render(tmp_path)[tmp_path / "plots" / "gains.csv"])
    assert (gain["gain"], gain["low"], gain["high"]) == ("-1.0000", "", "")


def test_loss_terms_are_means_over_the_seeds_and_what_is_only_measured_is_left_out(results):
    terms = rows(render(results)[results / "plots" / "terms" / "deraining_nafnet.csv"])
    values = {(row["method"], row["term"], row["step"]): float(row["value"]) for row in terms}
    assert values == {
        ("scratch", "restoration", "1"): 0.1, ("scratch", "restoration", "3"): 0.1,
        ("slkd", "restoration", "1"): 0.6, ("slkd", "restoration", "3"): 0.6,
        ("slkd", "kl", "1"): 0.2, ("slkd", "kl", "3"): 0.2,
    }  # fmt: skip


def test_a_family_that_cannot_be_compared_is_in_none_of_the_files(results):
    write(results, record("slkd", 33.0, config={"code": {}, "training": {"batch_size": 8}}))
    write(results, record("scratch", 33.0, config={"code": {}, "training": {"batch_size": 4}}))
    files = render(results)
    assert json.loads(files[results / "metrics.json"]) == {}
    assert set(files) == {results / "metrics.json", results / "plots" / "gains.csv"}


def test_the_pipeline_names_the_columns_that_are_there(results):
    files = {path.relative_to(results): text for path, text in render(results).items()}
    plots = yaml.safe_load(Path("dvc.yaml").read_text())["plots"]
    for place, plot in ((place, plot) for item in plots for place, plot in item.items()):
        shown = [text for path, text in files.items() if Path("results") / path in _below(place, files)]
        assert shown and all({plot["x"], plot["y"]} <= set(rows(text)[0]) for text in shown)
        assert Path(".dvc/plots", f"{plot['template']}.json").exists()


def _below(place, files):
    return {Path("results") / path for path in files if (Path("results") / path).is_relative_to(place)}
