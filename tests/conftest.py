"""Shared fixtures: a real set in miniature, and the --benchmark option."""

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from bench.cell import Workspace
from bench.config import Params
from bench.networks.nafnet import NAFNet


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--benchmark", action="store_true", help="run the benchmark suite, and nothing else")


def pytest_configure(config: pytest.Config) -> None:
    # A plain run neither times anything nor takes the benchmarks' imports; --benchmark runs them alone.
    config.option.benchmark_skip = not config.getoption("--benchmark")
    config.option.benchmark_only = bool(config.getoption("--benchmark"))


@pytest.fixture(autouse=True)
def two_threads() -> None:
    # Beside another worker (`pytest -n 2`), threads of two processes on two cores would wait for one another.
    torch.set_num_threads(1 if "PYTEST_XDIST_WORKER" in os.environ else 2)


@pytest.fixture
def make_network() -> Callable[..., NAFNet]:
    """Makes a small NAFNet with random block scales: these start at zero, where most of the network is idle."""

    def make(seed: int, width: int, residual: bool = True, depth: int = 2) -> NAFNet:
        torch.manual_seed(seed)
        network = NAFNet(width, (1,) * depth, 1, (1,) * depth, residual=residual)
        for name, parameter in network.named_parameters():
            if name.endswith(("beta", "gamma")):
                torch.nn.init.normal_(parameter, std=0.3)
        return network

    return make


def write_pairs(folder: Path, count: int, size: tuple[int, int] = (40, 48), seed: int = 0) -> None:
    """Writes pairs of smooth images and noisy copies in the layout of a real set."""
    rng = np.random.default_rng(seed)
    for name in ("input", "target"):
        (folder / name).mkdir(parents=True)
    for i in range(count):
        rows, columns = np.mgrid[: size[0], : size[1]]
        waves = [128 + 90 * np.sin(rows * a + columns * b) for a, b in rng.uniform(-0.3, 0.3, (3, 2))]
        clean = np.stack(waves, axis=-1)
        noisy = clean + rng.normal(0, 25, clean.shape)
        for name, image in (("target", clean), ("input", noisy)):
            Image.fromarray(image.clip(0, 255).astype(np.uint8)).save(folder / name / f"img-{i}.png")


@pytest.fixture(scope="session")
def real_set(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A set on disk: four training pairs, two test pairs whose size is no multiple of any network's."""
    root = tmp_path_factory.mktemp("sets") / "Mini-Set"
    write_pairs(root / "train", 4)
    write_pairs(root / "test", 2, size=(35, 45), seed=1)
    return root


@pytest.fixture
def make_params(real_set: Path) -> Callable[..., Params]:
    """Makes a grid on the miniature set that trains in seconds; keyword arguments replace its parameters."""
    training = {"steps": 3, "batch_size": 2, "crop_size": 32}
    values = {
        "tasks": ["denoising"],
        "networks": ["nafnet"],
        "methods": ["scratch", "output_kd", "fitnet", "slkd"],
        "seeds": [0],
        "teachers": {"removal": training, "reconstruction": training},
        "train": training,
        "data_root": real_set,
        "threads": 1,  # what two would gain on such crops, they lose beside another worker
    }
    return lambda **changes: Params.model_validate(values | changes)


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path / "results", tmp_path / "runs", tmp_path / "data")


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """A folder that the tests of a module share, for the results of one run."""
    root = tmp_path_factory.mktemp("finished")
    return Workspace(root / "results", root / "runs", root / "data")
