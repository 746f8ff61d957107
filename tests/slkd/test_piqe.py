import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from slkd import brisque, piqe
from tests.slkd.test_brisque import FOLDER, golden_grey

NAMES = [f"{pair}_{kind}" for pair in "abcdf" for kind in ("clean", "restored")]


@pytest.fixture(params=NAMES)
def golden(request):
    """Our blocks of a photograph, and what PIQE finds in each of them.

    Only f, of 101x133 pixels, has incomplete blocks, which PIQE fills up by mirroring, and which we leave out.
    """
    grey = golden_grey(request.param)
    blocks = piqe.into_blocks(brisque.mscn((255 * grey / grey.amax()).round(), "replicate"))
    rows, columns = blocks.shape[0], blocks.shape[2]
    with np.load(FOLDER / "no_reference.npz") as arrays:
        names = ("block_variance", "active", "artefact")
        return blocks, *(arrays[f"piqe/{request.param}/{name}"][:rows, :columns] for name in names)


def test_block_variance_agrees_with_piqe(golden):
    """Up to a few grey levels that are exact ties, which we round to even, and our variance floor."""
    blocks, variance, _, _ = golden
    np.testing.assert_allclose(piqe.block_variance(blocks), variance, atol=5e-4)


def test_active_blocks_agree_with_piqe(golden):
    blocks, _, is_active, _ = golden
    np.testing.assert_array_equal(piqe.activity(piqe.block_variance(blocks)) > 0.5, is_active)


def test_smooth_edges_agree_with_piqe(golden):
    """At PIQE's threshold, 0.1, the floor subtracted from our deviations: it would move them from 0.0995 to 0.1."""
    blocks, _, _, has_artefact = golden
    is_smooth = piqe.edge_deviation(blocks).square() - piqe.VARIANCE_FLOOR < 0.1**2
    np.testing.assert_array_equal(is_smooth.any(dim=-1).any(dim=-2), has_artefact)


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
@given(channels=st.integers(1, 5), height=st.integers(6, 50), width=st.integers(6, 50))
def test_incomplete_blocks_are_dropped(channels, height, width):
    size = min(16, height, width)
    texture, edge = piqe.extract(torch.rand(2, channels, height, width))
    assert texture.shape == (2, channels, height // size, width // size)
    assert edge.shape == (2, channels, height // size, 4, width // size, size - 5)
    assert texture.isfinite().all() and edge.isfinite().all()


def test_distance_grows_with_noise_and_ignores_brightness():
    clean = torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    noise = torch.randn(clean.shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    assert piqe.distance(clean, clean) == 0
    assert 0 < piqe.distance(clean + 0.05 * noise, clean) < piqe.distance(clean + 0.5 * noise, clean)
    assert piqe.distance(clean + 0.3, clean) < 1e-9
