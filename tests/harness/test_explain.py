"""The figures of ``python -m bench explain --method``; the words of a record are tested with ``evaluate``."""

import io
import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch
import yaml
from PIL import Image
from typer.testing import CliRunner

from bench import diagnosis, plots, run
from bench.__main__ import app
from bench.cell import Cell, Filters, Workspace
from bench.diagnosis import diagnose
from bench.distiller import METHODS, Panels
from bench.plan import Planner
from bench.registry import UnknownNameError
from tests.conftest import write_pairs

SLKD = Cell("denoising", "nafnet", "slkd", 0)
SCRATCH = replace(SLKD, method="scratch")
HISTORY = [
    {"step": step, "restoration": 0.2 / step, "kl": 0.1 / step, "scm": 3.0 / step, "kl_unweighted": 0.01 / step}
    for step in (1.0, 2.0, 3.0)
]


@pytest.fixture(autouse=True)
def one_thread(two_threads):
    torch.set_num_threads(1)  # these tensors are too small to share


@pytest.fixture
def params(make_params):
    return make_params(methods=["scratch", "slkd"], teacher=["trained", "oracle"], threads=1)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A folder that the tests of this module share; `done` fills it once."""
    return Workspace.of("any", tmp_path_factory.mktemp("finished"))


@pytest.fixture
def done(finished, params):
    if not (finished.results / "cells").exists():
        assert run.run_grid(params, finished, Filters()) == {}
    return finished


@pytest.fixture
def explain(done, params, tmp_path):
    """Runs the command on the finished grid, with its figures in ``tmp_path / "figures"``."""
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(params.model_dump(mode="json", exclude_none=True)))

    def command(*options):
        grid = ["--params", tmp_path / "params.yaml", "--results", done.results, "--out", tmp_path / "figures"]
        return CliRunner().invoke(app, ["explain", *map(str, [*grid, *options])])

    return command


@pytest.fixture
def galleries(monkeypatch):
    """Rows, columns and title of the galleries, by name; drawing them, which takes long, is left out."""
    seen = {}

    def gallery(rows, columns, title, caption):
        seen[title.splitlines()[1].split(",")[0]] = (rows, columns, title)
        return plots.Figure()

    monkeypatch.setattr(plots, "gallery", gallery)
    monkeypatch.setattr(plots, "encode", lambda figure, format_: b"")
    return seen


def drawn(cell, params, workspace, folder, **options):
    return [file.name for d in diagnose(cell, Planner(params, workspace), folder, **options) for file in d.files]


def texts(figure):
    return [axis.get_title() for axis in figure.axes], [text.get_text() for axis in figure.axes for text in axis.texts]


def test_terms_are_drawn_in_panels_with_their_names():
    panels = {"weighted": {"restoration": "restoration", "kl": "kl", "scm": "scm"}, "raw": {"kl_unweighted": "kl"}}
    figure = plots.curves(HISTORY, panels, "a cell")
    assert texts(figure) == (["weighted", "raw"], ["restoration", "kl", "scm", "kl"])
    weighted, raw = figure.axes
    assert weighted.get_yscale() == "log" and raw.get_yscale() == "linear"
    assert [list(line.get_ydata()) for line in raw.lines] == [[row["kl_unweighted"] for row in HISTORY]]
    assert raw.lines[0].get_color() == weighted.lines[1].get_color() != weighted.lines[0].get_color()


def test_terms_that_reach_zero_or_have_one_point_are_drawn():
    figure = plots.curves([{"step": 1.0, "a": 0.0, "b": 2.0}], {"terms": {"a": "a", "b": "b"}}, "")
    assert figure.axes[0].get_yscale() == "linear"
    assert Image.open(io.BytesIO(plots.encode(figure, "png"))).width > 100


def test_the_same_figure_gives_the_same_bytes():
    for format_ in ("png", "svg"):
        first, second = (
            plots.encode(plots.curves(HISTORY, {"terms": {"kl": "kl"}}, "a cell"), format_) for _ in range(2)
        )
        assert first == second


def test_names_of_lines_do_not_overlap():
    assert plots.apart([0.2, 0.8], 0.1) == [0.2, 0.8]
    assert plots.apart([0.5, 0.5, 0.1], 0.1) == pytest.approx([0.5, 0.6, 0.1])
    assert plots.apart([0.99, 0.98], 0.1) == pytest.approx([1.0, 0.9])


def test_maps_of_a_gallery_share_a_scale_and_images_are_clipped():
    rng = np.random.default_rng(0)
    rows = {"image": rng.normal(size=(3, 8, 8, 3)), "map": rng.normal(size=(2, 8, 8, 1))}
    figure = plots.gallery(rows, ["a", "b", "c"], "title", "caption")
    *axes, bar = figure.axes
    assert [axis.get_title() for axis in axes[:3]] == ["a", "b", "c"] and axes[3].get_ylabel() == "map"
    assert all(0 <= axis.images[0].get_array().min() <= axis.images[0].get_array().max() <= 1 for axis in axes[:3])
    (low, high), other = (axis.images[0].get_clim() for axis in axes[3:5])
    assert (low, high) == other and low == -high and bar.get_ylim() == pytest.approx((low, high))
    assert not axes[5].axison
    positive = plots.colour_scale([np.abs(rows["map"])])[0]
    assert positive.vmin == 0 < positive.vmax


def test_slkd_is_explained_in_figures(explain, tmp_path):
    done = explain("--method", "slkd", "--task", "denoising")
    assert done.exit_code == 0, done.output
    names = {"terms.png", "terms.svg", "outputs.png", "scm.png", "mscn.png", "texture.png", "edge.png"}
    assert {path.name for path in (tmp_path / "figures").iterdir()} == names
    for name in names:
        assert str(tmp_path / "figures" / name) in done.output
    for name in names - {"terms.svg"}:
        assert np.asarray(Image.open(tmp_path / "figures" / name).convert("L")).std() > 10
    assert "L_NC compares" in done.output and "enter the loss" in done.output


def test_panels_are_finite_and_show_student_and_teachers(done, params, tmp_path, galleries):
    drawn(SLKD, params, done, tmp_path)
    assert [*galleries] == ["outputs", "scm", "mscn", "texture", "edge"]
    rows, columns, title = galleries.pop("outputs")
    assert columns == ["degraded", "student", "removal teacher", "clean"] and "img-0 of mini_set" in title
    assert rows["image"].shape == (4, 32, 32, 3) and rows["error"].shape == (3, 32, 32, 1)
    for name, (rows, columns, _) in galleries.items():
        assert [*rows] == ["student, encoder", "teacher A, encoder", "student, decoder", "teacher B, decoder"]
        assert [len(row) for row in rows.values()] == [4, 4, 3, 3] and len(columns) == 4
        assert {row.shape[1:] for row in rows.values()} == {(32, 32, 3 if name == "scm" else 1)}
        assert all(np.isfinite(row).all() for row in rows.values())


def test_the_adapters_are_those_that_were_trained(done, params, tmp_path, galleries):
    drawn(SLKD, params, done, tmp_path)
    state = torch.load(done.checkpoint(SLKD), weights_only=True)["distiller"]
    distiller = diagnosis.load_distiller(SLKD, Planner(params, done))[0]
    assert not distiller.training
    assert all(torch.equal(value, state[name]) for name, value in distiller.state_dict().items())


def test_a_method_without_pictures_shows_terms_and_outputs(done, params, tmp_path, galleries):
    assert drawn(SCRATCH, params, done, tmp_path) == ["terms.png", "terms.svg", "outputs.png"]
    assert galleries["outputs"][1] == ["degraded", "student", "clean"]


def test_a_control_has_no_teacher_to_show(done, params, tmp_path, galleries):
    names = drawn(replace(SLKD, teacher="oracle"), params, done, tmp_path)
    assert names == ["terms.png", "terms.svg", "outputs.png"]
    assert galleries["outputs"][1] == ["degraded", "student", "clean"]


def test_a_method_of_another_package_shows_what_it_likes(done, params, tmp_path, galleries, monkeypatch):
    mine = {"mine": Panels("look", {"x": torch.zeros(1, 1, 8, 8)})}
    monkeypatch.setattr(METHODS["scratch"], "pictures", lambda self, lesson: mine)
    assert drawn(SCRATCH, params, done, tmp_path)[-1] == "mine.png"
    assert galleries["mine"][0]["x"].shape == (1, 8, 8, 1) and galleries["mine"][1] == []


@pytest.mark.parametrize("image", ["img-1", "1"])
def test_an_image_is_chosen_by_name_or_number(done, params, tmp_path, galleries, image):
    drawn(SCRATCH, params, done, tmp_path, image=image, test_set="mini_set")
    assert "img-1 of mini_set" in galleries["outputs"][2]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"image": "img1"}, "no image 'img1': give a name, as 'img-1', or a number below 2"),
        ({"image": "2"}, "mini_set has no image '2'"),
        ({"test_set": "mini"}, "unknown test set of denoising in this grid 'mini': did you mean 'mini_set'"),
    ],
)
def test_unknown_images_are_suggested(done, params, tmp_path, options, message):
    with pytest.raises((ValueError, UnknownNameError), match=message):
        drawn(SCRATCH, params, done, tmp_path, **options)


def test_an_image_that_is_too_small_is_refused(done, params, tmp_path, monkeypatch):
    write_pairs(tmp_path / "tiny", 1, size=(12, 40))
    planner = Planner(params, done)
    small = Planner(params.model_copy(update={"test_root": tmp_path / "tiny"}), done)
    monkeypatch.setattr(planner.data("denoising"), "test_sets", small.data("denoising").test_sets, raising=False)
    with pytest.raises(ValueError, match="img-0 of tiny: 40x12 pixels, but these networks take sides from 16"):
        list(diagnose(SCRATCH, planner, tmp_path))


def test_a_history_that_was_not_kept_is_named_after_the_pictures(done, params, tmp_path, galleries):
    copy = Workspace.of("any", tmp_path / "copy")
    shutil.copytree(done.results, copy.results)
    copy.history(SCRATCH).unlink()
    with pytest.raises(FileNotFoundError, match=r"no history of the loss terms.*delete .*train the cell again"):
        drawn(SCRATCH, params, copy, tmp_path)
    assert [*galleries] == ["outputs"]


def test_a_cell_that_is_not_trained_says_how_to_train_it(done, params, tmp_path):
    with pytest.raises(FileNotFoundError, match=r"train it first.*--task denoising .*--method slkd --seed 0"):
        drawn(SLKD, params, Workspace.of("any", tmp_path / "nothing"), tmp_path)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--task", "denoising"], "name a RECORD .* or --method and --task"),
        (["--method", "slkd"], "name a RECORD .* or --method and --task"),
        (["--method", "slk", "--task", "denoising"], "did you mean 'slkd'"),
        (["--method", "slkd", "--task", "denoisin"], "did you mean 'denoising'"),
        (["--method", "slkd", "--task", "denoising", "--network", "nafnt"], "did you mean 'nafnet'"),
        (["--method", "slkd", "--task", "denoising", "--seed", "3"], "unknown seed of this grid '3'"),
        (["--method", "slkd", "--task", "denoising", "--teacher", "oracel"], "did you mean 'oracle'"),
        (["record.json", "--method", "slkd"], "choose one"),
    ],
)
def test_bad_requests_say_what_to_do(explain, options, message):
    with pytest.raises((ValueError, UnknownNameError), match=message):
        raise explain(*options).exception
