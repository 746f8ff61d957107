"""The control: an oracle in the place of the teachers."""

import pytest
import torch
from typer.testing import CliRunner

from bench import run
from bench.batch import Batch
from bench.cell import Filters
from bench.distiller import METHODS, Lesson, OracleLesson
from bench.grid import with_teachers
from bench.plan import Planner
from bench.record import read_cells
from slkd.ablations import ABLATIONS

CONTROLLED = [name for name in METHODS if METHODS[name].control == name]


@pytest.fixture
def lesson():
    generator = torch.Generator().manual_seed(0)
    clean = torch.rand(2, 3, 32, 32, generator=generator)
    return Lesson(Batch(clean + 0.1 * torch.randn(clean.shape, generator=generator), clean), {}, step=3)


def test_it_restores_the_clean_image_and_has_no_features(lesson):
    oracle = OracleLesson(lesson)
    for answer in (oracle.teacher("removal"), oracle.teacher("reconstruction"), oracle.ask("removal", oracle.clean)):
        assert answer.restored is lesson.clean and answer.encoder == answer.decoder == ()
    assert oracle.degraded is lesson.degraded and oracle.step == 3


def test_it_knows_nothing_of_other_images(lesson):
    with pytest.raises(ValueError, match="knows only the images of the batch"):
        OracleLesson(lesson).ask("removal", lesson.clean.flip(-1))


def test_methods_with_an_output_level_term_have_a_control():
    assert {"output_kd", "slkd"} <= set(CONTROLLED)
    assert METHODS["fitnet"].control is METHODS["scratch"].control is None
    for method in METHODS.values():
        assert method.control is None or METHODS[method.control].control == method.control


@pytest.fixture
def grid(make_params):
    return make_params(methods=("scratch", "output_kd", "fitnet", "slkd_kl", "slkd"), teacher=("trained", "oracle"))


def test_controls_are_cells_of_their_own(grid, workspace):
    assert run.run_grid(grid, workspace, Filters()) == {}
    records = {record.label: record for record in read_cells(workspace.results) if record.role == "student"}
    assert set(records) == {"scratch", "output_kd", "output_kd@oracle", "fitnet", "slkd_kl", "slkd", "slkd@oracle"}
    controls = {label: record.control for label, record in records.items()}
    assert controls == {
        "scratch": "", "fitnet": "scratch", "slkd": "slkd@oracle", "slkd_kl": "slkd@oracle", "slkd@oracle": "",
        "output_kd": "output_kd@oracle", "output_kd@oracle": "",
    }  # fmt: skip
    assert records["slkd@oracle"].config["teachers"] == "oracle"
    assert set(records["slkd@oracle"].terms) == {"restoration", "kl"}
    assert records["output_kd"].metrics != records["output_kd@oracle"].metrics
    text = (workspace.results / "tables" / "nafnet_effects.md").read_text()
    assert "| slkd@oracle |" in text and "distillation effect" in text


def test_an_oracle_alone_needs_no_teacher(grid, workspace):
    oracles = with_teachers(grid, ["oracle"])
    planner = Planner(oracles, workspace)
    cohorts = planner.cohorts(Filters())
    assert [cell.path.rpartition("/")[2] for cohort in cohorts for cell in cohort.cells] == [
        "output_kd@oracle",
        "slkd@oracle",
    ]


def test_asking_an_oracle_for_features_is_refused(grid, workspace):
    planner = Planner(with_teachers(grid, ["oracle"]), workspace)
    with pytest.raises(ValueError, match="fitnet has no term that compares outputs"):
        planner.cohorts(Filters(methods=("fitnet",)))


def test_an_unknown_kind_of_teacher_is_named(grid):
    with pytest.raises(KeyError, match="did you mean 'oracle'"):
        with_teachers(grid, ["oracel"])


def test_records_of_earlier_releases_have_trained_teachers(grid, workspace):
    planner = Planner(grid, workspace)
    cell = next(c for cohort in planner.cohorts(Filters()) for c in cohort.cells if c.method == "output_kd")
    assert set(planner.resolve(cell)["teachers"]) == {"removal"}, "digests of trained cells have not moved"


def dry_run(*arguments):
    return CliRunner().invoke(run.app, [*arguments, "--dry-run"], env={"COLUMNS": "300"})


def test_the_option_asks_for_controls_alone(real_set, tmp_path):
    where = ["--task", "denoising", "--network", "nafnet", "--data-root", str(real_set), "--results", str(tmp_path)]
    methods = ["--method", "output_kd", "--method", "slkd"]
    done = dry_run("--profile", "smoke", *where, *methods, "--teacher", "oracle")
    assert done.exit_code == 0, done.output
    assert "seed0/output_kd@oracle" in done.stdout and "seed0/slkd@oracle" in done.stdout
    assert "seed0/slkd " not in done.stdout and "teachers/" not in done.stdout.replace("teachers: 0 to train", "")


def test_the_ablation_is_one_grid_with_every_variant(tmp_path):
    done = dry_run(
        "--ablation", "--task", "denoising", "--network", "nafnet", "--seed", "1", "--results", str(tmp_path)
    )
    assert done.exit_code == 0, done.output
    variants = {*ABLATIONS} - {"slkd_restorer_b", "slkd_absolute"}  # readings that were tried, to be added by hand
    for name in (*variants, "scratch", "output_kd", "slkd", "slkd@oracle", "output_kd@oracle"):
        assert f"denoising/nafnet/seed1/{name} " in done.stdout


def test_the_ablation_takes_no_other_grid():
    done = CliRunner().invoke(run.app, ["--ablation", "--profile", "quick"])
    assert done.exit_code != 0 and "leave out --profile" in str(done.exception)
