"""The contract of every declared data set, and of the images that the embedded ones hold."""

from pathlib import Path

import numpy as np
import pytest

import bench.datasets
from bench.datasets.base import DATASETS, Shelf
from bench.datasets.dead_leaves import palette, textures
from bench.datasets.degrade import to_pixels
from bench.datasets.images import read_image
from bench.datasets.make import checksums, degraded_pairs, make_all, unpinned
from bench.datasets.pairs import open_folder
from bench.datasets.photos import CORNERS, CROP_SIZE, photographs
from bench.datasets.scenes import NUM_SCENES, scene
from bench.datasets.verify import check_set
from bench.metrics.protocol import PROTOCOLS
from bench.seeding import generator

DATA = Path(bench.datasets.__file__).parents[2] / "data"
EMBEDDED = [name for name, dataset in DATASETS.items() if dataset.is_embedded]
DEGRADED = [name for name in EMBEDDED if DATASETS[name].degradation is not None]


def differs_little(pixels: np.ndarray, stored: np.ndarray) -> bool:
    """Other versions of numpy, scipy or a decoder may round a few pixels otherwise; more is another image."""
    difference = np.abs(pixels.astype(int) - stored)
    return pixels.shape == stored.shape and difference.max() <= 2 and (difference > 0).mean() < 0.01


@pytest.mark.parametrize("name", DATASETS)
def test_a_data_set_is_declared_in_full_in_a_file_of_its_name(name):
    dataset = DATASETS[name]
    for field in ("title", "authors", "licence", "url", "reference"):
        assert getattr(dataset, field).strip(), f"{name} does not state its {field}"
    assert (Path(bench.datasets.__file__).parent / f"{name}.py").is_file()
    assert dataset.splits.keys() <= {"train", "val", "test"} and dataset.splits
    assert dataset.protocol is None or dataset.protocol in PROTOCOLS


@pytest.mark.parametrize("name", EMBEDDED)
def test_an_embedded_set_is_scored_exactly_if_it_is_degraded(name):
    dataset = DATASETS[name]
    assert (dataset.protocol is None) == (dataset.degradation is None)
    assert dataset.protocol is None or "train" not in dataset.splits


def test_photo_crops_do_not_overlap():
    for corners in CORNERS.values():
        for k, (top, left) in enumerate(corners):
            for other_top, other_left in corners[:k]:
                assert max(abs(top - other_top), abs(left - other_left)) >= CROP_SIZE


@pytest.mark.parametrize("name", EMBEDDED)
def test_the_embedded_data_is_complete(name):
    assert check_set(name, Shelf(embedded=DATA)) == []


def test_the_embedded_data_is_as_pinned():
    assert unpinned(DATA) == []


@pytest.mark.parametrize("name", DEGRADED)
def test_a_frozen_pair_is_what_its_declaration_makes(name):
    stored = open_folder(DATA / name / "test")
    made = degraded_pairs(DATA, name)
    index = len(made) - 1
    assert made.name(index) == stored.name(index)
    (degraded, clean), frozen = made.pair(index), stored.pair(index)
    assert differs_little(to_pixels(degraded), frozen[0]) and differs_little(clean, frozen[1])


@pytest.mark.parametrize("split", NUM_SCENES)
def test_a_stored_scene_is_what_its_seed_makes(split):
    index = NUM_SCENES[split] - 1
    stored = read_image(DATA / "scenes" / split / "clean" / f"{index:03d}.png")
    assert differs_little(scene(generator("scenes", split, index), 256), stored)


def test_the_stored_photographs_are_crops_of_scikit_images():
    pytest.importorskip("skimage", reason="scikit-image holds the photographs")
    for name, pixels in photographs():
        assert pixels.shape == (CROP_SIZE, CROP_SIZE, 3)
        assert differs_little(pixels, read_image(DATA / "photos" / "test" / "clean" / f"{name}.png"))


def test_without_scikit_image_making_photographs_says_what_to_install(monkeypatch, tmp_path):
    monkeypatch.setitem(__import__("sys").modules, "skimage", None)
    with pytest.raises(ModuleNotFoundError, match=r"pip install -e .\.\[data\]"):
        make_all(tmp_path)


@pytest.mark.parametrize("name", EMBEDDED)
def test_an_embedded_set_that_is_not_there_comes_with_dvc(tmp_path, name):
    findings = check_set(name, Shelf(tmp_path))
    assert [finding.severity for finding in findings] == ["error"] * len(DATASETS[name].splits)
    assert all("dvc pull" in finding.text and str(tmp_path / name) in finding.text for finding in findings)


def test_a_set_without_degradation_is_not_made():
    with pytest.raises(ValueError, match="'scenes' declares no degradation"):
        degraded_pairs(DATA, "scenes")


def spectrum_slope(pixels: np.ndarray) -> float:
    """The exponent of the power spectrum over spatial frequency, from 0.02 to 0.35 cycles a pixel."""
    grey = pixels.mean(axis=2)
    window = np.hanning(len(grey))
    power = np.abs(np.fft.fft2((grey - grey.mean()) * np.outer(window, window))) ** 2
    frequency = np.fft.fftfreq(len(grey))
    radius = np.hypot(frequency[:, None], frequency)
    edges = np.geomspace(0.02, 0.35, 16)
    ring = np.digitize(radius, edges)
    means = [power[ring == k].mean() for k in range(1, 16)]
    return float(np.polyfit(np.log(np.sqrt(edges[1:] * edges[:-1])), np.log(means), 1)[0])


def test_scenes_are_seeded_rich_and_have_the_spectrum_of_natural_images():
    """Photographs have slopes around -2 (Ruderman, 1994), from -1.5 to -3.5 one by one."""
    drawn = [scene(generator("test", k), 256) for k in range(4)]
    np.testing.assert_array_equal(drawn[0][:64], scene(generator("test", 0), 256)[:64])
    assert -3.0 < np.mean([spectrum_slope(pixels) for pixels in drawn]) < -1.5
    for pixels in drawn:
        assert pixels.shape == (256, 256, 3) and pixels.dtype == np.uint8
        assert np.ptp(pixels) > 150 and pixels.std() > 15
        assert len(np.unique(pixels.reshape(-1, 3), axis=0)) > 2000


def test_palettes_and_textures_stay_in_range():
    for seed in range(5):
        colours = palette(50, generator(seed))
        assert colours.shape == (50, 3) and colours.min() >= 0 and colours.max() <= 1
    bank = textures(8, 32, generator(0))
    assert bank.shape == (8, 32, 32) and bank.min() >= -1e-6 and bank.max() <= 1 + 1e-6


def test_files_that_are_not_as_pinned_are_named(tmp_path):
    data = tmp_path / "data"
    data.mkdir()
    for name in ("altered.png", "gone.png", "same.png"):
        (data / name).write_bytes(b"original")
    assert unpinned(data) == []
    pinned = checksums(data)
    (tmp_path / "data.sha256").write_text(pinned)
    assert pinned.splitlines()[0].endswith("  data/altered.png")
    assert unpinned(data) == []
    (data / "altered.png").write_bytes(b"altered")
    (data / "gone.png").unlink()
    (data / "new.png").write_bytes(b"new")
    assert unpinned(data) == ["data/altered.png", "data/gone.png", "data/new.png"]
