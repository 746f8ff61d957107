from pathlib import Path

import pytest

from bench import weight_search
from bench.config import load_params
from bench.distiller import METHODS
from bench.record import write_record
from slkd.ablations import ABLATIONS
from tests.harness.test_tables import record


@pytest.fixture
def write_run(tmp_path):
    """Writes a run of the search: PSNR by method and task."""

    def write(run, scores, test_set="{}_validation"):
        for (method, task), psnr in scores.items():
            path = tmp_path / run / "cells" / task / "nafnet" / "seed3" / method / "held_out.json"
            write_record(path, record(method, psnr, seed=3, task=task, test_set=test_set.format(task)))
        return tmp_path

    return write


TASKS = ("deraining", "denoising")


def scores(**by_method):
    alone = {("scratch", task): 20.0 for task in TASKS}
    return alone | {
        (method, task): psnr for method, both in by_method.items() for task, psnr in zip(TASKS, both, strict=True)
    }


def test_the_run_with_the_highest_mean_gain_is_chosen(write_run):
    write_run("x0.1", scores(slkd=(21.0, 20.0), fitnet=(20.1, 20.1)))
    write_run("x1", scores(slkd=(20.4, 20.4), fitnet=(20.2, 20.2)))
    search = write_run("x10", scores(slkd=(19.0, 20.0), fitnet=(15.0, 15.0)))
    chosen = weight_search.choice(search)
    assert [chosen[method].metrics["psnr_db"] for method in ("slkd", "fitnet")] == [20.0, 20.2]  # on denoising
    table = weight_search.search_table(search)
    assert table.header == ("method", "x0.1", "x1", "x10")
    assert {row[0]: row[1:] for row in table.rows}["slkd"] == ("**+0.50**", "+0.40", "-0.50")


def test_what_was_scored_on_test_images_is_refused(write_run):
    search = write_run("x1", scores(slkd=(21.0, 20.0)), test_set="rain_light")
    with pytest.raises(ValueError, match=r"x1: scored on rain_light; a search sees validation images alone"):
        weight_search.choice(search)


def test_a_folder_that_is_no_factor_is_named(write_run):
    with pytest.raises(ValueError, match=r"longer: expected a folder called after the factor"):
        weight_search.choice(write_run("longer", scores(slkd=(21.0, 20.0))))


@pytest.mark.parametrize("grid", ["params.yaml", "configs/real.yaml"])
def test_the_grids_use_the_weights_that_were_chosen(grid):
    params = load_params(Path(grid))
    settings = {m: METHODS[m].Config(**params.method_configs.get(m, {})).model_dump() for m in params.methods}
    searched = {m: r.config["method_config"] for m, r in weight_search.choice(Path("results/search_weights")).items()}
    tuned = {method for method in settings if method in searched}
    assert tuned >= {"slkd", "output_kd", "fitnet", "fakd", "dckd", "skd"}
    for method in tuned:
        assert settings[method] | {"restoration_loss": searched[method]["restoration_loss"]} == searched[method], method
    for method in settings.keys() & ABLATIONS.keys():
        assert settings[method] == settings["slkd"] | ABLATIONS[method].switch, method
