"""The contract of every task, on a miniature of the embedded data."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import bench.tasks
from bench.datasets.base import DATASETS, draw_batch
from bench.tasks.base import TASKS, dataset_name


@pytest.fixture
def data(tmp_path):
    """A folder like ``data/``, with two small images per set."""
    names = [f"scenes/{split}/clean" for split in ("train", "val")]
    names += [f"{name}/test/{kind}" for name, s in DATASETS.items() if s.protocol for kind in ("degraded", "clean")]
    return fill(tmp_path / "data", names)


def fill(root: Path, folders: list[str]) -> Path:
    rng = np.random.default_rng(0)
    for folder in folders:
        (root / folder).mkdir(parents=True)
        for k in range(2):
            Image.fromarray(rng.integers(0, 256, (40, 40, 3), dtype=np.uint8)).save(root / folder / f"{k}.png")
    return root


@pytest.mark.parametrize("name", TASKS)
def test_a_task_is_declared_in_a_file_of_its_name_and_its_test_sets_share_its_protocol(name):
    task = TASKS[name]
    assert (Path(bench.tasks.__file__).parent / f"{name}.py").is_file()
    assert task.title and task.test_sets
    assert {DATASETS[test_set].protocol for test_set in task.test_sets} == {task.protocol}
    assert DATASETS[task.train_set].protocol is None, "a test set must never be trained on"


@pytest.mark.parametrize("name", TASKS)
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


@pytest.mark.parametrize("name", TASKS)
def test_embedded_sources(name, data):
    task = TASKS[name]
    training, validation = task.training_source(None, data), task.validation_source(data)
    assert training.dataset != validation.dataset
    batch = draw_batch(training, seed=0, step=0, batch_size=2, crop_size=32)
    assert batch.degraded.shape == batch.clean.shape == (2, 3, 32, 32)
    assert not np.array_equal(batch.degraded, batch.clean)
    np.testing.assert_array_equal(validation.pair(1)[0], task.validation_source(data).pair(1)[0])
    tests = task.test_folders(None, data)
    assert tuple(tests) == task.test_sets
    assert all(len(pairs) == 2 and pairs.dataset == test_set for test_set, pairs in tests.items())


def test_missing_embedded_data_says_dvc_pull(tmp_path):
    task = TASKS["deraining"]
    for missing in (
        lambda: task.training_source(None, tmp_path / "data"),
        lambda: task.validation_source(tmp_path / "data"),
        lambda: task.test_folders(None, tmp_path / "data"),
    ):
        with pytest.raises(FileNotFoundError, match="dvc pull"):
            missing()


def test_a_real_set_with_train_and_test_pairs(tmp_path, data):
    root = fill(tmp_path / "Rain-100L", [f"{s}/{kind}" for s in ("train", "test") for kind in ("input", "target")])
    task = TASKS["deraining"]
    training = task.training_source(root, data)
    assert training.dataset == "rain_100l" and len(training) == 2
    assert list(task.test_folders(root, data)) == ["rain_100l"]


def test_a_real_set_without_training_pairs_can_only_be_scored(tmp_path, data):
    root = fill(tmp_path / "SOTS", ["degraded", "clean"])
    task = TASKS["dehazing"]
    with pytest.raises(FileNotFoundError, match=r"no training pairs.*--test-root"):
        task.training_source(root, data)
    assert len(task.test_folders(root, data)["sots"]) == 2


@pytest.mark.parametrize(
    ("folder", "name"), [("SOTS-indoor", "sots_indoor"), ("Rain100L", "rain100l"), ("---", "data")]
)
def test_the_name_of_a_folder_becomes_a_registry_name(folder, name):
    assert dataset_name(Path("/somewhere") / folder) == name
