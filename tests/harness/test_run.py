"""The whole path on a miniature set: cells to records to tables."""

import logging
import math
import signal
import subprocess
import sys
from dataclasses import replace
from shutil import copytree

import pytest
import typer
from PIL import Image

from bench import judge, run, tables
from bench.cell import Cell, Filters
from bench.datasets.base import DATASETS, Split
from bench.datasets.layout import PairFolders
from bench.networks.base import weights_digest
from bench.plan import Planner
from bench.record import TEACHER_ROWS, read_cells
from bench.scoreboard import INPUT_ROW
from bench.tasks.base import TASKS
from tests.conftest import write_pairs


def statuses(params, workspace):
    planner = Planner(params, workspace)
    return {p.cell.path: p.status for plans in judge.plans(planner, planner.cohorts(Filters())) for p in plans}


def essence(results):
    return [record.model_dump(exclude={"run"}) for record in read_cells(results)]


@pytest.fixture
def done(finished, make_params):
    if not finished.results.exists():
        assert run.run_grid(make_params(), finished, Filters()) == {}
    return finished


def test_every_cell_has_a_record_with_finite_scores(done, make_params):
    records = list(read_cells(done.results))
    assert {(r.role, r.method) for r in records} == {
        *(("student", method) for method in make_params().methods),
        ("removal", "scratch"),
        ("reconstruction", "scratch"),
    }
    for record in records:
        assert record.status == "ok" and record.test_set == "mini_set" and record.num_images == 2
        assert all(map(math.isfinite, record.metrics.values())) and record.steps == 3
        assert record.metrics.keys() == record.signatures.keys() == record.input_metrics.keys()
        per_image = done.record(Cell("denoising", "nafnet", record.method, 0, record.role), "mini_set")
        comments, lines = [], per_image.with_suffix(".csv").read_text().splitlines()
        while lines[0].startswith("#"):
            comments.append(lines.pop(0))
        assert set(comments) == {f"# {key}: {signature}" for key, signature in record.signatures.items()}
        assert len(lines) == 3


def test_all_methods_start_from_the_same_weights(done, make_params):
    records = [record for record in read_cells(done.results) if record.role == "student"]
    planner = Planner(make_params(), done)
    initial = weights_digest(planner.build(Cell("denoising", "nafnet", "scratch", 0)))
    assert {record.initial_sha256 for record in records} == {initial}


def test_what_is_up_to_date_is_left_alone(done, make_params, capsys):
    before = {path: path.stat().st_mtime_ns for path in done.results.rglob("*.json")}
    assert set(statuses(make_params(), done).values()) == {"up to date"}
    run.run_grid(make_params(), done, Filters())
    assert {path: path.stat().st_mtime_ns for path in done.results.rglob("*.json")} == before


def test_the_same_run_gives_the_same_bytes(done, make_params, workspace):
    assert run.run_grid(make_params(), workspace, Filters()) == {}
    assert essence(workspace.results) == essence(done.results)
    first, second = (sorted(w.results.rglob("*.csv")) for w in (done, workspace))
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in second]


def test_a_cell_alone_gives_the_record_of_its_cohort(done, make_params, workspace):
    run.run_grid(make_params(), workspace, Filters(methods=("slkd",)))
    alone = [r for r in essence(workspace.results) if r["method"] == "slkd"]
    assert alone == [r for r in essence(done.results) if r["method"] == "slkd"]


def test_tables_show_input_teachers_and_methods(done):
    text = tables.render(done.results)[done.results / "tables" / "nafnet.md"]
    labels = [line.split("|")[1].strip() for line in text.splitlines() if line.startswith("|")]
    assert labels[2:5] == [INPUT_ROW, *TEACHER_ROWS.values()]
    assert labels[5:] == ["scratch", "fitnet", "output_kd", "slkd"]
    assert "denoising: mini_set, PSNR / SSIM / GMSD" in text
    assert text.count("**") == 2 + 2 * 3 + 2  # the title, the best of each metric, the legend
    assert "fewer parameters" in text and "psnr:rgb|" in text


