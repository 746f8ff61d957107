"""Side-by-side crops: the rule that chooses them, the files that keep them, and that they show what was scored."""

import json
import shutil
from types import SimpleNamespace

import numpy as np
import pytest
import torch
import typer
import yaml
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from typer.testing import CliRunner

from bench import run
from bench.cell import Filters
from bench.config import Tiling
from bench.crop_choice import choose, choose_images, choose_window, stale_crops
from bench.crop_record import (
    CropRecord,
    CropRow,
    error_maps,
    read_crops,
    read_panels,
    record_path,
    rule_in_words,
    strip_digest,
    write_crop,
)
from bench.crops import View, crops
from bench.evaluate import score
from bench.family import read_families
from bench.metrics.protocol import get_protocol
from bench.record import write_record
from bench.registry import UnknownNameError
from bench.scoreboard import Column
from bench.values import read_per_image, write_per_image
from tests.harness.test_tables import record

COLUMN = Column("deraining", "rain_light")
LABELS = ("degraded input", "clean", "removal teacher", "scratch", "slkd")


@pytest.fixture(autouse=True)
def one_thread(two_threads):
    torch.set_num_threads(1)  # these tensors are too small to share


@pytest.fixture
def params(make_params):
    return make_params(methods=["scratch", "slkd"])


@pytest.fixture
def done(finished, params):
    """The results of a grid of two methods on two images, which the tests of this module share and leave alone."""
    if not finished.results.exists():
        assert run.run_grid(params, finished, Filters()) == {}
        shutil.move(finished.runs, finished.results / "runs")  # where the command looks for those of --results
    return finished.results


@pytest.fixture
def copy(done, tmp_path):
    return shutil.copytree(done, tmp_path / "copy")


@pytest.fixture
def cut(params, tmp_path):
    """Runs the command on a results folder; returns what it printed, or raises what it raised."""
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(params.model_dump(mode="json", exclude_none=True)))
    app = typer.Typer()
    app.command()(crops)

    def command(results, *options):
        grid = ["--params", tmp_path / "params.yaml", "--results", results, "--side", 16]
        done = CliRunner().invoke(app, list(map(str, [*grid, *options])))
        if done.exception:
            raise done.exception
        return done.output

    return command


@pytest.fixture
def place(tmp_path):
    """Writes a record with PSNR per image into ``tmp_path``; several keyword arguments name the images."""

    def make(method, seed=0, **psnr_db):
        label, _, teacher = method.partition("@")
        is_student = method != "removal"
        asks = {"teacher": teacher or "trained"} if is_student else {"role": "removal"}
        item = record(label if is_student else "scratch", seed=seed, weights_sha256=f"{method}{seed}", **asks)
        path = tmp_path / "cells" / f"{method}{seed}" / "rain_light.json"
        write_record(path, item)
        write_per_image(path.with_suffix(".csv"), list(psnr_db), {"psnr_db": list(psnr_db.values())}, item.signatures)
        return path

    return make


@pytest.fixture
def crop(tmp_path):
    """A crop of five panels of two pixels a side, and what it shows; written below ``tmp_path``."""
    panels = [np.full((2, 2, 3), level, np.uint8) for level in (90, 100, 98, 104, 110)]
    about = {"task": "deraining", "network": "nafnet", "test_set": "rain_light", "image": "a", "rule": "worst"}
    about |= {"first": "slkd", "second": "scratch", "difference_db": 0.5, "seed": 0, "left": 16, "top": 0, "side": 2}
    rows = tuple(CropRow(label=label, psnr_db=None if label == "clean" else 30.0) for label in LABELS)
    item = CropRecord(**about, rows=rows, strip_sha256=strip_digest(panels))
    write_crop(tmp_path, item, panels)
    return item


def chosen(results, first="slkd", second="scratch"):
    (family,) = read_families(results)
    return choose(family, COLUMN, first, second)


def edit(path, **changes):
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def file_of(results, method):
    (path,) = results.glob(f"cells/*/*/*/{method}/*.json")
    return path


# the rule


@given(st.dictionaries(st.text(max_size=3), st.sampled_from([-1.0, 0.0, 0.5, 2.0]), min_size=1), st.randoms())
def test_worst_median_and_best_are_places_in_one_order_whatever_order_they_come_in(differences, random):
    found = choose_images(differences)
    assert [*found] == ["worst", "median", "best"]
    pairs = sorted((difference, image) for image, difference in differences.items())
    below = {rule: sum(pair < (differences[image], image) for pair in pairs) for rule, image in found.items()}
    above = {rule: sum(pair > (differences[image], image) for pair in pairs) for rule, image in found.items()}
    assert below["worst"] == above["best"] == 0
    assert above["median"] - below["median"] == (len(pairs) + 1) % 2  # the lower of the two in the middle
    shuffled = random.sample(sorted(differences), len(differences))
    assert choose_images({image: differences[image] for image in shuffled}) == found


