"""The command that renders everything, in a small repository of its own."""

import json
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from bench.__main__ import app
from bench.record import write_record
from tests.harness.test_tables import COSTS, record

ROOT = Path(__file__).parents[2]
LEADS = {"scratch": 0.0, "fitnet": 0.3, "slkd": 1.0}


def write_results(folder):
    for seed in range(3):
        for method, lead in LEADS.items():
            path = folder / "cells" / "deraining" / "nafnet" / f"seed{seed}" / method / "rain_light.json"
            write_record(path, record(method, 30 + lead + 0.1 * seed + 0.01 * len(method) * seed, seed))
    teacher = folder / "cells" / "deraining" / "nafnet" / "teachers" / "removal" / "rain_light.json"
    write_record(teacher, record(psnr=34.0, role="removal"))
    for cost in COSTS:
        write_record(folder / "networks" / f"{cost.network}_{cost.size}.json", cost)


@pytest.fixture
def repository(tmp_path, monkeypatch):
    """Two results folders, and a README with a block."""
    for folder in ("methods", "data_sets"):
        shutil.copytree(ROOT / "results" / folder, tmp_path / "results" / folder)
    write_results(tmp_path / "results")
    write_results(tmp_path / "results" / "other")
    (tmp_path / "README.md").write_text("<!-- begin: ranking results -->\nold\n<!-- end -->\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def report(*options):
    return CliRunner().invoke(app, ["report", *options], env={"COLUMNS": "200"})


def test_everything_is_written_and_then_up_to_date(repository):
    assert report().exit_code == 0
    results = repository / "results"
    for name in ("report.html", "references.bib", "metrics.json", "tables/nafnet.md", "tables/nafnet_ranking.tex"):
        assert (results / name).exists(), name
    figures = list((results / "figures").iterdir())
    assert {path.suffix for path in figures} == {".svg", ".pdf"}
    assert "| slkd | 31." in (repository / "README.md").read_text()
    assert (results / "other" / "tables" / "nafnet.md").exists() and not (results / "other" / "report.html").exists()
    checked = report("--check")
    assert checked.exit_code == 0 and "files up to date" in checked.output


def test_what_is_out_of_date_is_named_and_not_written_by_a_check(repository):
    report()
    path = repository / "results" / "cells" / "deraining" / "nafnet" / "seed0" / "slkd" / "rain_light.json"
    write_record(path, record("slkd", 33.0))
    before = {path: path.read_bytes() for path in repository.rglob("*.*") if path.is_file()}
    checked = report("--check")
    assert checked.exit_code == 1
    for name in ("results/report.html", "results/tables/nafnet.md", "README.md", "results/metrics.json"):
        assert f"stale: {name}" in checked.output
    assert before == {path: path.read_bytes() for path in before}
    assert report().exit_code == 0 and report("--check").exit_code == 0


def test_a_page_of_another_version_of_the_drawings_is_up_to_date(repository):
    report()
    page = repository / "results" / "report.html"
    page.write_text(page.read_text().replace("<svg", "<svg data-drawn-by='another'"))
    assert report("--check").exit_code == 0
    page.unlink()
    assert "stale: results/report.html" in report("--check").output


def test_another_folder_has_a_page_once_it_was_asked_for(repository):
    assert "written: results/other/report.html" in report("--results", "results/other").output
    assert not (repository / "results" / "report.html").exists(), "that folder alone"
    report()
    write_record(
        repository / "results/other/cells/deraining/nafnet/seed0/slkd/rain_light.json", record("slkd", 33.0)
    )  # from now on it is kept up to date
    assert "written: results/other/report.html" in report().output


def test_a_comparison_of_folders_says_what_moved(repository, tmp_path):
    same = report("--diff", "results/other")
    assert same.exit_code == 0 and "same numbers" in same.output
    for seed in range(3):
        path = repository / "results" / "cells" / "deraining" / "nafnet" / f"seed{seed}" / "slkd" / "rain_light.json"
        values = json.loads(path.read_text())
        values["metrics"]["psnr_db"] += 1 + 0.001 * seed
        path.write_text(json.dumps(values))
    moved = report("--diff", "results/other", "--out", "moved.md")
    assert moved.exit_code == 1 and "slkd, PSNR" in moved.output and "more than noise" in moved.output
    assert "**What moved**" in (repository / "moved.md").read_text()


def test_a_folder_without_records_is_refused_by_name(repository):
    missing = report("--diff", "results/nowhere")
    assert "results/nowhere: expected records of scored cells" in str(missing.exception)
    missing = report("--results", "results/nowhere")
    assert missing.exit_code != 0 and "results/nowhere" in str(missing.exception)


@pytest.mark.parametrize(
    ("options", "says"), [(("--out", "a.md"), "--diff"), (("--check", "--diff", "b"), "choose one")]
)
def test_options_that_do_not_belong_together_are_refused(options, says):
    assert says in str(report(*options).exception)
