"""How long the tables of a large grid take, from its records and values per image."""

import itertools
import json
import time

import numpy as np
import pytest

from bench import stamps, tables
from tests.harness.test_tables import record

TASKS, NETWORKS, NUM_METHODS, NUM_SEEDS, NUM_SETS, NUM_IMAGES = 4, ("nafnet", "restormer"), 25, 10, 5, 100
METRICS = {"psnr_db": "psnr:rgb|v1", "ssim": "ssim:rgb|v1"}
SECONDS = 5.0
REMEMBERED_SHARE = 0.2


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """10,000 records of students, each with its values per image, and those of the teachers."""
    root = tmp_path_factory.mktemp("results")
    rng = np.random.default_rng(0)
    methods = ["scratch", *(f"method{k}" for k in range(NUM_METHODS - 1))]
    students = itertools.product(methods, ["student"], range(NUM_SEEDS))
    cells = [*students, ("scratch", "removal", 0)]
    about = {"signatures": METRICS, "config": {"training": {"batch_size": 8}, "threads": 1}, "num_images": NUM_IMAGES}
    names = [f"image{k}.png" for k in range(NUM_IMAGES)]
    for task, network, (method, role, seed), k in itertools.product(range(TASKS), NETWORKS, cells, range(NUM_SETS)):
        values = {metric: rng.normal(30 + methods.index(method) / 50, 1, NUM_IMAGES).tolist() for metric in METRICS}
        means = {metric: float(np.mean(images)) for metric, images in values.items()}
        place = {
            "task": f"task{task}",
            "network": network,
            "test_set": f"set{task}{k}",
            "metrics": means,
            "input_metrics": means,
        }
        item = record(method, seed=seed, role=role, **about, **place)
        path = root / "cells" / item.task / network / f"seed{seed}" / f"{role}_{method}" / f"{item.test_set}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(item.model_dump(mode="json"), indent=2))
        rows = zip(names, *(map(repr, images) for images in values.values()), strict=True)
        lines = ["# psnr_db: psnr:rgb|v1", ",".join(["image", *values]), *map(",".join, rows), ""]
        path.with_suffix(".csv").write_text("\n".join(lines))  # without waiting for the disk as write_per_image does
    return root


@pytest.mark.benchmark(group="ratios")
def test_tables_of_ten_thousand_records(benchmark, ratios, results):
    files = benchmark.pedantic(tables.render, (results,), rounds=2, warmup_rounds=1)
    assert {path.name for path in files} >= {"nafnet_ranking.md", "restormer_effects.tex", "restormer.csv"}
    ratios("seconds for the tables of 10,000 records", benchmark.stats.stats.min, SECONDS)


@pytest.mark.benchmark(group="ratios")
def test_tables_that_were_rendered_before(benchmark, ratios, results, monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(stamps, "SMALL", 0)
    started = time.monotonic()
    files = tables.render(results)
    first = time.monotonic() - started
    assert benchmark.pedantic(tables.render, (results,), rounds=3) == files
    ratios(
        "tables of unchanged records again / for the first time", benchmark.stats.stats.min / first, REMEMBERED_SHARE
    )
