"""Where a number came from, and whether it comes again."""

import json
from dataclasses import replace

import pytest
from typer.testing import CliRunner

from bench import run
from bench.__main__ import app
from bench.cell import Cell, Filters
from bench.config import digest
from bench.record import find_records, read_cell, read_cells, write_record
from bench.verify import verify

SLKD = Cell("denoising", "nafnet", "slkd", 0)


@pytest.fixture(scope="module")
def place(tmp_path_factory, real_set):
    """The results of a grid of one method, made by the command line."""
    folder = tmp_path_factory.mktemp("verify") / "results"
    options = ["--profile", "smoke", "--task", "denoising", "--network", "nafnet", "--data-root", str(real_set)]
    options += ["--set", "threads=1", "--set", "networks=[nafnet]", "--method", "slkd", "--results", str(folder)]
    done = CliRunner().invoke(app, ["run", *options])
    assert done.exit_code == 0, done.output
    return folder


def bench(*arguments):
    return CliRunner().invoke(app, list(map(str, arguments)))


def test_a_record_tells_all_that_it_was_made_from(place):
    for record in read_cells(place):
        about = record.run.provenance
        assert len(about["commit"]) == 40 and about["is_dirty"] == bool(about["diff_sha256"])
        assert {"command", "packages", "processor", "num_cpus", "memory_gb", "python", "platform"} <= about.keys()
        assert (about["threads"], about["precision"], about["device"]) == (1, "float32", "cpu")
        assert len(record.weights_sha256) == len(record.initial_sha256) == 64
        assert {
            "training_data",
            "test_data",
            "code",
            "method_code",
            "scoring_code",
            "training",
            "seed",
        } <= record.config.keys()
    records = {record.role: record for record in read_cells(place) if record.teacher == "trained"}
    asked = {role: records[role].weights_sha256 for role in ("removal", "reconstruction")}
    assert records["student"].teacher_weights == asked


def test_explain_says_where_a_number_came_from_and_how_to_get_it_again(place, real_set):
    for name, options in ((find_records(SLKD.path, place)[0], ()), (SLKD.path, ("--results", place))):
        text = bench("explain", name, *options).output
        record = read_cell(find_records(SLKD.path, place)[0])
        assert record.run.provenance["commit"] in text and record.weights_sha256[:12] in text
        assert f"--data-root {real_set} --results {place} --set threads=1" in text
        assert "--task denoising --network nafnet --method slkd --seed 0 --teacher trained" in text
        assert "python -m bench verify" in text


def test_the_command_of_a_teacher_trains_teachers(place):
    (path,) = find_records("denoising/nafnet/teachers/removal", place)
    assert "python -m bench teach --profile smoke" in read_cell(path).run.provenance["reproduce"]


@pytest.mark.parametrize("arguments", [[], ["--teachers"]])
def test_a_cell_is_reproduced_to_the_bit(place, arguments):
    done = bench("verify", SLKD.path, "--results", place, *arguments)
    assert done.exit_code == 0, done.output
    assert "reproduced, every bit" in done.output


def test_a_number_that_does_not_come_again_is_named_with_both_values(place, tmp_path):
    path = find_records(SLKD.path, place)[0]
    record = read_cell(path)
    better = record.model_copy(update={"metrics": record.metrics | {"psnr_db": record.metrics["psnr_db"] + 0.05}})
    write_record(tmp_path / path.name, better)
    (tmp_path / path.name).with_suffix(".csv").write_text(path.with_suffix(".csv").read_text())
    done = bench("verify", tmp_path / path.name)
    assert done.exit_code == run.FAILED
    both = f"metrics.psnr_db: {better.metrics['psnr_db']} on record, {record.metrics['psnr_db']} now"
    assert "differs" in done.output and both in done.output


def test_other_code_other_images_and_another_machine_are_told(place, tmp_path):
    path = find_records(SLKD.path, place)[0]
    values = json.loads(path.read_text())
    values["config"]["code"]["bench.losses"] = "other"
    values["run"]["provenance"]["processor"] = "Another processor"
    values["run"]["provenance"]["packages"]["torch"] = "1.0"
    values["config_sha256"] = digest(values["config"])
    (tmp_path / path.name).write_text(json.dumps(values))
    text = bench("verify", tmp_path / path.name).output
    assert "config: the code of the training in bench.losses" in text
    assert "not as it was: processor: Another processor then" in text and "not as it was: torch: 1.0 then" in text


def test_a_cell_without_records_is_named(place):
    done = bench("verify", "denoising/nafnet/seed9/slkd", "--results", place)
    assert isinstance(done.exception, FileNotFoundError) and "seed9" in str(done.exception)


def test_a_reproduction_touches_nothing_of_the_results(place, make_params, workspace, tmp_path):
    params = make_params(methods=["slkd"])
    assert run.run_grid(params, workspace, Filters()) == {}
    before = {path: path.stat().st_mtime_ns for path in workspace.results.parent.rglob("*") if path.is_file()}
    paths = find_records(SLKD.path, workspace.results)
    (comparison,) = verify(paths, params, workspace, tmp_path / "scratch")
    assert comparison.differing == ()
    assert {path: path.stat().st_mtime_ns for path in before} == before
    lost = replace(workspace, runs=tmp_path / "nothing")
    (comparison,) = verify(paths, params, lost, tmp_path / "again")
    assert comparison.differing == (), "teachers without weights are trained again"
