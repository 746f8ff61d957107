import json
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from bench.metrics.natural_scene import grey, mirror, mscn
from bench.metrics.piqe import PiqeMasks, piqe, piqe_masks

GOLDEN = Path(__file__).parents[1] / "golden"
EXPECTED = json.loads((GOLDEN / "no_reference.json").read_text())["expected"]

few = settings(max_examples=25, deadline=None)
seeds = st.integers(0, 2**32)
sides = st.integers(1, 50)
golden = pytest.mark.parametrize("name", EXPECTED)


def random_images(seed: int, num_images: int = 1, height: int = 40, width: int = 50) -> Tensor:
    """Smooth, flat and noisy parts, so that every decision falls both ways."""
    generator = torch.Generator().manual_seed(seed)
    smooth = torch.rand(num_images, 3, 4, 4, generator=generator) * 255
    smooth = F.interpolate(smooth, (height, width), mode="bilinear", align_corners=True)
    noise = torch.randn(num_images, 3, height, width, generator=generator) * torch.linspace(0, 40, width).floor()
    images = (smooth + noise).clamp(0, 255).byte()
    images[..., : width // 3] = images[..., :1, :1]
    return images


def golden_image(name: str) -> Tensor:
    for file in ("metrics", "no_reference"):
        with np.load(GOLDEN / f"{file}.npz") as arrays:
            if name in arrays.files:
                return torch.from_numpy(arrays[name]).permute(2, 0, 1).unsqueeze(0)
    raise KeyError(name)


@pytest.fixture(scope="module")
def expected_masks() -> dict[str, Tensor]:
    with np.load(GOLDEN / "no_reference.npz") as arrays:
        return {name: torch.from_numpy(arrays[name]) for name in arrays.files if name.startswith("piqe/")}


def has_tie(image: Tensor) -> Tensor:
    """Blocks with a pixel in reach that a rounding error moves by one level: the fixtures' weighted sums carry some."""
    red, green, blue = image[0].int()
    is_tie = (299 * red + 587 * green + 114 * blue) % 1000 == 500
    height, width = is_tie.shape
    filled = mirror(mirror(is_tie.double(), 0, after=-height % 16), 1, after=-width % 16)
    return F.max_pool2d(F.max_pool2d(filled[None], 7, stride=1, padding=3), 16)[0].bool()


@golden
def test_golden_score(name):
    expected = EXPECTED[name]["piqe"]
    assert expected["threshold_margin"] > 1e-4
    score = piqe(golden_image(name))
    assert score.dtype == torch.float64
    assert score.item() == pytest.approx(expected["score"], rel=2e-5)


@golden
def test_golden_masks(name, expected_masks):
    for kind, found in piqe_masks(golden_image(name))._asdict().items():
        if kind != "block_variance":
            assert torch.equal(found[0], expected_masks[f"piqe/{name}/{kind}"]), kind


@golden
def test_golden_block_variance(name, expected_masks):
    """The same but for blocks where the fixture's rounding of a pixel halfway between two levels differs."""
    image = golden_image(name)
    difference = (piqe_masks(image).block_variance[0] - expected_masks[f"piqe/{name}/block_variance"]).abs()
    assert difference[~has_tie(image)].amax() < 1e-12
    assert difference.amax() < 1e-3


def pixel_by_pixel(image: np.ndarray) -> tuple[dict[str, np.ndarray], float]:
    """PIQE of a grey image in loops, straight from its definition."""
    with np.errstate(invalid="ignore", divide="ignore"):
        stretched = np.rint(255 * image / max(image.max(), 1))
    padded = np.pad(stretched, [(0, -size % 16) for size in stretched.shape], mode="symmetric")
    normalised = mscn(torch.from_numpy(padded)[None], "replicate")[0].numpy()
    decisions = {kind: np.zeros([size // 16 for size in padded.shape]) for kind in PiqeMasks._fields}
    total, active = 1.0, 1
    for row, column in np.ndindex(decisions["active"].shape):
        block = normalised[16 * row : 16 * row + 16, 16 * column : 16 * column + 16]
        variance = block.var(ddof=1)
        edges = (block[0], block[15], block[:, 0], block[:, 15])
        artefact = any(edge[i : i + 6].std(ddof=1) < 0.1 for edge in edges for i in range(11))
        around = np.delete(np.delete(block, 7, axis=1), 8, axis=1).std(ddof=1)
        contrast = block[:, 7:9].std(ddof=1) / around if around else 0
        deviation = np.sqrt(variance)
        larger = max(deviation, contrast)
        noise = larger > 0 and deviation > 2 * abs(deviation - contrast) / larger
        for kind, value in zip(PiqeMasks._fields, (variance > 0.1, artefact, noise, variance), strict=True):
            decisions[kind][row, column] = value
        if variance > 0.1:
            total, active = total + artefact * (1 - variance) + noise * variance, active + 1
    return decisions, 100 * total / active


@few
@given(seeds, sides, sides)
def test_agrees_with_the_definition_block_by_block(seed, height, width):
    """Of any size: also smaller than a block, and no multiple of one."""
    image = random_images(seed, 1, height, width)
    decisions, score = pixel_by_pixel(grey(image)[0].numpy())
    assert piqe(image).item() == pytest.approx(score)
    for kind, found in piqe_masks(image)._asdict().items():
        np.testing.assert_allclose(found[0].numpy(), decisions[kind], atol=1e-12)


@few
@given(seeds, sides, sides)
def test_independent_of_the_batch_and_of_the_memory_layout(seed, height, width):
    images = random_images(seed, 3, height, width)
    together, masks = piqe(images), piqe_masks(images)
    assert together.isfinite().all()
    assert torch.equal(together, torch.cat([piqe(image.unsqueeze(0)) for image in images]))
    assert torch.equal(together, piqe(images.to(memory_format=torch.channels_last)))
    assert torch.equal(together, piqe(images.float()))
    for i, image in enumerate(images):
        for alone, of_all in zip(piqe_masks(image.unsqueeze(0)), masks, strict=True):
            assert torch.equal(alone[0], of_all[i])


def test_masks_are_one_decision_per_block():
    masks = piqe_masks(random_images(0, 2, height=40, width=64))
    assert all(mask.shape == (2, 3, 4) for mask in masks)
    assert [mask.dtype for mask in masks] == [torch.bool] * 3 + [torch.float64]
    for mask in (masks.active, masks.artefact, masks.noise):
        assert mask.any() and not mask.all()


@pytest.mark.parametrize("level", [0, 1, 128, 255])
def test_flat_images_score_100(level):
    """No block is textured, which leaves the formula's (0 + 1) / (0 + 1)."""
    image = torch.full((2, 3, 40, 50), level).byte()
    assert piqe(image).tolist() == [100, 100]
    masks = piqe_masks(image)
    assert not masks.active.any() and masks.artefact.all() and not masks.noise.any()


@few
@given(seeds, st.integers(1, 4))
def test_independent_of_the_exposure(seed, divisor):
    """The brightest pixel is scaled to 255 first."""
    dark = random_images(seed)[:, :1].expand(-1, 3, -1, -1) // (4 * divisor)
    assert piqe(dark).item() == piqe(dark * divisor).item()


def test_noise_is_noticed():
    clean = golden_image("a_clean")
    noisy = (clean + 30 * torch.randn(clean.shape, generator=torch.Generator().manual_seed(0))).clamp(0, 255).byte()
    assert piqe_masks(noisy).noise.sum() > piqe_masks(clean).noise.sum()
    assert piqe(noisy) > piqe(clean)


def test_refuses_grey_images():
    with pytest.raises(ValueError, match="repeat grey as three channels"):
        piqe(torch.zeros(1, 1, 32, 32, dtype=torch.uint8))
