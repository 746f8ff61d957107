from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from bench.metrics.natural_scene import grey, mscn
from bench.metrics.niqe import NiqeParameters, fit, niqe, niqe_features

GOLDEN = Path(__file__).parents[1] / "golden"

few = settings(max_examples=10, deadline=None)
seeds = st.integers(0, 2**32)
colours = pytest.mark.parametrize("colour", ["grey", "y"])


def textures(seed: int, num_images: int = 1, height: int = 192, width: int = 288) -> Tensor:
    """Images with the 1/f spectrum of natural scenes."""
    generator = torch.Generator().manual_seed(seed)
    frequency = torch.fft.fftfreq(height).unsqueeze(1).hypot(torch.fft.rfftfreq(width)).clamp(min=1 / 64)
    noise = torch.randn(num_images, 3, height, width, generator=generator)
    images = torch.fft.irfft2(torch.fft.rfft2(noise) / frequency, s=(height, width))
    return (128 + 40 * images / images.std()).clamp(0, 255).byte()


def noisy(images: Tensor, seed: int = 0) -> Tensor:
    noise = 25 * torch.randn(images.shape, generator=torch.Generator().manual_seed(seed))
    return (images + noise).clamp(0, 255).byte()


@cache
def parameters() -> NiqeParameters:
    """A model of 48 blocks of texture."""
    return fit(textures(0, 8), sharpness=0)


@pytest.mark.parametrize("name", ["d_clean", "d_restored"])
def test_golden_block_features(name):
    with np.load(GOLDEN / "no_reference.npz") as arrays:
        image = torch.from_numpy(arrays[name]).permute(2, 0, 1).unsqueeze(0)
        expected = torch.from_numpy(arrays[f"niqe/{name}/block_features_y"])
    found = niqe_features(image, "y")
    assert found.dtype == torch.float64 and found.shape == (1, 4, 36)
    # The fixture goes down the columns of blocks.
    torch.testing.assert_close(found[0, [0, 2, 1, 3]], expected, rtol=0, atol=1e-12)


@colours
@few
@given(seed=seeds)
def test_score_agrees_with_its_formula(colour, seed):
    images = textures(seed, 2)
    model = parameters()
    for image, score in zip(images, niqe(images, model, colour), strict=True):
        features = niqe_features(image.unsqueeze(0), colour)[0].numpy()
        inverse = np.linalg.pinv((model.covariance.numpy() + np.cov(features, rowvar=False)) / 2)
        difference = model.mean.numpy() - features.mean(axis=0)
        assert score.item() == pytest.approx(np.sqrt(difference @ inverse @ difference), rel=1e-6)


@few
@given(seeds, st.integers(0, 95), st.integers(0, 95))
def test_what_is_no_whole_block_does_not_count(seed, extra_rows, extra_columns):
    images = textures(seed)
    cut = images[..., :192, :192]
    larger = images.new_full((1, 3, 192 + extra_rows, 192 + extra_columns), 77)
    larger[..., :192, :192] = cut
    assert torch.equal(niqe_features(larger), niqe_features(cut))


@few
@given(seeds)
def test_independent_of_the_batch_and_of_the_memory_layout(seed):
    images = textures(seed, 3, height=100, width=200)
    for metric in (niqe_features, lambda x: niqe(x, parameters())):
        together = metric(images)
        assert together.isfinite().all()
        assert torch.equal(together, torch.cat([metric(image.unsqueeze(0)) for image in images]))
        assert torch.equal(together, metric(images.to(memory_format=torch.channels_last)))
        assert torch.equal(together, metric(images.mT.contiguous().mT))
        assert torch.equal(together, metric(images.float()))


@few
@given(seeds)
def test_noise_is_farther_from_the_model(seed):
    images = textures(seed)
    score = niqe(images, parameters())
    assert score.dtype == torch.float64
    assert 0 < score < niqe(noisy(images), parameters())


@colours
def test_fit_is_mean_and_covariance_of_all_blocks(colour):
    images = textures(3, 7)
    features = niqe_features(images, colour).flatten(0, 1).numpy()
    model = fit(images, colour, sharpness=0)
    np.testing.assert_allclose(model.mean, features.mean(axis=0))
    np.testing.assert_allclose(model.covariance, np.cov(features, rowvar=False), atol=1e-12)


def test_fit_leaves_out_blocks_that_are_less_sharp():
    """Of each image, one row of blocks has a fifth of the contrast."""
    images = textures(4, 14)
    dull = images.clone()
    dull[..., 96:, :] = 128 + (dull[..., 96:, :].int() - 128) // 5
    upper = [image[:, :96] for image in images]
    kept = fit(dull)
    # The rows meet at their border, which the windows cross.
    torch.testing.assert_close(kept.mean, fit(upper).mean, rtol=0.05, atol=0.02)
    assert not torch.allclose(kept.mean, fit(dull, sharpness=0).mean, rtol=0.05, atol=0.02)


def test_fit_takes_images_of_different_sizes():
    images = [*textures(5, 7), *textures(6, 3, height=100, width=300)]
    assert fit(iter(images), sharpness=0).mean.isfinite().all()


