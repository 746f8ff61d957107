from pathlib import Path

import pytest
import yaml

from bench.config import digest, load_params
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
    text = broken().replace("learning_rate: 0.001", "learning_rate: 1e-3")
    assert load_params(edit(text)).train.learning_rate == 1e-3


def test_the_digest_ignores_the_order_of_keys():
    assert digest({"a": 1, "b": [2]}) == digest({"b": [2], "a": 1}) != digest({"a": 1, "b": [3]})