@given(st.integers(32, 70), st.integers(32, 70), st.sampled_from([16, 30]), st.integers(0, 9))
def test_the_window_is_the_most_degraded_one_of_the_grid(height, width, side, seed):
    degraded, clean = np.random.default_rng(seed).integers(0, 3, (2, height, width, 3), dtype=np.uint8)
    left, top = choose_window(degraded, clean, side)
    errors = {
        (y, x): abs(degraded[y : y + side, x : x + side].astype(float) - clean[y : y + side, x : x + side]).sum()
        for y in range(0, height - side + 1, 16)
        for x in range(0, width - side + 1, 16)
    }
    assert (top, left) == min(place for place, error in errors.items() if error == max(errors.values()))


def test_where_nothing_differs_the_first_window_is_shown_and_a_small_image_has_none():
    image = np.zeros((40, 48, 3), np.uint8)
    assert choose_window(image, image, 32) == (0, 0)
    with pytest.raises(ValueError, match="48x40 pixels has no window of side 64; choose a smaller --side"):
        choose_window(image, image, 64)


def test_images_are_chosen_by_the_mean_over_the_seeds_that_both_rows_have(place, tmp_path):
    place("scratch", 0, a=10.0, b=10.0, c=10.0)  # no partner: it would make `a` the best
    place("slkd", 7, a=99.0, b=0.0, c=0.0)
    for seed in (1, 2):
        place("scratch", seed, a=30.0, b=30.0, c=30.0)
    place("slkd", 1, a=30.0, b=33.0, c=31.0)
    place("slkd", 2, a=31.0, b=29.0, c=31.5)
    found = {choice.rule: (choice.image, choice.difference_db) for choice in chosen(tmp_path)}
    assert found == {"worst": ("a", 0.5), "median": ("b", 1.0), "best": ("c", 1.25)}
    assert {choice.seed for choice in chosen(tmp_path)} == {1}


def test_a_strip_has_the_teacher_and_the_students_of_one_seed_without_controls(place, tmp_path):
    for method in ("slkd", "slkd@oracle", "fitnet", "scratch", "removal"):
        place(method, 0, a=30.0)
    place("at", 1, a=30.0)
    rows = chosen(tmp_path)[0].rows
    assert [row.label for row in rows.values()] == ["removal teacher", "scratch", "fitnet", "slkd"]
    assert [row.weights_sha256 for row in rows.values()] == ["removal0", "scratch0", "fitnet0", "slkd0"]
    against_control = chosen(tmp_path, second="slkd@oracle")[0].rows
    assert [row.label for row in against_control.values()][-2:] == ["slkd", "slkd@oracle"]


def test_rows_that_were_scored_on_different_images_are_refused(place, tmp_path):
    place("scratch", a=30.0)
    path = place("slkd", b=30.0)
    with pytest.raises(ValueError, match="deraining: rain_light: rows were scored on different images"):
        chosen(tmp_path)
    path.with_suffix(".csv").unlink()
    with pytest.raises(FileNotFoundError, match=r"slkd0/rain_light\.csv: no values per image beside the record"):
        chosen(tmp_path)


def test_without_scores_of_both_rows_nothing_is_chosen(place, tmp_path):
    place("scratch", a=30.0)
    assert chosen(tmp_path) == []


def test_the_rule_is_told_in_words_with_the_names_of_the_crop(crop):
    text = rule_in_words(crop)
    assert "PSNR of `slkd`" in text and "`scratch`" in text and "2x2 pixels" in text and "16 pixels" in text


# the files


def test_panels_come_back_as_they_were(crop, tmp_path):
    assert read_crops(tmp_path) == [crop]
    panels = read_panels(tmp_path, crop)
    assert tuple(panels) == LABELS
    assert [int(panel[0, 0, 0]) for panel in panels.values()] == [90, 100, 98, 104, 110]
    assert {panel.shape for panel in panels.values()} == {(2, 2, 3)}


def test_error_maps_share_one_scale_that_the_degraded_panel_does_not_decide(crop, tmp_path):
    found = error_maps(read_panels(tmp_path, crop) | {"degraded input": np.zeros((2, 2, 3), np.uint8)})
    assert found.largest == 10.0 and "clean" not in found.maps
    assert {label: int(panel[0, 0]) for label, panel in found.maps.items()} == {
        "degraded input": 255, "removal teacher": 51, "scratch": 102, "slkd": 255
    }  # fmt: skip
    alike = error_maps(dict.fromkeys(LABELS, np.zeros((2, 2, 3), np.uint8)))
    assert alike.largest == 1.0 and not any(panel.any() for panel in alike.maps.values())


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"rule": "nicest"}, "rule: Input should be"),
        ({"side": 0}, "side: "),
        ({"left": -16}, "left: "),
        ({"difference_db": "0.5"}, "difference_db: "),
        ({"extra": 1}, "extra: "),
        ({"rows": [{"label": "clean", "psnr_db": None}] * 2}, "rows: .* got clean, clean"),
        ({"image": "a", "rule": "best"}, "holds the record of .*rain_light_best.json"),
    ],
)
def test_a_damaged_record_is_named(crop, tmp_path, changes, message):
    path = record_path(tmp_path, crop)
    edit(path, **changes)
    with pytest.raises(ValueError, match=message) as error:
        read_crops(tmp_path)
    assert str(path) in str(error.value)


