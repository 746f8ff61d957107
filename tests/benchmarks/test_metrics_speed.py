"""How fast image files are scored, against a plain loop over scikit-image's functions that gives the same values."""

import numpy as np
import pytest
from PIL import Image
from scipy.ndimage import gaussian_filter
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from bench.datasets.layout import PairFolders
from bench.evaluate import score_items
from bench.metrics.protocol import Protocol
from tests.benchmarks.test_speed import interleaved

NUM_IMAGES, NUM_FILES, SIDE = 200, 20, 512


@pytest.fixture(scope="module")
def items(tmp_path_factory):
    """Pairs of photograph-like files, each listed several times."""
    root = tmp_path_factory.mktemp("images")
    rng = np.random.default_rng(0)
    for k in range(NUM_FILES):
        smooth = gaussian_filter(rng.standard_normal((SIDE, SIDE, 3)), (4, 4, 0))
        clean = 128 + 40 * smooth / smooth.std() + rng.normal(0, 2, smooth.shape)
        for folder, image in (("target", clean), ("input", clean + rng.normal(0, 15, clean.shape))):
            (root / folder).mkdir(exist_ok=True)
            Image.fromarray(image.clip(0, 255).astype(np.uint8)).save(root / folder / f"{k}.png")
    return PairFolders().find(root) * (NUM_IMAGES // NUM_FILES)


def plain(items):
    scores = []
    for item in items:
        restored, clean = (np.asarray(Image.open(picture.path)) for picture in item.pictures)
        ssim = structural_similarity(
            clean, restored, channel_axis=-1, gaussian_weights=True, use_sample_covariance=False, data_range=255
        )
        scores.append((peak_signal_noise_ratio(clean, restored, data_range=255), ssim))
    return scores


@pytest.mark.benchmark(group="ratios")
def test_psnr_and_ssim_against_scikit_image(benchmark, ratios, items):
    protocol = Protocol("both", "", {"psnr_db": "psnr_rgb", "ssim": "ssim_rgb"})
    few = items[:NUM_FILES]
    ours = score_items(few, protocol).values
    np.testing.assert_allclose(list(zip(ours["psnr_db"], ours["ssim"], strict=True)), plain(few), rtol=1e-9)

    def measure():
        halves = items[: NUM_IMAGES // 2]
        functions = {"ours": lambda: score_items(halves, protocol), "plain": lambda: plain(halves)}
        times = interleaved(functions, rounds=2, warmups=0)
        return times["ours"] / times["plain"]

    ratios(
        f"PSNR and SSIM of {NUM_IMAGES} files of {SIDE}x{SIDE}: ours / scikit-image", benchmark.pedantic(measure), 1 / 3
    )
