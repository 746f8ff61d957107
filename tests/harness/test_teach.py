"""A teacher from a file: official weights of our families, or any network that spandrel knows."""

import hashlib

import pytest
import torch
from typer.testing import CliRunner

from bench import judge, run
from bench.__main__ import app
from bench.cell import Filters, teacher_cell
from bench.imported import import_weights
from bench.networks.base import build_network
from bench.networks.official import official_state
from bench.plan import Planner
from bench.record import read_cell, read_networks
from bench.teach import import_teacher


def write_weights(path, name, size="micro", **changes):
    network = build_network(name, size, seed=4)
    torch.save({"params": official_state(network) | changes}, path)
    return path


@pytest.fixture
def weights(tmp_path):
    return write_weights(tmp_path / "official.pth", "nafnet", "mini")


def removal_record(workspace, params, network="nafnet"):
    return read_cell(workspace.record(teacher_cell("denoising", network, "removal", params), "mini_set"))


def test_weights_become_a_scored_teacher_with_provenance(weights, make_params, workspace):
    params = make_params()
    assert import_teacher(weights, params, workspace, "denoising", source="https://example.org/official") == {}
    record = removal_record(workspace, params)
    assert (record.network, record.size, record.role, record.steps) == ("nafnet", "mini", "removal", 0)
    assert record.config["imported"]["file_sha256"] == hashlib.sha256(weights.read_bytes()).hexdigest()
    assert record.run.provenance["weights_file"] == "official.pth"
    assert record.run.provenance["weights_source"] == "https://example.org/official"
    assert {(cost.network, cost.size) for cost in read_networks(workspace.results)} == {("nafnet", "mini")}


def test_students_ask_the_imported_teacher(weights, make_params, workspace):
    params = make_params(methods=["output_kd"])
    assert run.run_grid(params, workspace, Filters()) == {}
    cell = Planner(params, workspace).cohorts(Filters())[-1].cells[0]
    trained = read_cell(workspace.record(cell, "mini_set"))
    assert import_teacher(weights, params, workspace, "denoising") == {}
    planner = Planner(params, workspace)
    assert {
        plan.cell.role: plan.status for plans in judge.plans(planner, planner.cohorts(Filters())) for plan in plans
    } == {
        "removal": "up to date",
        "student": "run",
    }
    assert run.run_grid(params, workspace, Filters()) == {}
    taught = read_cell(workspace.record(cell, "mini_set"))
    assert taught.config["teachers"] != trained.config["teachers"]
    assert taught.terms != trained.terms
    assert taught.initial_sha256 == trained.initial_sha256


def test_removing_the_file_trains_a_teacher_again(weights, make_params, workspace):
    params = make_params(methods=["output_kd"])
    import_teacher(weights, params, workspace, "denoising")
    workspace.imported(teacher_cell("denoising", "nafnet", "removal", params)).unlink()
    assert run.run_grid(params, workspace, Filters()) == {}
    assert "imported" not in removal_record(workspace, params).config


def test_a_damaged_import_is_named(weights, make_params, workspace):
    params = make_params()
    import_teacher(weights, params, workspace, "denoising")
    path = workspace.imported(teacher_cell("denoising", "nafnet", "removal", params))
    path.write_bytes(path.read_bytes()[:2000])
    with pytest.raises(ValueError, match=r"imported.pt: damaged; import the teacher again"):
        run.run_grid(params, workspace, Filters())


def test_the_network_of_the_weights_need_not_be_in_the_grid(tmp_path, make_params, workspace):
    params = make_params()
    assert "restormer" not in params.networks
    weights = write_weights(tmp_path / "restormer.pth", "restormer")
    assert import_teacher(weights, params, workspace, "denoising") == {}
    assert removal_record(workspace, params, "restormer").size == "micro"


