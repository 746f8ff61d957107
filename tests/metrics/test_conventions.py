"""The contract of every registered metric, and parity with the reference implementations behind its convention."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from bench.metrics.levels import cropped, to_levels
from bench.metrics.metric import METRICS
from bench.metrics.signature import explain

GOLDEN = Path(__file__).parents[1] / "golden"
EXPECTED = json.loads((GOLDEN / "conventions.json").read_text())
PAIRS = {"a": "metrics", "b": "metrics", "c": "metrics", "d": "no_reference", "f": "metrics"}
CONVENTIONS = {
    "psnr_rgb": "psnr_rgb",
    "psnr_y": "psnr_y_rounded",
    "psnr_y_unrounded": "psnr_y",
    "psnr_gain": "realblur_psnr_noalign",
    "ssim_rgb": "ssim_rgb",
    "ssim_y": "ssim_y_rounded",
    "ssim_y_unrounded": "ssim_y",
    "ssim_y_replicate": "ssim_y_full_replicate",
    "ssim_volume": "ssim_rgb_volume",
    "ssim_uniform": "ssim_skimage_default_rgb",
    "ssim_sample_covariance": "ssim_skimage_gauss_samplecov_rgb",
    "ssim_gain": "realblur_ssim_noalign",
}
FULL_REFERENCE = [name for name, metric in METRICS.items() if metric.is_full_reference]
SCORED_WITHOUT_FILES = [name for name, metric in METRICS.items() if metric.parameters is None]
few = settings(max_examples=10, deadline=None)


def tensor(image: np.ndarray) -> Tensor:
    return torch.from_numpy(image).permute(2, 0, 1).unsqueeze(0)


def pair(name: str) -> tuple[Tensor, Tensor]:
    with np.load(GOLDEN / f"{PAIRS[name]}.npz") as images:
        return tensor(images[f"{name}_restored"]), tensor(images[f"{name}_clean"])


@pytest.mark.parametrize("name", PAIRS)
@pytest.mark.parametrize("metric", CONVENTIONS)
def test_golden(metric, name):
    score = METRICS[metric](*pair(name))
    assert score.dtype == torch.float64
    assert score.item() == pytest.approx(EXPECTED["pairs"][name][CONVENTIONS[metric]], rel=1e-10)


@pytest.mark.parametrize("metric", ["psnr_rgb", "psnr_y", "psnr_y_unrounded", "ssim_rgb", "ssim_y_unrounded"])
@pytest.mark.parametrize("name", PAIRS)
def test_golden_without_the_border(metric, name):
    score = METRICS[metric](*(cropped(image, 4) for image in pair(name)))
    assert score.item() == pytest.approx(EXPECTED["pairs"][name][f"{CONVENTIONS[metric]}_crop4"], rel=1e-10)


@pytest.mark.parametrize(("rounding", "key"), [("none", "clamp_only"), ("round", "clamp_and_round_uint8")])
def test_golden_network_output(rounding, key):
    """What becomes of a network's output before it is scored: SIDD's script does not round."""
    with np.load(GOLDEN / "metrics.npz") as images:
        output, clean = (tensor(images[name]) for name in ("c_float", "c_clean"))
    restored = to_levels(output, rounding)
    expected = EXPECTED["float_output_of_c"][key]
    # Luma of the rounded image is not rounded in the fixture.
    for metric, field in (
        ("psnr_rgb", "psnr_rgb"),
        ("psnr_y_unrounded", "psnr_y"),
        ("ssim_rgb", "ssim_rgb"),
        ("ssim_volume", "ssim_rgb_volume"),
    ):
        assert METRICS[metric](restored, clean).item() == pytest.approx(expected[field], rel=1e-7)


def test_every_convention_of_psnr_and_ssim_has_a_fixture():
    assert CONVENTIONS.keys() == {name for name in METRICS if name.startswith(("psnr", "ssim"))}


def images(seed: int, count: int = 1, side: int = 48) -> Tensor:
    """Smooth random images with detail, such that no neighbourhood is flat."""
    generator = torch.Generator().manual_seed(seed)
    coarse = torch.rand(count, 3, side // 8, side // 8, generator=generator)
    smooth = torch.nn.functional.interpolate(coarse, size=(side, side), mode="bicubic")
    return (40 + 150 * smooth + 24 * torch.rand(count, 3, side, side, generator=generator)).clamp(0, 255).byte()


def noisy(clean: Tensor, sigma: float, seed: int = 1) -> Tensor:
    noise = torch.randn(clean.shape, generator=torch.Generator().manual_seed(seed))
    return (clean + sigma * noise).round().clamp(0, 255).byte()


@pytest.mark.parametrize("name", METRICS)
def test_a_metric_is_declared_in_full(name):
    metric = METRICS[name]
    assert metric.title and metric.source
    assert name.startswith(metric.definition.split(":")[0])
    assert "|uint8:" not in metric.definition and "|crop:" not in metric.definition, "these are the protocol's"
    assert explain(f"{metric.definition}|agg:image|v1")


def test_one_definition_a_metric():
    assert len({metric.definition for metric in METRICS.values()}) == len(METRICS)
    assert len({metric.title for metric in METRICS.values()}) == len(METRICS)


@pytest.mark.parametrize("name", FULL_REFERENCE)
def test_an_image_scores_best_against_itself(name):
    clean = images(0)
    best, worse = (METRICS[name](image, clean).item() for image in (clean, noisy(clean, 10)))
    assert best == {"psnr": np.inf, "gmsd": 0}.get(name.split("_")[0], pytest.approx(1))
    assert worse > best if METRICS[name].is_lower_better else worse < best


@pytest.mark.parametrize("name", FULL_REFERENCE)
@few
@given(seed=st.integers(0, 2**32))
def test_gets_worse_with_noise(name, seed):
    clean = images(seed)
    weak, strong = (METRICS[name](noisy(clean, sigma, seed), clean).item() for sigma in (6, 24))
    assert strong > weak if METRICS[name].is_lower_better else strong < weak


@pytest.mark.parametrize("name", [name for name in FULL_REFERENCE if not name.endswith("gain")])
@few
@given(seed=st.integers(0, 2**32))
def test_symmetric(name, seed):
    """But for those with a gain, which only the restored image gets."""
    x, y = images(seed), images(seed + 1)
    torch.testing.assert_close(METRICS[name](x, y), METRICS[name](y, x), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("name", SCORED_WITHOUT_FILES)
@few
@given(seed=st.integers(0, 2**32))
def test_independent_of_the_batch_and_the_memory_layout(name, seed):
    clean = images(seed, 3)
    restored = noisy(clean, 12)
    alone = torch.cat([METRICS[name](restored[k : k + 1], clean[k : k + 1]) for k in range(3)])
    assert torch.equal(METRICS[name](restored, clean), alone)
    assert torch.equal(METRICS[name](restored.contiguous(memory_format=torch.channels_last), clean), alone)


@pytest.mark.parametrize("name", SCORED_WITHOUT_FILES)
def test_unrounded_levels_score_like_the_8_bit_images_that_they_equal(name):
    clean = images(0)
    restored = noisy(clean, 12)
    scores = [METRICS[name](image, clean) for image in (restored, restored.double())]
    torch.testing.assert_close(scores[0], scores[1], rtol=1e-12, atol=0)


@pytest.mark.parametrize("name", FULL_REFERENCE)
def test_without_a_clean_image_the_reason_is_said(name):
    with pytest.raises(ValueError, match="this set has none; use no_reference"):
        METRICS[name](images(0), None)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("name", SCORED_WITHOUT_FILES)
def test_a_gpu_gives_the_same(name):
    clean = images(0)
    restored = noisy(clean, 12)
    on_gpu = METRICS[name](restored.cuda(), clean.cuda()).cpu()
    torch.testing.assert_close(on_gpu, METRICS[name](restored, clean), rtol=1e-9, atol=1e-9)
