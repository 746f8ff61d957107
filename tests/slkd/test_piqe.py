from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from slkd import brisque, piqe

GOLDEN = np.load(Path(__file__).parents[1] / "golden" / "slkd_mscn.npz")
"""PIQE of one photograph; its masks are decided by hard thresholds."""


@pytest.fixture
def blocks():
    grey = torch.from_numpy(GOLDEN["piqe_scaled_grey"]).double()
    return piqe.into_blocks(brisque.mscn(grey.expand(1, 3, -1, -1), "replicate"))


def test_block_variance_agrees_with_piqe(blocks):
    found = piqe.block_variance(blocks)
    np.testing.assert_allclose(found[0, 1], GOLDEN["piqe_block_variance"], atol=1e-3)


def test_active_blocks_agree_with_piqe(blocks):
    is_active = piqe.activity(piqe.block_variance(blocks)) > 0.5
    np.testing.assert_array_equal(is_active[0, 0], GOLDEN["piqe_active_blocks"].astype(bool))


def test_smooth_edges_agree_with_piqe(blocks):
    deviation = (piqe.edge_deviation(blocks).square() - piqe.VARIANCE_FLOOR).sqrt()
    is_smooth = (deviation < 0.1).any(dim=-1).any(dim=-2)
    np.testing.assert_array_equal(is_smooth[0, 0], GOLDEN["piqe_artefact_blocks"].astype(bool))


def test_edges_are_the_borders_of_the_block():
    block = torch.rand(16, 16, dtype=torch.float64)
    found = piqe.edge_deviation(piqe.into_blocks(block))[0, :, 0]
    for deviations, edge in zip(found, (block[0], block[-1], block[:, 0], block[:, -1]), strict=True):
        expected = [edge[i : i + 6].var() for i in range(11)]
        torch.testing.assert_close(deviations.square() - piqe.VARIANCE_FLOOR, torch.stack(expected))


def test_gradient_of_the_statistics():
    torch.manual_seed(0)
    image = torch.rand(1, 3, 8, 17, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(piqe.extract, image, fast_mode=True)


@settings(max_examples=15, deadline=None)
@given(height=st.integers(6, 50), width=st.integers(6, 50))
def test_incomplete_blocks_are_dropped(height, width):
    size = min(16, height, width)
    texture, edge = piqe.extract(torch.rand(1, 3, height, width))
    assert texture.shape == (1, 3, height // size, width // size)
    assert edge.shape == (1, 3, height // size, 4, width // size, size - 5)
    assert texture.isfinite().all() and edge.isfinite().all()


def test_distance_grows_with_noise_and_ignores_brightness():
    clean = torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    noise = torch.randn(clean.shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    assert piqe.distance(clean, clean) == 0
    assert 0 < piqe.distance(clean + 0.05 * noise, clean) < piqe.distance(clean + 0.5 * noise, clean)
    assert piqe.distance(clean + 0.3, clean) < 1e-9
