"""The images of a task, on miniatures of declared sets and of a user's own."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bench.config import Params, Recipe
from bench.datasets.base import DATASETS, Shelf, draw_batch
from bench.datasets.pairs import StoredPairs, SyntheticPairs
from bench.metrics.metric import METRICS, MetricUnavailableError
from bench.registry import UnknownNameError
from bench.sources import TaskData, dataset_name, open_test_set
from bench.tasks.base import TASKS

RAIN = {"rain_light": ("degraded", "clean"), "rain_heavy": ("degraded", "clean")}


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / ".cache"))


def fill(root: Path, *names: str) -> Path:
    """Writes random images, each another."""
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        pixels = np.random.default_rng(sum(map(ord, name))).integers(0, 256, (32, 40, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(root / name)
    return root


def pairs(folder: str, count: int) -> list[str]:
    return [f"{folder}/{kind}/{k}.png" for kind in ("input", "target") for k in range(count)]


@pytest.fixture
def shelf(tmp_path):
    return Shelf(tmp_path / "data", tmp_path / "datasets")


@pytest.fixture
def embedded(shelf):
    """The embedded sets of deraining in miniature."""
    names = [f"scenes/{split}/clean/{k}.png" for split, n in (("train", 20), ("val", 3)) for k in range(n)]
    names += [f"{name}/test/{kind}/{k}.png" for name, kinds in RAIN.items() for kind in kinds for k in range(2)]
    fill(shelf.embedded, *names)
    return shelf


@pytest.fixture
def rain1400(shelf):
    """Thirty scenes of Rain1400, three rainy versions of each, and two to test on."""
    root = shelf.place("rain1400")
    fill(root, *(f"training/ground_truth/{s}.jpg" for s in range(30)))
    fill(root, *(f"training/rainy_image/{s}_{k}.jpg" for s in range(30) for k in range(3)))
    fill(
        root, *(f"testing/{folder}/{name}.jpg" for folder, name in (("ground_truth", "901"), ("rainy_image", "901_1")))
    )
    return shelf


def task_data(name: str, shelf: Shelf, **settings) -> TaskData:
    params = Params(tasks=(name,), networks=("nafnet",), methods=("scratch",), seeds=(0,), **settings)
    return TaskData(name, params, shelf)


def test_an_embedded_task_has_its_own_sets(embedded):
    data = task_data("deraining", embedded)
    assert isinstance(data.training, SyntheticPairs) and len(data.training) == data.num_training == 20
    assert data.training.dataset == "scenes_train"
    assert list(data.test_sets) == ["rain_light", "rain_heavy"]
    assert all(isinstance(test, StoredPairs) and len(test) == 2 for test in data.test_sets.values())
    assert data.training is data.training and data.test_sets is data.test_sets, "a set is opened once"
    assert data.training_digest and len(set(data.test_digests.values())) == 2
    assert data.missing() == []


def test_the_grid_may_name_some_of_the_test_sets(embedded):
    data = task_data("deraining", embedded, test_sets=("rain_heavy", "haze"))
    assert list(data.test_sets) == list(data.test_digests) == ["rain_heavy"]
    with pytest.raises(ValueError, match="test_sets: haze has none of deraining's: rain_light, rain_heavy"):
        _ = task_data("deraining", embedded, test_sets=("haze",)).test_sets


@pytest.mark.parametrize("part", ["training", "validation", "test_sets"])
@pytest.mark.parametrize(("task", "remedy"), [("deraining", "dvc pull"), ("deraining_rain1400", "data import")])
def test_what_is_missing_says_what_to_do(shelf, part, task, remedy):
    with pytest.raises(FileNotFoundError, match=remedy) as refused:
        getattr(task_data(task, shelf), part if task == "deraining" or part != "validation" else "training")
    assert str(shelf.embedded if task == "deraining" else shelf.imported) in str(refused.value)


def test_all_that_is_missing_is_listed(embedded):
    (embedded.embedded / "scenes" / "train").rename(embedded.embedded / "away")
    (embedded.embedded / "rain_heavy").rename(embedded.embedded / "rain_away")
    reasons = task_data("deraining", embedded).missing()
    assert len(reasons) == 2 and "scenes" in reasons[0] and "rain_heavy" in reasons[1]


def test_the_number_of_training_pairs_is_as_declared_where_they_are_not_here(shelf, rain1400):
    assert task_data("deraining_rain1400", rain1400).num_training == 90
    declared = DATASETS["rain13k"].splits["train"].num_items
    assert task_data("deraining_rain13k", shelf).num_training == declared > 13_000
    with pytest.raises(FileNotFoundError, match="no training pairs"):
        _ = task_data("deraining", shelf, data_root=shelf.imported / "absent").num_training


def test_epochs_of_the_pairs_on_disk_become_steps(rain1400):
    data = task_data("deraining_rain1400", rain1400)
    recipe = Recipe(epochs=2, batch_size=8).over(TASKS["deraining_rain1400"].recipe)
    assert recipe.training(lambda: data.num_training).steps == 23  # 180 / 8, rounded up


def test_a_damaged_set_is_not_taken_for_a_missing_one(rain1400):
    (rain1400.place("rain1400") / "training/ground_truth/3.jpg").unlink()
    with pytest.raises(ValueError, match=r"3 image.*without a partner"):
        _ = task_data("deraining_rain1400", rain1400).num_training


def test_an_own_folder_takes_the_place_of_both(embedded, tmp_path):
    root = fill(tmp_path / "My-Rain 2", *pairs("train", 4), *pairs("test", 2))
    data = task_data("deraining", embedded, data_root=root)
    assert (data.training.dataset, len(data.training), data.num_training) == ("my_rain_2", 4, 4)
    assert {name: len(test) for name, test in data.test_sets.items()} == {"my_rain_2": 2}
    assert data.protocol("my_rain_2").name == TASKS["deraining"].protocol
    assert data.missing() == []
    draw_batch(data.training, 0, 0, 2, 16)


def test_an_own_test_folder_leaves_training_as_it_is(embedded, tmp_path):
    bare = fill(tmp_path / "bare", *pairs(".", 3))
    train = fill(tmp_path / "own", *pairs("train", 4), *pairs("test", 2))
    data = task_data("deraining", embedded, test_root=bare)
    assert data.training_digest == task_data("deraining", embedded).training_digest
    assert {name: len(test) for name, test in data.test_sets.items()} == {"bare": 3}
    both = task_data("deraining", embedded, data_root=train, test_root=bare)
    assert both.training.dataset == "own" and list(both.test_sets) == ["bare"]


def test_an_own_folder_without_what_is_needed_says_so(embedded, tmp_path):
    bare = fill(tmp_path / "bare", *pairs(".", 3))
    with pytest.raises(FileNotFoundError, match=r"bare/train: no training pairs; .*--test-root"):
        _ = task_data("deraining", embedded, data_root=bare).training
    for absent in (tmp_path / "absent", tmp_path):
        with pytest.raises(FileNotFoundError, match="no test pairs: expected test/"):
            _ = task_data("deraining", embedded, test_root=absent).test_sets


def test_a_sets_own_validation_images_are_taken(embedded):
    data = task_data("deraining", embedded, evaluate_on="validation")
    assert (data.validation.dataset, len(data.validation)) == ("scenes_val", 3)
    assert list(data.test_sets) == ["deraining_validation"]
    assert data.training_digest == task_data("deraining", embedded).training_digest


def originals(source) -> set[str]:
    return {item.clean.path.name for item in source.items}


def test_else_every_tenth_scene_is_held_out_with_all_its_versions(rain1400):
    whole, data = (task_data("deraining_rain1400", rain1400, evaluate_on=on) for on in ("test", "validation"))
    assert len(data.training) == data.num_training == 81 and len(data.validation) == 9
    assert originals(data.validation) == {"9.jpg", "19.jpg", "29.jpg"}
    assert not originals(data.training) & originals(data.validation)
    assert originals(data.training) | originals(data.validation) == originals(whole.training)
    assert data.training.dataset != data.validation.dataset
    assert data.training_digest != whole.training_digest
    assert list(data.test_sets) == ["deraining_rain1400_validation"]
    draw_batch(data.training, 0, 0, 2, 16)


def test_an_own_folders_scenes_are_held_out_too(embedded, tmp_path):
    root = fill(tmp_path / "own", *pairs("train", 20))
    data = task_data("deraining", embedded, data_root=root, evaluate_on="validation")
    assert (len(data.training), len(data.validation)) == (18, 2)


def test_too_few_scenes_to_hold_one_out_are_refused(embedded, tmp_path):
    root = fill(tmp_path / "own", *pairs("train", 9))
    data = task_data("deraining", embedded, data_root=root, evaluate_on="validation")
    for part in ("training", "validation"):
        with pytest.raises(ValueError, match="9 training scenes are too few to hold out one of 10"):
            getattr(data, part)


def test_each_test_set_is_scored_by_its_own_protocol(shelf):
    data = task_data("dehazing_ots", shelf)
    assert data.protocol("sots_outdoor").name == DATASETS["sots_outdoor"].protocol
    assert data.protocol("rtts").name == "no_reference"
    assert data.protocol("somewhere_else").name == "dehaze_rgb"


def test_metrics_that_cannot_be_computed_are_left_out(shelf, monkeypatch):
    def missing() -> str:
        raise MetricUnavailableError("download the weights")

    metrics = METRICS._entries if len(METRICS) else {}
    for name, parameters in (("brisque", missing), ("niqe", lambda: "here")):
        monkeypatch.setitem(metrics, name, replace(METRICS[name], parameters=parameters))
    data = task_data("dehazing_ots", shelf)
    assert list(data.protocol("rtts").metrics) == ["piqe", "niqe"]
    assert data.unavailable("rtts") == {"brisque": "download the weights"}
    assert data.unavailable("sots_outdoor") == {}


def test_the_degraded_images_are_scored_once(embedded, monkeypatch):
    data = task_data("deraining", embedded)
    scores = data.input_scores("rain_light")
    assert set(scores) == set(data.protocol("rain_light").metrics) and scores["psnr_db"] < 15
    monkeypatch.setattr("bench.sources.score", None)
    assert data.input_scores("rain_light") is scores


def test_clean_images_need_a_task_that_degrades_them(shelf):
    fill(shelf.place("kodak24"), *(f"kodim{k:02d}.png" for k in range(1, 4)))
    denoising = task_data("denoising_sigma25", shelf, test_sets=("kodak24",))
    (source,) = denoising.test_sets.values()
    degraded, clean = source.pair(0)
    assert isinstance(source, SyntheticPairs)
    assert 20 < np.std(255 * degraded - clean) < 30
    with pytest.raises(ValueError, match=r"kodak24 holds clean images.*--task.*denoising_sigma25"):
        open_test_set("kodak24", shelf=shelf)
    assert isinstance(open_test_set("kodak24", "denoising_sigma25", shelf)[0], SyntheticPairs)


def test_a_test_set_is_opened_by_its_name_or_its_folder(embedded, tmp_path):
    source, protocol = open_test_set("rain_light", shelf=embedded)
    assert (source.dataset, len(source), protocol) == ("rain_light", 2, "derain_y")
    root = fill(tmp_path / "Own", *pairs("test", 3))
    assert [open_test_set(str(root), task, embedded)[1] for task in (None, "dehazing")] == [None, "dehaze_rgb"]
    assert len(open_test_set(str(root / "test"), shelf=embedded)[0]) == 3
    with pytest.raises(FileNotFoundError, match="no test pairs"):
        open_test_set(str(tmp_path / "data"), shelf=embedded)
    with pytest.raises(UnknownNameError, match="rain_light"):
        open_test_set("rain_lihgt", shelf=embedded)


@pytest.mark.parametrize(
    ("folder", "name"),
    [("SOTS-indoor", "sots_indoor"), ("Rain100L", "rain100l"), ("---", "data"), ("雨 2", "2"), ("a  b", "a_b")],
)
def test_the_name_of_a_folder_becomes_a_registry_name(folder, name):
    assert dataset_name(Path("/somewhere") / folder) == name