def test_a_changed_parameter_makes_what_depends_on_it_stale(done, make_params):
    longer = make_params(train={"steps": 4, "batch_size": 2, "crop_size": 32})
    assert {p for p, s in statuses(longer, done).items() if s == "up to date"} == {
        "denoising/nafnet/teachers/removal", "denoising/nafnet/teachers/reconstruction",
    }  # fmt: skip
    teacher = {"steps": 4, "batch_size": 2, "crop_size": 32}
    better = make_params(teachers={"removal": teacher, "reconstruction": make_params().teachers.reconstruction})
    stale = {p for p, s in statuses(better, done).items() if s == "run"}
    assert "denoising/nafnet/seed0/scratch" not in stale
    assert {"denoising/nafnet/teachers/removal", "denoising/nafnet/seed0/slkd"} <= stale
    configured = make_params(method_configs={"output_kd": {"restoration_loss": "l1"}})
    assert [p for p, s in statuses(configured, done).items() if s == "run"] == ["denoising/nafnet/seed0/output_kd"]


def test_a_lost_record_is_scored_again_without_training(make_params, workspace):
    filters = Filters(methods=("scratch",))
    run.run_grid(make_params(), workspace, filters)
    before = essence(workspace.results)
    workspace.record(Cell("denoising", "nafnet", "scratch", 0), "mini_set").unlink()
    planner = Planner(make_params(), workspace)
    (plan,) = (p for plans in judge.plans(planner, planner.cohorts(filters)) for p in plans)
    assert plan.status == "resume" and "trained, to score on mini_set" in plan.detail
    run.run_grid(make_params(), workspace, filters)
    assert essence(workspace.results) == before


def test_teachers_whose_weights_are_gone_are_trained_again_when_needed(make_params, workspace):
    run.run_grid(make_params(methods=["output_kd"]), workspace, Filters())
    for path in workspace.runs.rglob("*.pt"):
        path.unlink()
    assert set(statuses(make_params(methods=["output_kd"]), workspace).values()) == {"up to date"}
    found = statuses(make_params(methods=["output_kd"], seeds=[0, 1]), workspace)
    assert [status for path, status in found.items() if "teachers" in path] == ["run"]


def test_scoring_needs_no_teacher(make_params, workspace):
    params = make_params(methods=["slkd"])
    run.run_grid(params, workspace, Filters())
    workspace.record(Cell("denoising", "nafnet", "slkd", 0), "mini_set").unlink()
    for path in (workspace.runs / "denoising" / "nafnet" / "teachers").rglob("*.pt"):
        path.unlink()
    assert sorted(statuses(params, workspace).values()) == ["resume", "up to date", "up to date"]
    assert run.run_grid(params, workspace, Filters()) == {}
    assert set(statuses(params, workspace).values()) == {"up to date"}


def test_a_failed_teacher_fails_those_who_ask_it_and_no_other(make_params, workspace, monkeypatch):
    import bench.cohort

    fit = bench.cohort.fit

    def failing(members, *arguments):
        for member in members:
            if "teachers/removal" in member.name:
                member.distiller.forward = lambda lesson: 1 / 0
        fit(members, *arguments)

    monkeypatch.setattr(bench.cohort, "fit", failing)
    failures = run.run_grid(make_params(methods=["scratch", "output_kd"]), workspace, Filters())
    assert failures.keys() == {"denoising/nafnet/teachers/removal", "denoising/nafnet/seed0/output_kd"}
    assert "its teacher" in str(failures["denoising/nafnet/seed0/output_kd"])
    assert [r.method for r in read_cells(workspace.results)] == ["scratch"]


def test_a_pair_a_method_cannot_train_is_recorded_with_its_reason(make_params, workspace, monkeypatch):
    from bench.distiller import METHODS

    monkeypatch.setattr(METHODS["fitnet"], "unsupported", classmethod(lambda cls, student, teachers: "no such levels"))
    params = make_params(methods=["scratch", "fitnet"])
    assert statuses(params, workspace)["denoising/nafnet/seed0/fitnet"] == "unsupported"
    assert run.run_grid(params, workspace, Filters()) == {}
    text = tables.render(workspace.results)[workspace.results / "tables" / "nafnet.md"]
    assert "`fitnet` on denoising: -, no such levels" in text
    assert set(statuses(params, workspace).values()) == {"up to date"}


