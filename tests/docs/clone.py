"""A repository like a clone of this one, but small: where documented commands run as they are typed."""

import re
import shutil
import subprocess
from pathlib import Path

import torch
import yaml
from PIL import Image
from spandrel.architectures.SwinIR import SwinIR

from bench.datasets.make import checksums
from bench.networks import build_network
from bench.networks.official import official_state

ROOT = Path(__file__).parents[2]
METHODS = ("scratch", "output_kd", "slkd")
TASKS = ("deraining", "denoising")
SIDE = 64
"""Of the images, in pixels."""
SETS = {
    "home/Downloads/Rain100L/RainTrainL/rain-{}.png": ("scenes/train/clean", 4),
    "home/Downloads/Rain100L/RainTrainL/norain-{}.png": ("scenes/train/clean", 4),
    "home/Downloads/Rain100L/Rain100L/rainy/rain-{:03}.png": ("rain_light/test/degraded", 2),
    "home/Downloads/Rain100L/Rain100L/norain-{:03}.png": ("rain_light/test/clean", 2),
    "home/Downloads/GOPRO_Large/train/GOPR0372_07_00/blur/{:06}.png": ("scenes/train/clean", 2),
    "home/Downloads/GOPRO_Large/train/GOPR0372_07_00/sharp/{:06}.png": ("scenes/train/clean", 2),
    "home/Downloads/GOPRO_Large/test/GOPR0384_11_00/blur/{:06}.png": ("blur_light/test/degraded", 2),
    "home/Downloads/GOPRO_Large/test/GOPR0384_11_00/sharp/{:06}.png": ("blur_light/test/clean", 2),
    "home/Downloads/CBSD68/{}.png": ("photos/test/clean", 2),
    "clone/datasets/bsds500/images/train/{}.jpg": ("scenes/train/clean", 4),
    "clone/datasets/bsds500/images/test/{}.jpg": ("scenes/val/clean", 2),
    "clone/path/to/Rain100L/train/input/{}.png": ("scenes/train/clean", 4),
    "clone/path/to/Rain100L/train/target/{}.png": ("scenes/train/clean", 4),
    "clone/path/to/Rain100L/test/input/{}.png": ("rain_heavy/test/degraded", 2),
    "clone/path/to/Rain100L/test/target/{}.png": ("rain_heavy/test/clean", 2),
    "clone/originals/rain-{:03}.png": ("rain_light/test/clean", 2),
}
"""Sets as their authors, and users, lay them out: what stands for their images, and for how many."""
SWINIR = {"embed_dim": 12, "depths": [1], "num_heads": [2], "window_size": 8, "upscale": 1, "resi_connection": "1conv"}
RENDERED = {"cells", "networks", "tables", "figures", "crops", "plots", "report.html", "metrics.json"}
"""What the small grids make anew in results/."""


def make_clone(root: Path) -> Path:
    """Makes the clone of a newcomer, and what else is in its home: grids of a few steps, sets of a few images."""
    folder = root / "clone"
    _copy_repository(folder)
    for path in [folder / "params.yaml", *(folder / "configs").rglob("*.yaml")]:
        if path.stem != "paper":  # it is only listed
            path.write_text(yaml.safe_dump(_short(yaml.safe_load(path.read_text()))))
    shutil.copy(folder / "configs" / "smoke.yaml", folder / "mine.yaml")
    _write_images(folder, root / "home" / "Downloads")
    _write_own(folder)
    return folder


def _copy_repository(folder: Path) -> None:
    listed = subprocess.check_output(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=ROOT, text=True
    )
    for path in map(Path, listed.rstrip("\0").split("\0")):
        is_left_out = path.parts[0] in ("tests", "data.dvc", "dvc.lock") or path.parts[:2] == (".dvc", "bundled")
        is_made = path.parts[0] == "results" and RENDERED & {*path.parts}
        if not is_left_out and not is_made and (ROOT / path).is_file():  # git lists what was deleted, too
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / path, folder / path)


def _short(grid: dict) -> dict:
    """The grid with the same keys, for seconds: a family, two seeds, a few methods, two steps."""
    steps = {"steps": 2, "batch_size": 2, "crop_size": 32}
    methods = [method for method in grid["methods"] if method in METHODS]
    configs = {name: config for name, config in grid.get("method_configs", {}).items() if name in methods}
    teachers = {key: value | steps if isinstance(value, dict) else value for key, value in grid["teachers"].items()}
    return grid | {
        "tasks": [task for task in grid["tasks"] if task.startswith(TASKS)], "networks": grid["networks"][:1],
        "methods": methods, "method_configs": configs, "seeds": grid["seeds"][:2], "teachers": teachers,
        "train": grid["train"] | steps, "threads": 1,
    }  # fmt: skip


def _middle(path: Path) -> Image.Image:
    with Image.open(path) as image:
        left, top = (image.width - SIDE) // 2, (image.height - SIDE) // 2
        return image.crop((left, top, left + SIDE, top + SIDE))


def _write_images(root: Path, downloads: Path) -> None:
    """The embedded sets and the downloads, a few images each: the middles of the embedded images."""
    for folder in (ROOT / "data").glob("*/*/*"):
        for path in sorted(folder.iterdir())[:3]:
            _save(_middle(path), root / path.relative_to(ROOT))
    for name, (folder, count) in SETS.items():
        for number, path in enumerate(sorted((ROOT / "data" / folder).iterdir())[:count], start=1):
            _save(_middle(path), root.parent / name.format(number))
    (root / "data.sha256").write_text(checksums(root / "data"))
    shutil.make_archive(str(downloads / "CBSD68"), "zip", downloads, "CBSD68")
    shutil.copytree(ROOT / "data" / "scenes" / "train" / "clean", root / "photographs")  # large enough for NIQE


def _save(image: Image.Image, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save(path)


def _write_own(folder: Path) -> None:
    """What a user brings: checkpoints, and the method that README shows, put into the profile as it says."""
    torch.save({"params": official_state(build_network("restormer", "micro", seed=1))}, folder / "deraining.pth")
    torch.save({"params": SwinIR(**SWINIR).state_dict()}, folder / "swinir.pth")
    (code,) = re.findall(r"```python\n([^`]*METHODS\.register.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    (folder / "baselines" / "gradient_kd.py").write_text(f'"""Gradient KD, README\'s example."""\n\n{code}')
    quick = yaml.safe_load((folder / "configs" / "quick.yaml").read_text())
    quick["methods"].append("gradient_kd")
    (folder / "configs" / "quick.yaml").write_text(yaml.safe_dump(quick))
    code = (folder / "examples" / "my_lab" / "my_lab" / "edge_kd.py").read_text()
    (folder / "my_package").mkdir()
    (folder / "my_package" / "my_method.py").write_text(code.replace('"edge_kd"', '"my_method"'))