def test_a_damaged_strip_is_named(crop, tmp_path):
    path = record_path(tmp_path, crop).with_suffix(".webp")
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(ValueError, match=r"rain_light_worst\.webp: cannot be decoded"):
        read_panels(tmp_path, crop)
    for shape in ((2, 10, 3), (2, 9, 3), (3, 10, 3)):  # of other pixels, or of another size
        Image.fromarray(np.zeros(shape, np.uint8)).save(path, lossless=True)
        with pytest.raises(ValueError, match=r"rain_light_worst\.webp: not the strip of the record beside it"):
            read_panels(tmp_path, crop)
    path.unlink()
    with pytest.raises(FileNotFoundError, match=r"rain_light_worst\.webp: no such image file"):
        read_panels(tmp_path, crop)


def test_a_record_without_the_panels_of_a_crop_is_named(cut, copy):
    cut(copy)
    path = record_path(copy, read_crops(copy)[0])
    edit(path, rows=[])
    with pytest.raises(ValueError, match=rf"{path.name}: rows: expected degraded input, clean and different networks"):
        read_crops(copy)


# what is shown


def test_crops_show_what_was_scored(cut, copy, real_set):
    printed = cut(copy)
    assert "cut: 3, 0.0" in printed and "mini_set_median.webp" in printed
    found = read_crops(copy)
    assert {crop.rule: crop.image for crop in found}.keys() == {"worst", "median", "best"}
    for crop in found:
        assert tuple(row.label for row in crop.rows) == LABELS
        panels = read_panels(copy, crop)
        window = np.s_[crop.top : crop.top + 16, crop.left : crop.left + 16]
        for label, folder in (("degraded input", "input"), ("clean", "target")):
            file = real_set / "test" / folder / f"{crop.image}.png"
            assert (panels[label] == np.asarray(Image.open(file))[window]).all()
        psnr_db = {row.label: row.psnr_db for row in crop.rows}
        for method in ("scratch", "slkd"):
            assert psnr_db[method] == read_per_image(file_of(copy, method).with_suffix(".csv"))["psnr_db"][crop.image]
        assert crop.difference_db == psnr_db["slkd"] - psnr_db["scratch"]
        assert (panels["slkd"] != panels["scratch"]).any()
    assert stale_crops(copy) == {}


def test_crops_that_are_up_to_date_are_kept_and_a_damaged_one_is_cut_again(cut, copy):
    cut(copy)
    path = record_path(copy, read_crops(copy)[0]).with_suffix(".webp")
    whole = path.read_bytes()
    assert "cut: 0, 0.00 MB together; up to date: 3" in cut(copy)
    path.write_bytes(whole[:50])
    assert "cut: 1, " in cut(copy) and path.read_bytes() == whole


def test_the_same_crops_are_the_same_bytes(cut, copy):
    cut(copy)
    before = {path: path.read_bytes() for path in (copy / "crops").rglob("*.*")}
    shutil.rmtree(copy / "crops")
    cut(copy)
    assert len(before) == 6 and before == {path: path.read_bytes() for path in before}


@pytest.mark.parametrize("protocol", ["derain_y", "sidd_matlab"])
@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_a_view_restores_and_scores_as_scoring_does(make_network, protocol, dtype):
    rng = np.random.default_rng(0)
    clean = rng.integers(0, 256, (48, 56, 3), dtype=np.uint8)
    degraded = (
        rng.integers(0, 256, clean.shape, dtype=np.uint8) if dtype == np.uint8 else rng.random(clean.shape, dtype)
    )
    one = SimpleNamespace(name=lambda index: "a", pair=lambda index: (degraded, clean), dataset="rain_light")
    pairs = type("Pairs", (SimpleNamespace,), {"__len__": lambda self: 1})(**vars(one))
    data = SimpleNamespace(test_sets={"rain_light": pairs}, protocol=lambda test_set: get_protocol(protocol))
    tiling = Tiling(tile=32, overlap=16)
    planner = SimpleNamespace(data=lambda task: data, params=SimpleNamespace(tiling=tiling))
    view = View(planner, SimpleNamespace(column=COLUMN, image="a"), 16)
    for label, of in (("degraded input", None), ("slkd", make_network(0, 4))):
        scored = []
        scores = score(of, pairs, get_protocol(protocol), tiling=tiling, watch=lambda *kept, to=scored: to.append(kept))
        psnr_db = view.show(label, of) if of else view.psnr_db
        assert psnr_db == scores.values["psnr_db"][0]
        whole = scored[0][1][0].permute(1, 2, 0).round().numpy()
        assert (view.panels[label] == whole[view.top : view.top + 16, view.left : view.left + 16]).all()