@pytest.mark.parametrize(
    ("configs", "message"),
    [
        ({"slk": {}}, "unknown method 'slk': did you mean 'slkd'"),
        ({"slkd": {"tua": 1}}, r"method_configs\.slkd: unknown parameter 'tua': did you mean 'tau'"),
        ({"slkd": {"tau": -1}}, r"method_configs\.slkd: tau: .*greater than 0, got -1"),
        ({"fitnet": {"restoration_loss": "l5"}}, r"method_configs\.fitnet: restoration_loss"),
    ],
)
def test_a_bad_method_setting_names_its_key_path(make_params, workspace, configs, message):
    planner = Planner(make_params(method_configs=configs), workspace)
    with pytest.raises((KeyError, ValueError), match=message):
        judge.plans(planner, planner.cohorts(Filters()))


@pytest.fixture
def command(monkeypatch, capsys):
    """What `python -m bench.run` does with some arguments, without a process of its own."""

    def run_here(*arguments):
        monkeypatch.setattr(sys, "argv", ["bench.run", *arguments])
        monkeypatch.setattr(logging, "basicConfig", lambda **settings: None)
        monkeypatch.setattr(signal, "signal", lambda *arguments: None)
        with pytest.raises(SystemExit) as caught:
            run.main()
        out, err = capsys.readouterr()
        return subprocess.CompletedProcess(arguments, caught.value.code, out, err)

    return run_here


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--task", "derainning"], "did you mean 'deraining'"),
        (["--network", "nafnt"], "did you mean 'nafnet'"),
        (["--method", "slk"], "did you mean 'slkd'"),
        (["--all", "--profile", "quik"], "unknown profile 'quik': did you mean 'quick'"),
        (["--all", "--set", "train.stepz=3", "--results", "elsewhere"], "did you mean 'train.steps'"),
        (["--all", "--set", "train.steps=3"], "--results"),
        (["--all", "--params", "none.yaml"], "none.yaml"),
        (["--all", "--params", "params.yaml", "--profile", "quick"], "choose one"),
        (["--all", "--data-root", "."], "one task"),
        (["--profile", "quick"], "nothing is selected"),
        (["--alll"], "No such option"),
    ],
)
def test_bad_requests_exit_with_2_and_say_what_is_valid(arguments, message, command):
    done = command(*arguments)
    assert done.returncode == run.USAGE
    assert message in " ".join(done.stderr.split())


def test_a_bad_request_ends_a_process_without_a_traceback():
    words = [sys.executable, "-m", "bench.run", "--task", "derainning"]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == run.USAGE
    assert "did you mean 'deraining'" in done.stderr and "Traceback" not in done.stderr


def test_an_interrupt_says_that_the_rest_goes_on(caplog):
    def interrupted():
        raise KeyboardInterrupt

    with pytest.raises(typer.Exit) as caught:
        run.exit_with(interrupted)
    assert caught.value.exit_code == run.INTERRUPTED
    assert "goes on with the same command" in caplog.text


def test_nothing_selected_prints_help(command):
    done = command()
    assert "--all" in done.stdout + done.stderr and "Usage" in done.stdout + done.stderr


def test_the_help_names_every_option(command):
    text = command("--help").stdout
    for option in ("--all", "--task", "--network", "--method", "--seed", "--profile", "--params", "--dry-run",
                   "--data-root", "--test-root", "--results", "--set", "--teacher", "--ablation",
                   "--fail-fast", "--keep-going"):  # fmt: skip
        assert option in text


