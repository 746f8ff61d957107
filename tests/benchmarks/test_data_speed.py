"""How fast training crops are drawn, and how long a step waits for them."""

import itertools
import time

import numpy as np
import pytest
import torch
from PIL import Image
from scipy.ndimage import gaussian_filter
from torch.utils.data import DataLoader, Dataset

from bench.config import Params
from bench.datasets.base import Shelf, draw_batch
from bench.datasets.layout import PairFolders
from bench.datasets.loader import prefetched
from bench.datasets.pairs import MEMORY_BUDGET, StoredPairs
from bench.sources import TaskData
from tests.benchmarks.test_speed import interleaved, start, teachers  # noqa: F401 - fixtures

BATCH_SIZE, CROP_SIZE, NUM_PAIRS = 8, 128, 48
EMBEDDED = ("deraining", "deblurring", "denoising", "dehazing")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Writes the same pairs in any format; returns the folder of one."""
    root = tmp_path_factory.mktemp("pairs")
    rng = np.random.default_rng(0)
    for k in range(NUM_PAIRS):
        smooth = gaussian_filter(rng.standard_normal((321, 481, 3)), (3, 3, 0))
        image = (128 + 40 * smooth / smooth.std() + rng.normal(0, 3, smooth.shape)).clip(0, 255).astype(np.uint8)
        for suffix, name in itertools.product(("png", "jpg", "bmp"), ("input", "target")):
            (root / suffix / name).mkdir(parents=True, exist_ok=True)
            Image.fromarray(image).save(root / suffix / name / f"{k:03d}.{suffix}")
    return lambda suffix: root / suffix


class PlainPairs(Dataset):
    """What public training codes do: open both files, crop, flip, divide by 255."""

    def __init__(self, folder):
        self.paths = [[picture.path for picture in item.pictures] for item in PairFolders().find(folder)]

    def __len__(self):
        return 10**6

    def __getitem__(self, index):
        rng = np.random.default_rng(index)
        images = [np.asarray(Image.open(path).convert("RGB")) for path in self.paths[rng.integers(len(self.paths))]]
        top, left = (rng.integers(side - CROP_SIZE + 1) for side in images[0].shape[:2])
        flip = slice(None, None, -1 if rng.random() < 0.5 else 1)
        crops = [image[top : top + CROP_SIZE, left : left + CROP_SIZE][flip] for image in images]
        return [torch.from_numpy(np.ascontiguousarray(crop)).permute(2, 0, 1).float() / 255 for crop in crops]


@pytest.mark.benchmark(group="ratios")
@pytest.mark.parametrize(
    ("suffix", "memory", "target"),
    [("png", MEMORY_BUDGET, 0.1), ("jpg", MEMORY_BUDGET, 0.1), ("png", 0, 1.0), ("jpg", 0, 1.0), ("bmp", 0, 0.5)],
    ids=["png-kept", "jpg-kept", "png-decoded", "jpg-decoded", "bmp-windows"],
)
def test_batches_against_a_plain_loader(benchmark, ratios, folder, suffix, memory, target):
    source = StoredPairs(PairFolders().find(folder(suffix)), "speed", memory)
    for index in range(len(source)) if memory else ():
        source.pair(index)
    plain = iter(DataLoader(PlainPairs(folder(suffix)), BATCH_SIZE))
    steps = itertools.count()

    def measure():
        ours = {"ours": lambda: draw_batch(source, 0, next(steps), BATCH_SIZE, CROP_SIZE), "plain": lambda: next(plain)}
        times = interleaved(ours, rounds=40)
        return times["ours"] / times["plain"]

    kept = "images kept" if memory else "nothing kept"
    ratios(f"a batch of {suffix}, {kept}: ours / plain PIL loader", benchmark.pedantic(measure), target)


@pytest.mark.benchmark(group="ratios")
@pytest.mark.parametrize("name", [*EMBEDDED, "png"])
def test_share_of_a_step_that_waits_for_its_batch(benchmark, ratios, folder, start, name):  # noqa: F811
    if name in EMBEDDED:
        grid = Params(tasks=(name,), networks=("nafnet",), methods=("scratch",), seeds=(0,))
        source = TaskData(name, grid, Shelf()).training
    else:
        source = StoredPairs(PairFolders().find(folder(name)), "speed", memory=0)
    waited = []

    def draw(step):
        return draw_batch(source, 0, step, BATCH_SIZE, 64)

    def measure():
        with prefetched(draw, num_workers=1) as batches:

            def timed(step):
                started = time.perf_counter()
                batch = batches(step)
                waited.append(time.perf_counter() - started)
                return batch

            learn = start(["scratch"], timed)
            learn(10)
            waited.clear()
            started = time.perf_counter()
            learn(60)
            return sum(waited) / (time.perf_counter() - started)

    what = "nothing of a PNG set kept" if name == "png" else name
    ratios(f"waiting for a batch / step of scratch alone, {what}", benchmark.pedantic(measure), 0.03)