def test_fit_needs_enough_blocks():
    with pytest.raises(ValueError, match="needs 37 sharp blocks of 96x96 pixels, got 36 from 6 images; give more"):
        fit(textures(0, 6), sharpness=0)
    with pytest.raises(ValueError, match="got 0 from 0 images"):
        fit([])


def test_fit_needs_whole_blocks():
    with pytest.raises(ValueError, match="at least 96x96 pixels, got 95x200"):
        fit([textures(0, height=95, width=200)[0]])


@pytest.mark.parametrize("size", [(191, 191), (96, 191), (95, 1000)])
def test_refuses_images_of_less_than_two_blocks(size):
    with pytest.raises(ValueError, match=rf"at least 96x192 or 192x96, got {size[0]}x{size[1]}"):
        niqe(torch.zeros(1, 3, *size, dtype=torch.uint8), parameters())


@pytest.mark.parametrize("level", [0, 128, 255])
def test_refuses_flat_images(level):
    images = torch.full((1, 3, 192, 192), level).byte()
    assert niqe_features(images).isnan().any(dim=2).all()
    with pytest.raises(ValueError, match="two blocks of 96x96 pixels with texture, got 0 of 4; leave flat images out"):
        niqe(images, parameters())


def test_flat_blocks_do_not_count():
    images = textures(7)
    images[..., :96, :96] = 255
    features = niqe_features(images)[0]
    # The windows of the neighbours, and half size, see the border of the saturated block.
    is_defined = ~features.isnan().any(dim=1)
    assert is_defined.sum() >= 5
    assert niqe(images, parameters()).isfinite().all()
    inside = mscn(grey(images), "replicate")[0, :90, :90]
    assert not inside.any()


def test_half_saturated_images_are_scored():
    images = textures(8)
    images[images > 128] = 255
    assert niqe(images, parameters()).isfinite().all()


def test_digest_is_of_the_values():
    model = parameters()
    same = NiqeParameters(model.mean.clone(), model.covariance.mT.contiguous().mT)
    assert model.sha256 == same.sha256 and len(model.sha256) == 64
    for change in (0, 35):
        mean, covariance = model.mean.clone(), model.covariance.clone()
        mean[change] += 1e-12
        covariance[change, change] += 1e-12
        digests = {NiqeParameters(mean, model.covariance).sha256, NiqeParameters(model.mean, covariance).sha256}
        assert len(digests | {model.sha256}) == 3


def test_digest_is_stable():
    zeros = NiqeParameters(torch.zeros(36).double(), torch.zeros(36, 36).double())
    assert zeros.sha256 == "2803f250256175c79d525942ff37743b490c193a2c42db7b288b3e69ed101826"


def test_round_trip(tmp_path):
    path = tmp_path / "model.npz"
    path.write_bytes(parameters().content())
    found = NiqeParameters.read(path)
    assert found.sha256 == parameters().sha256
    assert torch.equal(niqe(textures(9), found), niqe(textures(9), parameters()))


def basicsr_arrays() -> dict[str, np.ndarray]:
    taps = np.exp(-(np.arange(-3, 4) ** 2) / (2 * (7 / 6) ** 2))
    window = np.outer(taps, taps) / taps.sum() ** 2
    model = parameters()
    return {
        "mu_pris_param": model.mean.numpy()[None],
        "cov_pris_param": model.covariance.numpy(),
        "gaussian_window": window,
    }


def test_reads_the_file_of_basicsr(tmp_path):
    np.savez(tmp_path / "niqe_pris_params.npz", **basicsr_arrays())
    assert NiqeParameters.read(tmp_path / "niqe_pris_params.npz").sha256 == parameters().sha256


def test_refuses_a_model_for_another_window(tmp_path):
    arrays = basicsr_arrays() | {"gaussian_window": np.full((7, 7), 1 / 49)}
    np.savez(tmp_path / "other.npz", **arrays)
    with pytest.raises(ValueError, match=r"other\.npz: made for another window"):
        NiqeParameters.read(tmp_path / "other.npz")


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"x": np.zeros(3)}, "expected mean and covariance or mu_pris_param and cov_pris_param, got x"),
        ({"mean": np.zeros(35), "covariance": np.eye(36)}, r"expected a mean \(36,\).* got \(35,\) and \(36, 36\)"),
        ({"mean": np.full(36, np.nan), "covariance": np.eye(36)}, "got NaN or infinity"),
        ({"mean": np.array([{}]), "covariance": np.eye(36)}, "no .npz of numbers"),
        ({"mean": np.array(["a"] * 36), "covariance": np.eye(36)}, "could not convert"),
    ],
)
def test_refuses_other_files(tmp_path, arrays, message):
    path = tmp_path / "other.npz"
    np.savez(path, **arrays)
    with pytest.raises(ValueError, match=rf"other\.npz: .*{message}"):
        NiqeParameters.read(path)


@pytest.mark.parametrize("size", [0, 100, 5000])
def test_refuses_damaged_files(tmp_path, size):
    path = tmp_path / "model.npz"
    path.write_bytes(parameters().content())
    path.write_bytes(path.read_bytes()[:size])
    with pytest.raises(ValueError, match=r"model\.npz: damaged"):
        NiqeParameters.read(path)


def test_a_given_file_must_exist(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"missing\.npz"):
        NiqeParameters.read(tmp_path / "missing.npz")