def test_a_broken_training_image_is_named_before_anything_runs(command, real_set, tmp_path):
    copytree(real_set, tmp_path / "broken")
    path = tmp_path / "broken" / "train" / "target" / "img-0.png"
    path.write_bytes(path.read_bytes()[:200])
    arguments = ["--task", "denoising", "--network", "nafnet", "--method", "scratch", "--profile", "smoke"]
    done = command(*arguments, "--data-root", str(tmp_path / "broken"), "--results", str(tmp_path / "r"))
    assert done.returncode == run.USAGE
    assert "img-0.png" in done.stderr and "nothing was trained" in done.stderr
    assert not (tmp_path / "r" / "cells").exists()


def test_a_pair_of_two_sizes_is_refused_before_anything_runs(command, real_set, tmp_path):
    copytree(real_set, tmp_path / "broken")
    Image.new("RGB", (9, 9)).save(tmp_path / "broken" / "train" / "target" / "img-0.png")
    arguments = ["--task", "denoising", "--profile", "smoke", "--data-root", str(tmp_path / "broken")]
    done = command(*arguments, "--results", str(tmp_path / "r"))
    assert done.returncode == run.USAGE
    assert "img-0.png" in done.stderr and "9x9" in done.stderr


def test_a_dry_run_lists_cells_and_writes_nothing(command, real_set, tmp_path):
    arguments = ["--task", "denoising", "--profile", "smoke", "--data-root", str(real_set), "--dry-run"]
    done = command(*arguments, "--results", str(tmp_path / "r"))
    assert done.returncode == 0, done.stderr
    assert "denoising/restormer/seed0/slkd" in done.stdout and "2 steps" in done.stdout
    assert not (tmp_path / "r").exists()


def test_images_without_a_clean_version_are_scored_by_what_needs_none(make_params, workspace, real_set, monkeypatch):
    """A task on real images: the reconstruction teacher, who is shown clean ones, is passed over with the reason."""
    task = replace(TASKS["dehazing_ots"], train_set="pairs_only", test_sets=("rtts",))
    pairs = replace(DATASETS["ots"], splits={"train": Split(PairFolders("train"), num_items=4)})
    monkeypatch.setitem(TASKS._entries, "dehazing_real", task)
    monkeypatch.setitem(DATASETS._entries, "pairs_only", pairs)
    monkeypatch.setattr("torch.hub.get_dir", lambda: str(workspace.runs))
    workspace = replace(workspace, datasets=workspace.runs.parent / "datasets")
    copytree(real_set, workspace.datasets / "pairs_only")
    copytree(real_set / "test" / "input", workspace.datasets / "rtts" / "JPEGImages")
    params = make_params(tasks=["dehazing_real"], methods=["slkd"], data_root=None)
    assert run.run_grid(params, workspace, Filters()) == {}
    records = {record.role: record for record in read_cells(workspace.results)}
    assert records["reconstruction"].status == "skipped" and "no clean images" in records["reconstruction"].reason
    for role in ("student", "removal"):
        assert records[role].metrics.keys() == {"piqe"} and records[role].protocol == "no_reference"
        assert records[role].unavailable.keys() == {"brisque", "niqe"}
    text = tables.render(workspace.results)[workspace.results / "tables" / "nafnet.md"]
    assert "NIQE on rtts was not computed" in text and "PIQE" in text
    assert set(statuses(params, workspace).values()) == {"up to date"}


def test_choosing_on_validation_holds_out_training_scenes(make_params, workspace, tmp_path):
    write_pairs(tmp_path / "Mine" / "train", 10)
    params = make_params(data_root=tmp_path / "Mine", methods=["scratch"], evaluate_on="validation")
    assert run.run_grid(params, workspace, Filters()) == {}
    record = next(r for r in read_cells(workspace.results) if r.role == "student")
    assert (record.test_set, record.num_images) == ("denoising_validation", 1)


def test_workers_change_no_result(make_params, workspace, tmp_path):
    weights = []
    for workers in (0, 3):
        place = replace(workspace, results=tmp_path / f"results{workers}", runs=tmp_path / f"runs{workers}")
        run.run_grid(make_params(methods=["scratch"], workers=workers), place, Filters())
        weights.append(essence(place.results))
    assert weights[0] == weights[1]
