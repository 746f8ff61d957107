import hashlib
import importlib
import json
from pathlib import Path

import numpy as np
import piq
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from bench.metrics.brisque import WEIGHTS_URL, BrisqueWeights, brisque, brisque_features, find_weights, flat_fraction
from bench.metrics.metric import METRICS, MetricUnavailableError
from bench.metrics.natural_scene import grey, halve

GOLDEN = Path(__file__).parents[1] / "golden"
EXPECTED = json.loads((GOLDEN / "no_reference.json").read_text())["expected"]

# piq exports a function under the name of the module.
PIQ = importlib.import_module("piq.brisque")

IS_SHAPE = torch.tensor(([True, False] + [True, False, False, False] * 4) * 2)

few = settings(max_examples=25, deadline=None)
seeds = st.integers(0, 2**32)
sides = st.integers(12, 40)
half_sides = st.integers(6, 20)
flat = pytest.mark.parametrize("level", [0, 128, 255])


def random_images(seed: int, num_images: int = 1, height: int = 22, width: int = 26) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(256, (num_images, 3, height, width), generator=generator, dtype=torch.uint8)


def golden_image(name: str) -> Tensor:
    for file in ("metrics", "no_reference"):
        with np.load(GOLDEN / f"{file}.npz") as arrays:
            if name in arrays.files:
                return torch.from_numpy(arrays[name]).permute(2, 0, 1).unsqueeze(0)
    raise KeyError(name)


def write_weights(path: Path, seed: int = 0, count: int = 30, *, as_column: bool = False) -> Path:
    """Writes made-up weights in the layout of piq's file."""
    generator = torch.Generator().manual_seed(seed)
    coefficients = 20 * torch.randn(count, generator=generator, dtype=torch.float64)
    vectors = torch.rand(count, 36, generator=generator, dtype=torch.float64) * 2 - 1
    torch.save((coefficients.unsqueeze(1) if as_column else coefficients, vectors), path)
    return path


@pytest.fixture
def weights_file(tmp_path: Path) -> Path:
    return write_weights(tmp_path / "weights.pt")


@pytest.fixture
def weights(weights_file: Path) -> BrisqueWeights:
    return BrisqueWeights.read(weights_file)


@pytest.mark.parametrize("name", [name for name, of in EXPECTED.items() if of["brisque"]["flat_fraction"] < 1e-5])
def test_golden_features(name):
    """Shapes are on a grid of 0.001, so a pixel's rounding moves them by a step."""
    found = brisque_features(golden_image(name))
    expected = torch.tensor([EXPECTED[name]["brisque"]["features"]], dtype=torch.float64)
    assert found.dtype == torch.float64
    difference = (found - expected).abs()[0]
    assert difference[IS_SHAPE].amax() <= 0.0015
    assert difference[~IS_SHAPE].amax() <= 1e-4