def test_an_image_that_the_grid_does_not_have_is_named():
    data = SimpleNamespace(test_sets={})
    planner = SimpleNamespace(data=lambda task: data)
    with pytest.raises(ValueError, match=r"deraining: rain_light: this grid has no image 'a' there, .* --profile"):
        View(planner, SimpleNamespace(column=COLUMN, image="a"), 16)


def test_weights_that_are_not_here_are_named_with_the_command_that_makes_them(cut, copy):
    shutil.rmtree(copy / "runs" / "denoising" / "nafnet" / "seed0" / "slkd")
    with pytest.raises(FileNotFoundError, match=r"no weights trained with these parameters; delete .*seed0/slkd, then"):
        cut(copy)
    assert not (copy / "crops").exists()


def test_weights_that_are_not_those_on_record_are_refused(cut, copy):
    edit(file_of(copy, "slkd"), weights_sha256="0" * 64)
    with pytest.raises(
        ValueError, match=r"seed0/slkd: the weights that are here are not those on record; .* bench\.run"
    ):
        cut(copy)


def test_an_image_that_does_not_have_its_psnr_is_refused(cut, copy):
    table = file_of(copy, "scratch").with_suffix(".csv")
    head, row, *rest = table.read_text().split("img-", 2)
    name, psnr_db, others = row.split(",", 2)
    table.write_text("img-".join([head, f"{name},{float(psnr_db) - 1e-4!r},{others}", *rest]))
    with pytest.raises(
        ValueError, match=r"seed0/scratch: PSNR of img-0 in mini_set is .* dB here, .* on record; delete"
    ):
        cut(copy)


def test_what_cannot_be_compared_is_said_before_anything_is_restored(cut, copy):
    for options, kind, message in (
        (("--method", "fitnet"), ValueError, "no seed has scores of both fitnet and scratch; run both, or choose"),
        (("--task", "deraning"), UnknownNameError, "task of the records in"),
        (("--side", "64"), ValueError, "has no window of side 64"),
    ):
        with pytest.raises(kind, match=message):
            cut(copy, *options)
    edit(file_of(copy, "slkd"), initial_sha256="0" * 64)
    with pytest.raises(ValueError, match=r"nafnet: its students cannot be compared: .* slkd began with"):
        cut(copy)
    with pytest.raises(FileNotFoundError, match="no records of scores"):
        cut(copy / "nowhere")


# whether they still hold


def test_a_crop_whose_weights_or_rows_are_not_those_on_record_is_stale(cut, copy):
    cut(copy)
    path = file_of(copy, "slkd")
    edit(path, weights_sha256="0" * 64)
    found = stale_crops(copy)
    assert found.keys() == {record_path(copy, crop) for crop in read_crops(copy)} and len(found) == 3
    assert all("slkd is shown with other weights than those on record" in text for text in found.values())
    other = shutil.copytree(path.parent, path.parent.with_name("at"))
    edit(other / path.name, method="at")
    assert sum("at is missing" in text for text in stale_crops(copy).values()) == 3
    (teacher,) = copy.glob("cells/*/*/teachers/removal")
    shutil.rmtree(teacher)
    lost = "removal teacher is shown, and has no record any more"
    assert sum(lost in text for text in stale_crops(copy).values()) == 3
    shutil.rmtree(path.parent)
    assert all("there are no scores of both slkd and scratch any more" in text for text in stale_crops(copy).values())
    shutil.rmtree(copy / "cells")
    assert len(stale_crops(copy)) == 3


def test_a_crop_that_the_scores_would_not_choose_any_more_is_stale(cut, copy):
    cut(copy)
    path = file_of(copy, "slkd").with_suffix(".csv")
    metrics = read_per_image(path)
    lead = {crop.rule: crop.image for crop in read_crops(copy)}
    metrics["psnr_db"][lead["worst"]] += 9
    names = list(metrics["psnr_db"])
    values = {metric: [of[name] for name in names] for metric, of in metrics.items()}
    write_per_image(path, names, values, dict.fromkeys(values, "any"))
    found = stale_crops(copy)
    (best,) = (text for path, text in found.items() if path.stem.endswith("_best"))
    assert f"image is {lead['best']}, by the records it is {lead['worst']}" in best
    assert any("difference_db is" in text for text in found.values())