def test_a_spandrel_network_teaches_by_its_output_only(weights, make_params, workspace):
    params = make_params(methods=["output_kd", "fitnet", "slkd"])
    assert import_teacher(weights, params, workspace, "denoising", "nafnet", use_spandrel=True) == {}
    assert removal_record(workspace, params).config["imported"]["loader"] == "spandrel"
    assert run.run_grid(params, workspace, Filters()) == {}
    cells = Planner(params, workspace).cohorts(Filters())[-1].cells
    records = {cell.method: read_cell(workspace.record(cell, "mini_set")) for cell in cells}
    assert records["output_kd"].status == "ok"
    for method in ("fitnet", "slkd"):
        assert records[method].status == "skipped"
        assert records[method].reason == "it needs features, and the removal teacher is known by its output only"


def test_without_spandrel_the_error_says_what_to_install(weights, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "spandrel", None)
    with pytest.raises(ValueError, match=r"pip install -e '\.\[spandrel\]'"):
        import_weights(weights, use_spandrel=True)


def test_spandrel_knows_not_everything(tmp_path):
    torch.save({"a.weight": torch.zeros(3)}, tmp_path / "odd.pth")
    with pytest.raises(ValueError, match=r"odd.pth: spandrel knows no network .*'a.weight'"):
        import_weights(tmp_path / "odd.pth", use_spandrel=True)


def test_weights_that_do_not_fit_change_nothing(weights, tmp_path, make_params, workspace):
    params = make_params()
    import_teacher(weights, params, workspace, "denoising")
    path = workspace.imported(teacher_cell("denoising", "nafnet", "removal", params))
    before = path.read_bytes()
    broken = write_weights(tmp_path / "broken.pth", "nafnet", "mini", extra=torch.zeros(1))
    with pytest.raises(ValueError, match=r"broken.pth: the weights do not fit this NAFNet: .*'extra'"):
        import_teacher(broken, params, workspace, "denoising")
    assert path.read_bytes() == before


def test_weights_for_other_images_are_refused(tmp_path):
    with torch.device("meta"):
        network = build_network("restormer", "base_grey")
    state = {name: torch.zeros(value.shape) for name, value in official_state(network).items()}
    torch.save(state, tmp_path / "grey.pth")
    with pytest.raises(ValueError, match="takes 1 channels, the benchmark's images are RGB"):
        import_weights(tmp_path / "grey.pth")


def test_a_crop_that_does_not_fit_the_teacher_is_refused_before_training(tmp_path, make_params, workspace):
    params = make_params(networks=["uformer"], methods=["output_kd"])
    planner = Planner(params, workspace)
    with pytest.raises(ValueError, match=r"crop_size: .*uformer.* needs a multiple of 64, got 32"):
        judge.plans(planner, planner.cohorts(Filters()))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--weights", "none.pth"], "none.pth: no such file of weights"),
        ([], "name the --network"),
        (["--network", "nafnet", "--source", "somewhere"], "name the --network to train teachers for, or the file"),
        (["--weights", "none.pth", "--spandrel"], "--spandrel: name with --network"),
        (["--weights", "none.pth", "--network", "nafnt"], "unknown network 'nafnt': did you mean 'nafnet'"),
    ],
)
def test_the_command_says_what_it_needs(options, message):
    result = CliRunner().invoke(app, ["teach", "--task", "denoising", "--profile", "quick", *options])
    assert result.exit_code == 1 and message in str(result.exception)


def test_the_command_imports(weights, real_set, tmp_path):
    options = ["--weights", str(weights), "--test-root", str(real_set), "--results", str(tmp_path / "results")]
    result = CliRunner().invoke(app, ["teach", "--task", "denoising", "--profile", "quick", *options])
    assert result.exit_code == 0, result.output
    assert "removal teacher" in result.output and "imported from" in result.output


def test_the_list_names_sizes_and_official_weights(monkeypatch):
    monkeypatch.setattr(run.console, "_width", 400)
    output = CliRunner().invoke(app, ["list"]).output
    assert "Sizes: base, base_bias_free" in output
    assert "Official weights: derain, motion_deblur" in output