@pytest.mark.parametrize("name", ["b_clean", "f_clean"])
def test_golden_features_without_ties_in_grey(name):
    """No pixel of these two is halfway between two grey levels, so nothing is left to differ."""
    expected = torch.tensor([EXPECTED[name]["brisque"]["features"]], dtype=torch.float64)
    torch.testing.assert_close(brisque_features(golden_image(name)), expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("name", EXPECTED)
def test_golden_flat_fraction(name):
    found = flat_fraction(golden_image(name)).item()
    assert found == pytest.approx(EXPECTED[name]["brisque"]["flat_fraction"], abs=1e-12)


@few
@given(seeds, half_sides, half_sides)
def test_features_agree_with_piq(seed, half_height, half_width):
    """For even sizes; piq halves the others downwards."""
    images = random_images(seed, 1, 2 * half_height, 2 * half_width)
    scale = grey(images).unsqueeze(1)
    theirs = [PIQ._natural_scene_statistics(x) for x in (scale, halve(scale))]
    torch.testing.assert_close(brisque_features(images), torch.cat(theirs, dim=1), rtol=0, atol=1e-9)


@pytest.mark.parametrize("as_column", [False, True])
def test_score_agrees_with_piq(tmp_path, monkeypatch, as_column):
    path = write_weights(tmp_path / "weights.pt", as_column=as_column)
    monkeypatch.setattr(PIQ, "load_url", lambda url, map_location: torch.load(path, weights_only=True))
    images = torch.cat([golden_image("a_clean"), golden_image("a_restored")])
    theirs = PIQ._score_svr(PIQ._scale_features(brisque_features(images)))
    ours = brisque(images, BrisqueWeights.read(path))
    assert ours.dtype == torch.float64
    torch.testing.assert_close(ours, theirs.flatten(), rtol=1e-12, atol=0)


def test_agrees_with_piq_as_a_whole(weights_file, monkeypatch):
    """Up to its halving in float32. In grey, since its weighted sums carry errors that decide ties."""
    monkeypatch.setattr(PIQ, "load_url", lambda url, map_location: torch.load(weights_file, weights_only=True))
    images = golden_image("b_restored")[:, 1:2].expand(-1, 3, -1, -1)
    theirs = piq.brisque(images.double() / 255, data_range=1.0)
    ours = brisque(images, BrisqueWeights.read(weights_file))
    assert ours.item() == pytest.approx(theirs.item(), abs=1e-2)
    assert ours.item() != pytest.approx(153.591, abs=1)


def test_odd_sizes_are_halved_upwards():
    image = golden_image("f_clean")
    found = brisque_features(image)[0]
    torch.testing.assert_close(found[18:], brisque_features_of_grey(halve(grey(image)))[:18], rtol=0, atol=1e-12)


def brisque_features_of_grey(scale: Tensor) -> Tensor:
    """First-scale features by piq, which accepts any size there."""
    return PIQ._natural_scene_statistics(scale.unsqueeze(1))[0]


@few
@given(seeds, sides, sides)
def test_independent_of_the_batch_and_of_the_memory_layout(seed, height, width):
    images = random_images(seed, 3, height, width)
    weights = BrisqueWeights(torch.ones(5).double(), torch.zeros(5, 36).double(), "")
    for metric in (brisque_features, flat_fraction, lambda x: brisque(x, weights)):
        together = metric(images)
        assert together.isfinite().all()
        assert torch.equal(together, torch.cat([metric(image.unsqueeze(0)) for image in images]))
        assert torch.equal(together, metric(images.to(memory_format=torch.channels_last)))
        assert torch.equal(together, metric(images.mT.contiguous().mT))
        assert torch.equal(together, metric(images.float()))


def test_saturated_images_are_scored(weights):
    images = ((random_images(0).int() - 128) * 9 + 128).clamp(0, 255).byte()
    images[..., :12] = 255
    assert flat_fraction(images).item() > 0.1
    assert brisque(images, weights).isfinite().all()


@flat
def test_refuses_flat_images(level, weights):
    images = random_images(0, 3)
    images[1] = level
    with pytest.raises(ValueError, match=r"flat image at index \[1\] of the batch.*leave it out"):
        brisque(images, weights)


@flat
def test_flat_fraction_of_flat_images(level):
    """All but the border, beyond which the image is black."""
    inside = 16 * 20 / (22 * 26) if level else 1
    assert flat_fraction(torch.full((1, 3, 22, 26), level).byte()).item() == pytest.approx(inside)


def test_weights_are_named_by_their_file(weights_file, weights):
    assert weights.sha256 == hashlib.sha256(weights_file.read_bytes()).hexdigest()
    assert weights.coefficients.shape == (30,) and weights.support_vectors.shape == (30, 36)
    assert weights.coefficients.dtype == weights.support_vectors.dtype == torch.float64


def test_finds_the_file_in_the_weights_folder_first_then_what_piq_downloaded(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    (tmp_path / "checkpoints").mkdir()
    path = write_weights(tmp_path / "checkpoints" / "brisque_svm_weights.pt")
    assert find_weights().sha256 == BrisqueWeights.read(path).sha256
    (tmp_path / "weights").mkdir()
    ours = write_weights(tmp_path / "weights" / "brisque.pt", seed=5)
    assert find_weights().sha256 == BrisqueWeights.read(ours).sha256 != BrisqueWeights.read(path).sha256
    assert METRICS["brisque"].signature().endswith(f"|params:{find_weights().sha256[:12]}")


def test_says_how_to_get_missing_weights(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    with pytest.raises(MetricUnavailableError) as error:
        METRICS["brisque"].signature()
    for part in (WEIGHTS_URL, "weights/brisque.pt", str(tmp_path / "checkpoints" / "brisque_svm_weights.pt")):
        assert part in str(error.value)


def test_piq_still_downloads_the_same_file(monkeypatch):
    def refuse(url, map_location):
        raise ConnectionError(url)

    monkeypatch.setattr(PIQ, "load_url", refuse)
    with pytest.raises(ConnectionError, match=WEIGHTS_URL):
        PIQ._score_svr(torch.zeros(1, 36))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"coefficients": torch.ones(3)}, "got a dict; give the file of https://"),
        (torch.ones(3), "got a Tensor"),
        ((), r"got shapes \[\]"),
        ((torch.ones(3), torch.ones(3, 35)), r"got shapes \[\(3,\), \(3, 35\)\]"),
        ((torch.ones(3), torch.ones(36, 3)), "got shapes"),
        ((torch.ones(4), torch.ones(3, 36)), "got shapes"),
        ((torch.ones(0), torch.ones(0, 36)), "got shapes"),
        ((torch.ones(3), torch.full((3, 36), torch.nan)), "got values that are not finite"),
    ],
)
def test_refuses_other_files(tmp_path, content, message):
    path = tmp_path / "other.pt"
    torch.save(content, path)
    with pytest.raises(ValueError, match=rf"other\.pt: expected a pair of tensors.*{message}"):
        BrisqueWeights.read(path)


@pytest.mark.parametrize("damage", [lambda content: content[:100], lambda content: b"", lambda content: b"<html>"])
def test_refuses_damaged_files(weights_file, damage):
    weights_file.write_bytes(damage(weights_file.read_bytes()))
    with pytest.raises(ValueError, match=r"weights\.pt: damaged.*download https://"):
        BrisqueWeights.read(weights_file)


def test_refuses_files_with_code(tmp_path):
    path = tmp_path / "code.pt"
    torch.save(Path("x"), path)
    with pytest.raises(ValueError, match="not a plain PyTorch file of tensors"):
        BrisqueWeights.read(path)
