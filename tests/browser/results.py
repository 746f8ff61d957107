"""A results folder such as a grid leaves it, from numbers that are made up."""

import shutil
from pathlib import Path
from statistics import fmean

import numpy as np

from bench.crop_choice import choose
from bench.crop_record import CropRecord, CropRow, strip_digest, write_crop
from bench.family import read_families
from bench.record import NetworkRecord, write_record
from bench.scoreboard import Column
from bench.values import write_history, write_per_image
from tests.harness.test_tables import record

REPOSITORY = Path(__file__).parents[2]
TASKS = {
    "deraining": {"rain_light": 29.0, "rain_heavy": 20.5},
    "deblurring": {"blur_light": 27.5, "blur_heavy": 23.0},
    "denoising": {"noise_50": 15.0},
    "dehazing": {"haze": 14.0},
}
"""PSNR of the degraded images, by task and test set."""
PLAIN = ("scratch", "scratch_long", "fitnet", "at", "sp", "rkd", "kdsr", "pisr")
PAIRED = ("output_kd", "fakd", "ckt", "csd", "dckd", "dukd", "mtkd", "psd", "skd", "wkd", "slkd")
ABLATIONS = ("slkd_degraded_b", "slkd_drl", "slkd_irl", "slkd_kl", "slkd_no_kl", "slkd_plain")
ROWS = (*PLAIN, *PAIRED, *ABLATIONS, *(f"{method}@oracle" for method in PAIRED))
PROTOCOL = "uint8:round|crop:0|tile:none|pad:published|agg:image|v1"
SIGNATURES = {
    "psnr_db": f"psnr:y|range:bt601|y:uint8|{PROTOCOL}",
    "ssim": f"ssim:y|range:bt601|y:uint8|window:gauss11x11,1.5|border:valid|{PROTOCOL}",
    "gmsd": f"gmsd:rgb|impl:piq0.8|{PROTOCOL}",
}
IMAGES = [f"image_{number}" for number in range(4)]
COMMIT = "0123456789abcdef0123456789abcdef01234567"
PUBLISHED = """
paper: {authors: D. Ren et al., title: Progressive Image Deraining Networks, venue: CVPR, year: 2019}
where: Table 1
reading: paper
columns: {deraining: [rain_light]}
protocol: rounded by truncation
signatures: {psnr_db: "psnr:y|uint8:trunc"}
rows:
  - {network: PReNet, params_m: 0.169, scores: {rain_light: {psnr_db: "37.48", ssim: "0.979"}}}
"""


def make_results(root: Path, rows=ROWS, tasks=TASKS, seeds=(0, 1, 2)) -> Path:
    """Writes records, their values per image, costs, methods, data sets and published numbers; the grid's folder."""
    results = root / "results"
    for shared in ("methods", "data_sets"):
        shutil.copytree(REPOSITORY / "results" / shared, results / shared)
    (results / "published").mkdir()
    (results / "published" / "rain.yaml").write_text(PUBLISHED)
    grid = results / "grid"
    for size, scale in (("mini", 10.0), ("micro", 1.0)):
        costs = {"params_m": 0.1 * scale, "macs_g": 0.3 * scale, "macs_complete_g": 0.3 * scale}
        cost = NetworkRecord(network="nafnet", size=size, input_size=256, **costs)
        write_record(grid / "networks" / f"nafnet_{size}.json", cost)
    rng = np.random.default_rng(0)
    for task, sets in tasks.items():
        for test_set, degraded in sets.items():
            write_cell(grid, rng, task, test_set, degraded, "teacher", 0, degraded + 8)
            for number, row in enumerate(rows):
                for seed in seeds:
                    write_cell(grid, rng, task, test_set, degraded, row, seed, degraded + 1 + 0.1 * number)
    return grid


def write_cell(grid, rng, task, test_set, degraded, row, seed, psnr):
    """Writes one record and what lies beside it."""
    method, _, teacher = row.partition("@")
    folder = grid / "cells" / task / "nafnet" / f"seed{seed}" / row
    of_images = {
        "psnr_db": (psnr + rng.normal(0, 0.2, len(IMAGES))).tolist(),
        "ssim": rng.uniform(0.7, 0.9, len(IMAGES)).tolist(),
        "gmsd": rng.uniform(0.05, 0.1, len(IMAGES)).tolist(),
    }
    reproduce = f"python -m bench.run --task {task} --method {method} --seed {seed}"
    provenance = {"commit": COMMIT, "is_dirty": False, "reproduce": reproduce, "num_cpus": 2, "packages": {}}
    run = {"seconds": 9.0, "peak_memory_mb": 1.0, "started_at": "2026-01-01T00:00:00+00:00", "provenance": provenance}
    control = "" if teacher or method in PLAIN[:2] else f"{method}@oracle" if method in PAIRED else "scratch"
    cell = record(
        method, seed=seed, task=task, test_set=test_set, role="removal" if row == "teacher" else "student",
        teacher=teacher or "trained", control=control, signatures=SIGNATURES,
        metrics={key: fmean(values) for key, values in of_images.items()},
        input_metrics={"psnr_db": degraded, "ssim": 0.6, "gmsd": 0.2}, num_images=len(IMAGES),
        steps=900 if method == "scratch_long" else 300, weights_sha256="a" * 64, run=run,
    )  # fmt: skip
    write_record(folder / f"{test_set}.json", cell)
    write_per_image(folder / f"{test_set}.csv", IMAGES, of_images, SIGNATURES)
    write_history(folder / "terms.csv", [{"step": step, "restoration": 1 / step} for step in (1, 100, 200, 300)])


def write_crops(grid, number=0) -> None:
    """Writes one of the crops of the light rain that the records choose, of noise."""
    rng = np.random.default_rng(1)
    (family, *_), column = read_families(grid), Column("deraining", "rain_light")
    choice = choose(family, column, "slkd", "scratch")[number]
    rows = (CropRow(label="degraded input", psnr_db=20.0), CropRow(label="clean", psnr_db=None), *choice.rows.values())
    panels = [rng.integers(0, 256, (16, 16, 3), dtype=np.uint8) for _ in rows]
    about = {field: getattr(choice, field) for field in ("rule", "image", "first", "second", "difference_db", "seed")}
    crop = CropRecord(
        **column._asdict(), **about, network="nafnet", left=0, top=0, side=16, rows=rows,
        strip_sha256=strip_digest(panels),
    )  # fmt: skip
    write_crop(grid, crop, panels)
