"""The contract of every task, and that the embedded ones train on what they are tested for."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import bench.tasks
from bench.config import Params
from bench.datasets.base import DATASETS, Shelf, draw_batch
from bench.datasets.layout import Clean
from bench.metrics.protocol import PROTOCOLS
from bench.sources import TaskData
from bench.tasks.base import TASKS

EMBEDDED = [name for name, task in TASKS.items() if DATASETS[task.train_set].is_embedded]
EMBEDDED_SETS = [name for name, dataset in DATASETS.items() if dataset.is_embedded]


@pytest.mark.parametrize("name", TASKS)
def test_a_task_is_declared_in_full_in_a_file_of_its_name(name):
    task = TASKS[name]
    assert (Path(bench.tasks.__file__).parent / f"{name}.py").is_file()
    assert task.title.strip() and task.test_sets
    assert len(set(task.test_sets)) == len(task.test_sets)
    assert task.protocol in PROTOCOLS


@pytest.mark.parametrize("name", TASKS)
def test_what_a_task_trains_and_is_scored_on_is_declared(name):
    task = TASKS[name]
    assert "train" in DATASETS[task.train_set].splits
    for test_set in task.test_sets:
        assert "test" in DATASETS[test_set].splits, f"{test_set} has no test split"
        assert DATASETS[test_set].protocol in PROTOCOLS, f"{test_set} names no protocol"


@pytest.mark.parametrize("name", TASKS)
def test_an_embedded_test_set_is_never_trained_on(name):
    train_set = TASKS[name].train_set
    assert not DATASETS[train_set].is_embedded or "test" not in DATASETS[train_set].splits


@pytest.mark.parametrize("name", TASKS)
def test_clean_images_are_degraded(name):
    task = TASKS[name]
    splits = [DATASETS[task.train_set].splits["train"]]
    splits += [DATASETS[test_set].splits["test"] for test_set in task.test_sets]
    holds_clean = any(isinstance(layout, Clean) for split in splits for layout in split.layouts)
    assert holds_clean == (task.degradation is not None)


@pytest.mark.parametrize("name", TASKS)
def test_a_recipe_is_complete(name):
    training = TASKS[name].recipe.training(lambda: 100)
    assert training.steps > 0
    assert training.final_learning_rate < training.learning_rate


@pytest.mark.parametrize("name", EMBEDDED)
def test_the_test_sets_of_an_embedded_task_are_embedded_and_share_its_protocol(name):
    task = TASKS[name]
    assert {DATASETS[test_set].protocol for test_set in task.test_sets} == {task.protocol}
    assert all(DATASETS[test_set].is_embedded for test_set in task.test_sets)


@pytest.mark.parametrize("name", EMBEDDED)
def test_training_spans_the_severities_of_the_test_sets(name):
    task = TASKS[name]
    for test_set in task.test_sets:
        frozen = DATASETS[test_set].degradation
        assert type(frozen) is type(task.degradation)
        for field, trained in vars(task.degradation).items():
            tested = getattr(frozen, field)
            if isinstance(trained, tuple):
                assert trained[0] <= tested[0] <= tested[1] <= trained[1], f"{test_set}: {field}"
            else:
                assert trained == tested, f"{test_set}: {field}"


@pytest.fixture
def shelf(tmp_path):
    """The embedded sets in miniature: two small images each."""
    rng = np.random.default_rng(0)
    for name in EMBEDDED_SETS:
        for split in DATASETS[name].splits:
            kinds = ("degraded", "clean") if DATASETS[name].degradation else ("clean",)
            for folder in (tmp_path / "data" / name / split / kind for kind in kinds):
                folder.mkdir(parents=True)
                for k in range(2):
                    Image.fromarray(rng.integers(0, 256, (40, 40, 3), dtype=np.uint8)).save(folder / f"{k}.png")
    return Shelf(tmp_path / "data", tmp_path / "datasets")


@pytest.mark.parametrize("name", EMBEDDED)
def test_an_embedded_task_finds_its_images(name, shelf):
    params = Params(tasks=(name,), networks=("nafnet",), methods=("scratch",), seeds=(0,))
    data = TaskData(name, params, shelf)
    assert data.training.dataset != data.validation.dataset
    batch = draw_batch(data.training, seed=0, step=0, batch_size=2, crop_size=32)
    assert batch.degraded.shape == batch.clean.shape == (2, 3, 32, 32)
    assert not np.array_equal(batch.degraded, batch.clean)
    again = TaskData(name, params, shelf)
    np.testing.assert_array_equal(data.validation.pair(1)[0], again.validation.pair(1)[0])
    assert tuple(data.test_sets) == TASKS[name].test_sets
    assert all(len(pairs) == 2 and pairs.dataset == test_set for test_set, pairs in data.test_sets.items())
