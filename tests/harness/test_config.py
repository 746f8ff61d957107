from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from bench.config import Params, Recipe, Sizes, digest, load_params
from bench.distiller import METHODS
from bench.networks.base import NETWORKS
from bench.tasks.base import TASKS

PROFILES = [Path("params.yaml"), *sorted(Path("configs").glob("*.yaml"))]


@pytest.mark.parametrize("path", PROFILES, ids=str)
def test_every_profile_names_what_exists(path):
    params = load_params(path)
    assert set(params.tasks) <= set(TASKS)
    assert set(params.networks) <= set(NETWORKS)
    assert set(params.methods) <= set(METHODS)
    for network, size in params.network_sizes():
        assert size in NETWORKS[network].sizes


@pytest.fixture
def edit(tmp_path):
    def write(text):
        path = tmp_path / "mine.yaml"
        path.write_text(text)
        return path

    return write


def broken(**changes):
    return yaml.safe_dump(yaml.safe_load(Path("params.yaml").read_text()) | changes)


def test_an_unknown_parameter_suggests_the_nearest(edit):
    with pytest.raises(ValueError, match=r"mine\.yaml: unknown parameter 'netwroks': did you mean 'networks'"):
        load_params(edit(broken(netwroks=["nafnet"])))
    with pytest.raises(ValueError, match=r"unknown parameter 'train\.step': did you mean 'train\.steps'"):
        load_params(edit(broken(train={"step": 3, "steps": 3})))


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"train": {"steps": 0}}, r"train\.steps: .*greater than 0, got 0"),
        ({"train": {"steps": 1, "crop_size": 50}}, r"train\.crop_size: .*multiple of 16"),
        ({"train": {"steps": 1, "learning_rate": 7}}, r"train\.learning_rate"),
        ({"tasks": []}, r"tasks"),
        ({"seeds": [-1]}, r"seeds\.0"),
        ({"train": {"steps": 1, "restoration_loss": "l3"}}, r"train\.restoration_loss"),
        ({"evaluate_on": "train"}, r"evaluate_on"),
    ],
)
def test_a_value_out_of_range_names_its_key_path(edit, changes, path):
    with pytest.raises(ValueError, match=path):
        load_params(edit(broken(**changes)))


@pytest.mark.parametrize("text", ["", "- a\n- b", "tasks: [", "\x00", "just text"])
def test_what_is_no_params_file_is_named(edit, text):
    with pytest.raises(ValueError, match=r"mine\.yaml"):
        load_params(edit(text))


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"nowhere\.yaml"):
        load_params(tmp_path / "nowhere.yaml")


def test_overrides_replace_values_by_key_path(edit):
    params = load_params(edit(broken()), {"train.steps": 7, "seeds": [4]})
    assert params.train.steps == 7
    assert params.seeds == (4,)
    with pytest.raises(ValueError, match=r"train\.stepps"):
        load_params(edit(broken()), {"train.stepps": 7})


def test_a_small_learning_rate_may_be_written_as_yaml_reads_it(edit):
    text = broken().replace("learning_rate: 0.002", "learning_rate: 2e-3")
    assert "2e-3" in text and load_params(edit(text)).train.learning_rate == 2e-3


def test_the_digest_ignores_the_order_of_keys():
    assert digest({"a": 1, "b": [2]}) == digest({"b": [2], "a": 1}) != digest({"a": 1, "b": [3]})


COMPLETE = Recipe(
    steps=10, batch_size=4, crop_size=32, learning_rate=1e-3, final_learning_rate=0, restoration_loss="l1"
)


def test_a_recipe_counts_steps_or_epochs_and_not_both(edit):
    with pytest.raises(ValueError, match=r"mine\.yaml: train: .*steps and epochs both say how long to train"):
        load_params(edit(broken(train={"steps": 3, "epochs": 1})))
    assert load_params(edit(broken(train={"epochs": 0.5}))).train.epochs == 0.5
    with pytest.raises(ValueError, match=r"train\.epochs"):
        load_params(edit(broken(train={"epochs": 0})))


def test_what_a_recipe_leaves_out_the_other_decides():
    mine = Recipe(learning_rate=1e-4, crop_size=64).over(COMPLETE)
    assert (mine.learning_rate, mine.crop_size, mine.steps, mine.restoration_loss) == (1e-4, 64, 10, "l1")
    assert Recipe().over(COMPLETE) == COMPLETE.over(Recipe()) == COMPLETE.over(mine) == COMPLETE


def test_a_length_takes_the_place_of_a_length_of_the_other_kind():
    in_epochs = Recipe(epochs=3).over(COMPLETE)
    assert (in_epochs.steps, in_epochs.epochs) == (None, 3)
    in_steps = Recipe(steps=7).over(in_epochs)
    assert (in_steps.steps, in_steps.epochs) == (7, None)
    assert Recipe(batch_size=1).over(in_epochs).epochs == 3


@given(num_items=st.integers(1, 10**6), epochs=st.integers(1, 300), batch_size=st.integers(1, 64))
def test_epochs_become_the_fewest_steps_that_draw_as_many_images(num_items, epochs, batch_size):
    steps = Recipe(epochs=epochs, batch_size=batch_size).over(COMPLETE).training(lambda: num_items).steps
    assert (steps - 1) * batch_size < epochs * num_items <= steps * batch_size


def test_a_recipe_in_steps_does_not_ask_for_the_number_of_images():
    def ask() -> int:
        raise FileNotFoundError("the set is not here")

    assert COMPLETE.training(ask).steps == 10
    with pytest.raises(FileNotFoundError):
        Recipe(epochs=1).over(COMPLETE).training(ask)


def test_a_recipe_without_a_length_is_no_training():
    with pytest.raises(ValueError, match="steps"):
        Recipe(batch_size=4).training(lambda: 100)


def test_one_size_preset_serves_all_families_or_each_has_its_own():
    sizes = Sizes(teacher={"nafnet": "mini", "restormer": "published"}, student="micro")
    assert [sizes.of("teacher", network) for network in ("nafnet", "restormer")] == ["mini", "published"]
    assert sizes.of("student", "uformer") == "micro"
    with pytest.raises(ValueError, match=r"sizes\.teacher names no preset of uformer; it has nafnet, restormer"):
        sizes.of("teacher", "uformer")


def test_the_presets_of_a_grid_are_those_of_its_families():
    params = Params(
        tasks=("deraining",),
        networks=("nafnet", "restormer"),
        methods=("scratch",),
        seeds=(0,),
        sizes=Sizes(teacher={"nafnet": "mini", "restormer": "base"}),
    )
    expected = [("nafnet", "mini"), ("nafnet", "micro"), ("restormer", "base"), ("restormer", "micro")]
    assert params.network_sizes() == expected
