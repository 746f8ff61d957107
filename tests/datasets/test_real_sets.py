"""Every real data set is read from a miniature that lies as its authors, and those who copy it, lay it out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy.io import loadmat, savemat

from bench.datasets.base import DATASETS
from bench.datasets.pictures import CentreOfImage, HalfOfImage, MatBlock, Picture

# The two pictures of an item: a file, a half of it ("0.jpg left"), its middle ("1400.png middle"), a block of it
# ("x.mat 0,1"), or None where there is none.
Pair = tuple[str | None, str | None]


@dataclass(frozen=True)
class Miniature:
    """Part of a data set: the pictures of each split in the order in which they are expected, and other files."""

    splits: Mapping[str, Sequence[Pair]]
    others: Sequence[str] = ()
    texts: Mapping[str, str] = field(default_factory=dict)

    def write(self, root: Path) -> Path:
        pictures = {picture for pairs in self.splits.values() for pair in pairs for picture in pair if picture}
        for seed, picture in enumerate(sorted({*pictures, *self.others})):
            write_file(root, picture, seed)
        for name, text in self.texts.items():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_text(text)
        return root


def write_file(root: Path, picture: str, seed: int) -> None:
    name, _, part = picture.partition(" ")
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    if path.suffix == ".mat":
        savemat(path, {path.stem: rng.integers(0, 256, (2, 2, 16, 16, 3), dtype=np.uint8)})
        return
    height, width = {"": (16, 24), "left": (16, 48), "right": (16, 48), "middle": (36, 44)}[part]
    Image.fromarray(rng.integers(0, 256, (height, width, 3), dtype=np.uint8)).save(path)


def described(picture: Picture | None, root: Path) -> str | None:
    if picture is None:
        return None
    part = ""
    if isinstance(picture, HalfOfImage):
        part = f" {picture.side}"
    elif isinstance(picture, CentreOfImage):
        part = " middle"
    elif isinstance(picture, MatBlock):
        part = f" {picture.image},{picture.block}"
    return picture.path.relative_to(root).as_posix() + part


OFFICIAL = {
    "rain1400": Miniature(
        {
            "train": [
                ("training/rainy_image/1_1.jpg", "training/ground_truth/1.jpg"),
                ("training/rainy_image/1_14.jpg", "training/ground_truth/1.jpg"),
                ("training/rainy_image/900_2.jpg", "training/ground_truth/900.jpg"),
            ],
            "test": [
                ("testing/rainy_image/901_2.jpg", "testing/ground_truth/901.jpg"),
                ("testing/rainy_image/901_10.jpg", "testing/ground_truth/901.jpg"),
                ("testing/rainy_image/1000_1.jpg", "testing/ground_truth/1000.jpg"),
            ],
        }
    ),
    "test1200": Miniature(
        {
            "train": [
                (
                    "DID-MDN-training/Rain_Heavy/train2018new/0.jpg left",
                    "DID-MDN-training/Rain_Heavy/train2018new/0.jpg right",
                ),
                (
                    "DID-MDN-training/Rain_Light/train2018new/0.jpg left",
                    "DID-MDN-training/Rain_Light/train2018new/0.jpg right",
                ),
                (
                    "DID-MDN-training/Rain_Medium/train2018new/3999.jpg left",
                    "DID-MDN-training/Rain_Medium/train2018new/3999.jpg right",
                ),
            ],
            "test": [
                ("DID-MDN-test/2.jpg left", "DID-MDN-test/2.jpg right"),
                ("DID-MDN-test/11.jpg left", "DID-MDN-test/11.jpg right"),
            ],
        }
    ),
    "rain13k": Miniature(
        {
            "train": [
                ("train/Rain13K/input/1.jpg", "train/Rain13K/target/1.jpg"),
                ("train/Rain13K/input/2.jpg", "train/Rain13K/target/2.jpg"),
                ("train/Rain13K/input/13712.jpg", "train/Rain13K/target/13712.jpg"),
            ]
        }
    ),
    "test100": Miniature(
        {
            "test": [
                ("test/Test100/input/1.png", "test/Test100/target/1.png"),
                ("test/Test100/input/98.png", "test/Test100/target/98.png"),
            ]
        },
        others=["test/Rain100L/input/1.png", "test/Rain100L/target/1.png"],
    ),
    "test2800": Miniature(
        {
            "test": [
                ("test/Test2800/input/901_1.jpg", "test/Test2800/target/901_1.jpg"),
                ("test/Test2800/input/901_14.jpg", "test/Test2800/target/901_14.jpg"),
                ("test/Test2800/input/926_10.jpg", "test/Test2800/target/926_10.jpg"),
            ]
        }
    ),
    "rain100l": Miniature(
        {
            "train": [
                ("RainTrainL/rain-1.png", "RainTrainL/norain-1.png"),
                ("RainTrainL/rain-2.png", "RainTrainL/norain-2.png"),
                ("RainTrainL/rain-10.png", "RainTrainL/norain-10.png"),
            ],
            "test": [
                ("Rain100L/rainy/rain-001.png", "Rain100L/norain-001.png"),
                ("Rain100L/rainy/rain-100.png", "Rain100L/norain-100.png"),
            ],
        },
        others=["RainTrainL/rainstreak-1.png", "RainTrainL/rainregion-1.png", "Rain100L/rain-001.png"],
    ),
    "rain100h": Miniature(
        {
            "train": [
                ("RainTrainH/rain-1.png", "RainTrainH/norain-1.png"),
                ("RainTrainH/rain-1800.png", "RainTrainH/norain-1800.png"),
            ],
            "test": [
                ("Rain100H/rainy/rain-001.png", "Rain100H/norain-001.png"),
                ("Rain100H/rainy/rain-100.png", "Rain100H/norain-100.png"),
            ],
        },
        others=["RainTrainH/rainstreak-1.png", "Rain100H/rain-001.png"],
    ),
    "rain12": Miniature({"test": [("001_in.png", "001_GT.png"), ("012_in.png", "012_GT.png")]}),
    "spa_data": Miniature(
        {
            "train": [
                ("Training/real_world/000/000-1/000-1_0_0.png", "Training/real_world_gt/000/000_0_0.png"),
                ("Training/real_world/000/000-2/000-2_0_0.png", "Training/real_world_gt/000/000_0_0.png"),
                ("Training/real_world/169/169-14/169-14_0_3.png", "Training/real_world_gt/169/169_0_3.png"),
            ],
            "test": [
                ("Testing/real_test_1000/rain/000.png", "Testing/real_test_1000/gt/000gt.png"),
                ("Testing/real_test_1000/rain/001.png", "Testing/real_test_1000/gt/001gt.png"),
            ],
        },
        others=["Training/real_world/170/170-1/170-1_0_0.png"],
        texts={
            "Training/real_world.txt": "/real_world/000/000-1/000-1_0_0.png /real_world_gt/000/000_0_0.png\n"
            "/real_world/169/169-14/169-14_0_3.png /real_world_gt/169/169_0_3.png\n"
            "/real_world/000/000-2/000-2_0_0.png /real_world_gt/000/000_0_0.png\n",
            "Testing/real_test_1000.txt": "/real_test_1000/rain/000.png /real_test_1000/gt/000gt.png\n"
            "/real_test_1000/rain/001.png /real_test_1000/gt/001gt.png\n",
        },
    ),
    "gopro": Miniature(
        {
            "train": [
                ("train/GOPR0372_07_00/blur/000047.png", "train/GOPR0372_07_00/sharp/000047.png"),
                ("train/GOPR0372_07_00/blur/000048.png", "train/GOPR0372_07_00/sharp/000048.png"),
                ("train/GOPR0374_11_00/blur/000047.png", "train/GOPR0374_11_00/sharp/000047.png"),
            ],
            "test": [
                ("test/GOPR0384_11_00/blur/000001.png", "test/GOPR0384_11_00/sharp/000001.png"),
                ("test/GOPR0881_11_01/blur/000201.png", "test/GOPR0881_11_01/sharp/000201.png"),
            ],
        },
        others=["train/GOPR0372_07_00/blur_gamma/000047.png", "test/GOPR0384_11_00/blur_gamma/000001.png"],
    ),
    "gopro_gamma": Miniature(
        {
            "train": [
                ("train/GOPR0372_07_00/blur_gamma/000047.png", "train/GOPR0372_07_00/sharp/000047.png"),
                ("train/GOPR0372_07_00/blur_gamma/000048.png", "train/GOPR0372_07_00/sharp/000048.png"),
                ("train/GOPR0374_11_00/blur_gamma/000047.png", "train/GOPR0374_11_00/sharp/000047.png"),
            ],
            "test": [
                ("test/GOPR0384_11_00/blur_gamma/000001.png", "test/GOPR0384_11_00/sharp/000001.png"),
                ("test/GOPR0881_11_01/blur_gamma/000201.png", "test/GOPR0881_11_01/sharp/000201.png"),
            ],
        },
        others=["train/GOPR0372_07_00/blur/000047.png", "test/GOPR0384_11_00/blur/000001.png"],
    ),
    "hide": Miniature(
        {
            "train": [
                ("train/3fromGOPR0950.png", "GT/3fromGOPR0950.png"),
                ("train/10fromGOPR0950.png", "GT/10fromGOPR0950.png"),
            ],
            "test": [
                ("test/test-close-ups/1fromGOPR0977.png", "GT/1fromGOPR0977.png"),
                ("test/test-close-ups/110fromGOPR1087.MP4.png", "GT/110fromGOPR1087.MP4.png"),
                ("test/test-long-shot/1fromGOPR0950.png", "GT/1fromGOPR0950.png"),
            ],
        }
    ),
    "realblur_j": Miniature(
        {
            "train": [
                (
                    "RealBlur-J_ECC_IMCORR_centroid_itensity_ref/scene001/blur/blur_2.png",
                    "RealBlur-J_ECC_IMCORR_centroid_itensity_ref/scene001/gt/gt_2.png",
                ),
                (
                    "RealBlur-J_ECC_IMCORR_centroid_itensity_ref/scene001/blur/blur_20.png",
                    "RealBlur-J_ECC_IMCORR_centroid_itensity_ref/scene001/gt/gt_20.png",
                ),
            ],
            "test": [
                (
                    "RealBlur-J_ECC_IMCORR_centroid_itensity_ref/scene050/blur/blur_7.png",
                    "RealBlur-J_ECC_IMCORR_centroid_itensity_ref/scene050/gt/gt_7.png",
                ),
                (
                    "RealBlur-J_ECC_IMCORR_centroid_itensity_ref/scene230/blur/blur_7.png",
                    "RealBlur-J_ECC_IMCORR_centroid_itensity_ref/scene230/gt/gt_7.png",
                ),
            ],
        },
        # Lines end in a space, as in the authors' files.
        texts={
            "RealBlur_J_train_list.txt": "RealBlur-J_ECC_IMCORR_centroid_itensity_ref/scene001/gt/gt_20.png "
            "RealBlur-J_ECC_IMCORR_centroid_itensity_ref/scene001/blur/blur_20.png \n"
            "RealBlur-J_ECC_IMCORR_centroid_itensity_ref/scene001/gt/gt_2.png "
            "RealBlur-J_ECC_IMCORR_centroid_itensity_ref/scene001/blur/blur_2.png \n",
            "RealBlur_J_test_list.txt": "RealBlur-J_ECC_IMCORR_centroid_itensity_ref/scene230/gt/gt_7.png "
            "RealBlur-J_ECC_IMCORR_centroid_itensity_ref/scene230/blur/blur_7.png \n"
            "RealBlur-J_ECC_IMCORR_centroid_itensity_ref/scene050/gt/gt_7.png "
            "RealBlur-J_ECC_IMCORR_centroid_itensity_ref/scene050/blur/blur_7.png \n",
        },
    ),
    "sidd": Miniature(
        {
            "train": [
                (
                    "SIDD_Medium_Srgb/Data/0001_001_S6_00100_00060_3200_L/0001_NOISY_SRGB_010.PNG",
                    "SIDD_Medium_Srgb/Data/0001_001_S6_00100_00060_3200_L/0001_GT_SRGB_010.PNG",
                ),
                (
                    "SIDD_Medium_Srgb/Data/0001_001_S6_00100_00060_3200_L/0001_NOISY_SRGB_011.PNG",
                    "SIDD_Medium_Srgb/Data/0001_001_S6_00100_00060_3200_L/0001_GT_SRGB_011.PNG",
                ),
                (
                    "SIDD_Medium_Srgb/Data/0200_010_GP_01600_03200_5500_N/0200_NOISY_SRGB_010.PNG",
                    "SIDD_Medium_Srgb/Data/0200_010_GP_01600_03200_5500_N/0200_GT_SRGB_010.PNG",
                ),
            ],
            "test": [
                ("ValidationNoisyBlocksSrgb.mat 0,0", "ValidationGtBlocksSrgb.mat 0,0"),
                ("ValidationNoisyBlocksSrgb.mat 0,1", "ValidationGtBlocksSrgb.mat 0,1"),
                ("ValidationNoisyBlocksSrgb.mat 1,0", "ValidationGtBlocksSrgb.mat 1,0"),
                ("ValidationNoisyBlocksSrgb.mat 1,1", "ValidationGtBlocksSrgb.mat 1,1"),
            ],
        },
        texts={"SIDD_Medium_Srgb/Scene_Instances.txt": "0001_001_S6_00100_00060_3200_L\n"},
    ),
    "cbsd68": Miniature(
        {"test": [(None, "CBSD68/original_png/0000.png"), (None, "CBSD68/original_png/0067.png")]},
        others=["CBSD68/noisy15/0000.png", "CBSD68/noisy50/0067.png"],
    ),
    "kodak24": Miniature({"test": [(None, "kodim01.png"), (None, "kodim02.png"), (None, "kodim24.png")]}),
    "mcmaster": Miniature({"test": [(None, "McM/1.tif"), (None, "McM/2.tif"), (None, "McM/18.tif")]}),
    "bsds500": Miniature(
        {
            "train": [
                (None, "BSDS500/data/images/test/2018.jpg"),
                (None, "BSDS500/data/images/test/100007.jpg"),
                (None, "BSDS500/data/images/train/2092.jpg"),
                (None, "BSDS500/data/images/train/100075.jpg"),
            ],
        },
        texts={"BSDS500/data/images/train/Thumbs.db": "", "BSDS500/data/groundTruth/train/2092.mat": ""},
    ),
    "its": Miniature(
        {
            "train": [
                ("hazy/1_1_0.90179.png", "clear/1.png"),
                ("hazy/1_10_0.98796.png", "clear/1.png"),
                ("hazy/1399_2_0.74031.png", "clear/1399.png"),
            ]
        },
        others=["trans/1_1.png"],
    ),
    "ots": Miniature(
        {
            "train": [
                ("OTS/0005_0.8_0.2.jpg", "clear_images/0005.jpg"),
                ("OTS/0005_1_0.04.jpg", "clear_images/0005.jpg"),
                ("OTS/8970_0.95_0.16.jpg", "clear_images/8970.jpg"),
            ]
        },
        texts={"depth/0005.mat": ""},
    ),
    "sots_indoor": Miniature(
        {
            "test": [
                ("indoor/hazy/1400_1.png", "indoor/gt/1400.png middle"),
                ("indoor/hazy/1400_10.png", "indoor/gt/1400.png middle"),
                ("indoor/hazy/1449_2.png", "indoor/gt/1449.png middle"),
            ]
        },
        others=["outdoor/hazy/0001_0.8_0.2.jpg", "outdoor/gt/0001.png"],
    ),
    "sots_outdoor": Miniature(
        {
            "test": [
                ("outdoor/hazy/0001_0.8_0.2.jpg", "outdoor/gt/0001.png"),
                ("outdoor/hazy/0019_0.8_0.16.jpg", "outdoor/gt/0019.png"),
            ]
        },
        others=["indoor/hazy/1400_1.png", "indoor/gt/1400.png"],
    ),
    "rtts": Miniature(
        {"test": [("JPEGImages/AM_Bing_211.png", None), ("JPEGImages/AM_Bing_1000.png", None)]},
        texts={"Annotations/AM_Bing_211.xml": "<annotation/>"},
    ),
}


def folders(folder: str, *names: str) -> list[Pair]:
    """Pairs of one name each in the folders ``input`` and ``target``, in which most copies lie."""
    return [(f"{folder}input/{name}", f"{folder}target/{name}") for name in names]


COPIES: list[tuple[str, str, Sequence[Pair]]] = [
    (
        "rain1400",
        "train",
        [
            ("train/rainy_image/1_1.jpg", "train/ground_truth/1.jpg"),
            ("train/rainy_image/2_14.jpg", "train/ground_truth/2.jpg"),
        ],
    ),
    ("rain1400", "train", folders("train/", "1_1.jpg", "900_14.jpg")),
    (
        "rain1400",
        "test",
        [
            ("test/rainy_image/901_1.jpg", "test/ground_truth/901.jpg"),
            ("test/rainy_image/902_14.jpg", "test/ground_truth/902.jpg"),
        ],
    ),
    (
        "rain1400",
        "test",
        [("rainy_image/901_1.jpg", "ground_truth/901.jpg"), ("rainy_image/902_14.jpg", "ground_truth/902.jpg")],
    ),
    ("rain1400", "test", folders("test/", "901_1.jpg", "901_2.jpg")),
    ("rain1400", "test", folders("", "901_1.jpg", "901_2.jpg")),
    ("test1200", "train", folders("train/", "1.jpg", "2.jpg")),
    ("test1200", "test", folders("test/Test1200/", "1.jpg", "1200.jpg")),
    ("test1200", "test", folders("Test1200/", "1.jpg", "1200.jpg")),
    ("test1200", "test", folders("test/", "1.jpg", "1200.jpg")),
    ("test1200", "test", folders("", "1.jpg", "1200.jpg")),
    ("rain13k", "train", folders("Rain13K/", "1.jpg", "2.jpg")),
    ("rain13k", "train", folders("train/", "1.jpg", "2.jpg")),
    ("rain13k", "train", folders("", "1.jpg", "2.jpg")),
    ("test100", "test", folders("Test100/", "1.png", "98.png")),
    ("test100", "test", folders("test/", "1.png", "98.png")),
    ("test100", "test", folders("", "1.png", "98.png")),
    ("test2800", "test", folders("Test2800/", "901_1.jpg", "901_2.jpg")),
    ("test2800", "test", folders("test/", "901_1.jpg", "901_2.jpg")),
    ("test2800", "test", folders("", "901_1.jpg", "901_2.jpg")),
    (
        "rain100l",
        "train",
        [
            ("train/RainTrainL/rain-1.png", "train/RainTrainL/norain-1.png"),
            ("train/RainTrainL/rain-2.png", "train/RainTrainL/norain-2.png"),
        ],
    ),
    ("rain100l", "train", folders("train/", "1.png", "2.png")),
    (
        "rain100l",
        "test",
        [
            ("test/Rain100L/rainy/rain-001.png", "test/Rain100L/norain-001.png"),
            ("test/Rain100L/rainy/rain-002.png", "test/Rain100L/norain-002.png"),
        ],
    ),
    ("rain100l", "test", [("rainy/rain-001.png", "norain-001.png"), ("rainy/rain-002.png", "norain-002.png")]),
    ("rain100l", "test", [("rain-001.png", "norain-001.png"), ("rain-002.png", "norain-002.png")]),
    ("rain100l", "test", folders("test/Rain100L/", "1.png", "100.png")),
    ("rain100l", "test", folders("Rain100L/", "1.png", "100.png")),
    ("rain100l", "test", folders("test/", "1.png", "100.png")),
    ("rain100l", "test", folders("", "1.png", "100.png")),
    (
        "rain100h",
        "train",
        [
            ("train/RainTrainH/rain-1.png", "train/RainTrainH/norain-1.png"),
            ("train/RainTrainH/rain-2.png", "train/RainTrainH/norain-2.png"),
        ],
    ),
    ("rain100h", "train", folders("train/", "1.png", "2.png")),
    (
        "rain100h",
        "test",
        [
            ("test/Rain100H/rainy/rain-001.png", "test/Rain100H/norain-001.png"),
            ("test/Rain100H/rainy/rain-002.png", "test/Rain100H/norain-002.png"),
        ],
    ),
    ("rain100h", "test", [("rainy/rain-001.png", "norain-001.png"), ("rainy/rain-002.png", "norain-002.png")]),
    ("rain100h", "test", [("rain-001.png", "norain-001.png"), ("rain-002.png", "norain-002.png")]),
    ("rain100h", "test", folders("test/Rain100H/", "1.png", "100.png")),
    ("rain100h", "test", folders("Rain100H/", "1.png", "100.png")),
    ("rain100h", "test", folders("test/", "1.png", "100.png")),
    ("rain100h", "test", folders("", "1.png", "100.png")),
    (
        "rain12",
        "test",
        [("Rain12/001_in.png", "Rain12/001_GT.png"), ("Rain12/002_in.png", "Rain12/002_GT.png")],
    ),
    ("rain12", "test", folders("test/", "001.png", "002.png")),
    ("rain12", "test", folders("", "001.png", "002.png")),
    ("spa_data", "train", folders("train/", "000-1_0_0.png", "000-1_0_1.png")),
    (
        "spa_data",
        "test",
        [
            ("real_test_1000/rain/000.png", "real_test_1000/gt/000gt.png"),
            ("real_test_1000/rain/999.png", "real_test_1000/gt/999gt.png"),
        ],
    ),
    (
        "spa_data",
        "test",
        [
            ("Testing/real_test_1000/rain/000.png", "Testing/real_test_1000/gt/000gt.png"),
            ("Testing/real_test_1000/rain/999.png", "Testing/real_test_1000/gt/999gt.png"),
        ],
    ),
    ("spa_data", "test", folders("test/", "000.png", "999.png")),
    ("spa_data", "test", folders("", "000.png", "999.png")),
    (
        "gopro",
        "train",
        [
            ("train/blur/GOPR0372_07_00_000047.png", "train/sharp/GOPR0372_07_00_000047.png"),
            ("train/blur/GOPR0372_07_00_000048.png", "train/sharp/GOPR0372_07_00_000048.png"),
        ],
    ),
    ("gopro", "train", folders("train/", "GOPR0372_07_00-000047.png", "GOPR0372_07_00-000048.png")),
    (
        "gopro",
        "test",
        [
            ("test/blur/GOPR0384_11_00_000001.png", "test/sharp/GOPR0384_11_00_000001.png"),
            ("test/blur/GOPR0384_11_00_000002.png", "test/sharp/GOPR0384_11_00_000002.png"),
        ],
    ),
    ("gopro", "test", folders("test/GoPro/", "GOPR0384_11_00-000001.png", "GOPR0384_11_00-000002.png")),
    ("gopro", "test", folders("test/", "GOPR0384_11_00-000001.png", "GOPR0384_11_00-000002.png")),
    ("gopro", "test", folders("", "GOPR0384_11_00-000001.png", "GOPR0384_11_00-000002.png")),
    (
        "hide",
        "train",
        [
            ("train/3fromGOPR0950.png", "GT/3fromGOPR0950.png"),
            ("train/4fromGOPR0950.png", "GT/4fromGOPR0950.png"),
        ],
    ),
    ("hide", "train", folders("train/", "3fromGOPR0950.png", "4fromGOPR0950.png")),
    (
        "hide",
        "test",
        [
            ("test/test-close-ups/1fromGOPR0977.png", "GT/1fromGOPR0977.png"),
            ("test/test-long-shot/1fromGOPR0950.png", "GT/1fromGOPR0950.png"),
        ],
    ),
    ("hide", "test", folders("test/HIDE/", "1fromGOPR0950.png", "110fromGOPR1087.MP4.png")),
    ("hide", "test", folders("test/", "1fromGOPR0950.png", "110fromGOPR1087.MP4.png")),
    ("hide", "test", folders("", "1fromGOPR0950.png", "110fromGOPR1087.MP4.png")),
    ("realblur_j", "train", folders("train/", "scene001-2.png", "scene001-20.png")),
    ("realblur_j", "test", folders("test/RealBlur_J/", "scene050-7.png", "scene230-7.png")),
    ("realblur_j", "test", folders("RealBlur_J/", "scene050-7.png", "scene230-7.png")),
    ("realblur_j", "test", folders("test/", "scene050-7.png", "scene230-7.png")),
    ("realblur_j", "test", folders("", "scene050-7.png", "scene230-7.png")),
    (
        "sidd",
        "train",
        [
            (
                "Data/0001_001_S6_00100_00060_3200_L/0001_NOISY_SRGB_010.PNG",
                "Data/0001_001_S6_00100_00060_3200_L/0001_GT_SRGB_010.PNG",
            ),
            (
                "Data/0001_001_S6_00100_00060_3200_L/0001_NOISY_SRGB_011.PNG",
                "Data/0001_001_S6_00100_00060_3200_L/0001_GT_SRGB_011.PNG",
            ),
        ],
    ),
    ("sidd", "train", folders("train/", "1_1.png", "1_2.png")),
    (
        "sidd",
        "test",
        [
            ("test/ValidationNoisyBlocksSrgb.mat 0,0", "test/ValidationGtBlocksSrgb.mat 0,0"),
            ("test/ValidationNoisyBlocksSrgb.mat 0,1", "test/ValidationGtBlocksSrgb.mat 0,1"),
            ("test/ValidationNoisyBlocksSrgb.mat 1,0", "test/ValidationGtBlocksSrgb.mat 1,0"),
            ("test/ValidationNoisyBlocksSrgb.mat 1,1", "test/ValidationGtBlocksSrgb.mat 1,1"),
        ],
    ),
    (
        "sidd",
        "test",
        [
            ("test/SIDD/ValidationNoisyBlocksSrgb.mat 0,0", "test/SIDD/ValidationGtBlocksSrgb.mat 0,0"),
            ("test/SIDD/ValidationNoisyBlocksSrgb.mat 0,1", "test/SIDD/ValidationGtBlocksSrgb.mat 0,1"),
            ("test/SIDD/ValidationNoisyBlocksSrgb.mat 1,0", "test/SIDD/ValidationGtBlocksSrgb.mat 1,0"),
            ("test/SIDD/ValidationNoisyBlocksSrgb.mat 1,1", "test/SIDD/ValidationGtBlocksSrgb.mat 1,1"),
        ],
    ),
    ("sidd", "test", folders("test/", "0001_01.png", "0040_32.png")),
    ("cbsd68", "test", [(None, "original_png/0000.png"), (None, "original_png/0001.png")]),
    ("cbsd68", "test", [(None, "CBSD68/3096.png"), (None, "CBSD68/101085.png")]),
    ("cbsd68", "test", [(None, "3096.png"), (None, "101085.png")]),
    ("kodak24", "test", [(None, "Kodak24/kodim01.png"), (None, "Kodak24/kodim24.png")]),
    ("kodak24", "test", [(None, "1.png"), (None, "24.png")]),
    ("mcmaster", "test", [(None, "McMaster/1.tif"), (None, "McMaster/18.tif")]),
    ("mcmaster", "test", [(None, "1.png"), (None, "18.png")]),
    ("bsds500", "train", [(None, "data/images/test/2018.jpg"), (None, "data/images/train/2092.jpg")]),
    ("bsds500", "train", [(None, "images/test/2018.jpg"), (None, "images/train/2092.jpg")]),
    (
        "its",
        "train",
        [
            ("train/hazy/1_1_0.90179.png", "train/clear/1.png"),
            ("train/hazy/2_1_0.98796.png", "train/clear/2.png"),
        ],
    ),
    (
        "its",
        "train",
        [
            ("train/hazy/1_1_0.90179.png", "train/gt/1.png"),
            ("train/hazy/2_1_0.98796.png", "train/gt/2.png"),
        ],
    ),
    ("its", "train", folders("train/", "1_1_0.90179.png", "1_2_0.98796.png")),
    ("its", "train", folders("", "1_1_0.90179.png", "1_2_0.98796.png")),
    (
        "ots",
        "train",
        [
            ("haze/OTS/0005_0.8_0.2.jpg", "clear/clear_images/0005.jpg"),
            ("haze/OTS/0006_1_0.04.jpg", "clear/clear_images/0006.jpg"),
        ],
    ),
    ("ots", "train", [("hazy/0005_0.8_0.2.jpg", "clear/0005.jpg"), ("hazy/0006_1_0.04.jpg", "clear/0006.jpg")]),
    (
        "ots",
        "train",
        [
            ("train/hazy/0005_0.8_0.2.jpg", "train/clear/0005.jpg"),
            ("train/hazy/0006_1_0.04.jpg", "train/clear/0006.jpg"),
        ],
    ),
    (
        "ots",
        "train",
        [("train/hazy/0005_0.8_0.2.jpg", "train/gt/0005.jpg"), ("train/hazy/0006_1_0.04.jpg", "train/gt/0006.jpg")],
    ),
    ("ots", "train", folders("train/", "0005_0.8_0.2.jpg", "0005_1_0.04.jpg")),
    ("ots", "train", folders("", "0005_0.8_0.2.jpg", "0005_1_0.04.jpg")),
    (
        "sots_indoor",
        "test",
        [
            ("indoor/hazy/1400_1.png", "indoor/clear/1400.png middle"),
            ("indoor/hazy/1401_1.png", "indoor/clear/1401.png middle"),
        ],
    ),
    (
        "sots_indoor",
        "test",
        [
            ("indoor/nyuhaze500/hazy/1400_1.png", "indoor/nyuhaze500/gt/1400.png middle"),
            ("indoor/nyuhaze500/hazy/1401_1.png", "indoor/nyuhaze500/gt/1401.png middle"),
        ],
    ),
    (
        "sots_indoor",
        "test",
        [
            ("nyuhaze500/hazy/1400_1.png", "nyuhaze500/gt/1400.png middle"),
            ("nyuhaze500/hazy/1401_1.png", "nyuhaze500/gt/1401.png middle"),
        ],
    ),
    ("sots_indoor", "test", [("hazy/1400_1.png", "gt/1400.png middle"), ("hazy/1401_1.png", "gt/1401.png middle")]),
    (
        "sots_indoor",
        "test",
        [("hazy/1400_1.png", "clear/1400.png middle"), ("hazy/1401_1.png", "clear/1401.png middle")],
    ),
    ("sots_indoor", "test", folders("indoor/", "1400_1.png", "1400_2.png")),
    ("sots_indoor", "test", folders("test/", "1400_1.png", "1400_2.png")),
    ("sots_indoor", "test", folders("", "1400_1.png", "1400_2.png")),
    (
        "sots_outdoor",
        "test",
        [
            ("outdoor/hazy/0001_0.8_0.2.jpg", "outdoor/clear/0001.png"),
            ("outdoor/hazy/0002_0.8_0.08.jpg", "outdoor/clear/0002.png"),
        ],
    ),
    ("sots_outdoor", "test", [("hazy/0001_0.8_0.2.jpg", "gt/0001.png"), ("hazy/0002_0.8_0.08.jpg", "gt/0002.png")]),
    (
        "sots_outdoor",
        "test",
        [("hazy/0001_0.8_0.2.jpg", "clear/0001.png"), ("hazy/0002_0.8_0.08.jpg", "clear/0002.png")],
    ),
    ("sots_outdoor", "test", folders("outdoor/", "0001_0.8_0.2.jpg", "0002_0.8_0.08.jpg")),
    ("sots_outdoor", "test", folders("test/", "0001_0.8_0.2.jpg", "0002_0.8_0.08.jpg")),
    ("sots_outdoor", "test", folders("", "0001_0.8_0.2.jpg", "0002_0.8_0.08.jpg")),
    ("rtts", "test", [("RTTS/JPEGImages/AM_Bing_211.png", None), ("RTTS/JPEGImages/AM_Bing_1000.png", None)]),
    ("rtts", "test", [("AM_Bing_211.png", None), ("AM_Bing_1000.png", None)]),
]

REAL = [name for name, dataset in DATASETS.items() if not dataset.is_embedded]

OFFICIAL_SPLITS = [
    (name, split, pairs) for name, miniature in OFFICIAL.items() for split, pairs in miniature.splits.items()
]
OFFICIAL_NAMES = [f"{name}-{split}" for name, split, _ in OFFICIAL_SPLITS]
COPIED_NAMES = [f"{name}-{split}-{pairs[0][1] or pairs[0][0]}" for name, split, pairs in COPIES]


def check(name: str, split: str, root: Path, pairs: Sequence[Pair]) -> None:
    items = DATASETS[name].splits[split].find(root)
    assert [(described(item.degraded, root), described(item.clean, root)) for item in items] == list(pairs)
    assert len({item.name for item in items}) == len(items)
    for item in items:
        pixels = [picture.read() for picture in item.pictures]
        assert all(image.dtype == np.uint8 and image.ndim == 3 for image in pixels)
        assert len({image.shape for image in pixels} | {(*picture.size(), 3) for picture in item.pictures}) == 1


@pytest.mark.parametrize("name", REAL)
def test_every_real_set_has_a_miniature_of_each_split(name):
    assert set(OFFICIAL[name].splits) == set(DATASETS[name].splits)


@pytest.mark.parametrize("name", REAL)
def test_a_real_set_states_how_many_images_it_has(name):
    for split in DATASETS[name].splits.values():
        assert split.num_items > 0
        assert split.num_clean is None or 0 < split.num_clean < split.num_items
    assert DATASETS[name].degradation is None


@pytest.mark.parametrize(
    ("name", "split", "pairs"),
    OFFICIAL_SPLITS,
    ids=OFFICIAL_NAMES,
)
def test_the_authors_layout_is_read(tmp_path, name, split, pairs):
    check(name, split, OFFICIAL[name].write(tmp_path), pairs)


@pytest.mark.parametrize(("name", "split", "pairs"), COPIES, ids=COPIED_NAMES)
def test_a_copy_in_another_layout_is_read(tmp_path, name, split, pairs):
    check(name, split, Miniature({split: pairs}).write(tmp_path), pairs)


PAIRED_SPLITS = [row for row in OFFICIAL_SPLITS if row[0] != "test1200" and None not in row[2][0]]


@pytest.mark.parametrize(("name", "split", "pairs"), PAIRED_SPLITS, ids=[f"{n}-{s}" for n, s, _ in PAIRED_SPLITS])
def test_a_missing_partner_is_named(tmp_path, name, split, pairs):
    root = OFFICIAL[name].write(tmp_path)
    degraded, clean = (picture.partition(" ")[0] for picture in pairs[-1])
    (root / clean).unlink()
    with pytest.raises(ValueError) as refused:
        DATASETS[name].splits[split].find(root)
    assert degraded in str(refused.value) or clean in str(refused.value)


@pytest.mark.parametrize("name", REAL)
def test_an_empty_folder_holds_nothing(tmp_path, name):
    for split in DATASETS[name].splits.values():
        assert split.find(tmp_path) == []


@pytest.mark.parametrize("name", REAL)
def test_every_layout_is_tried(tmp_path, name):
    roots = [OFFICIAL[name].write(tmp_path / "official")]
    for k, (copied, split, pairs) in enumerate(COPIES):
        if copied == name:
            roots.append(Miniature({split: pairs}).write(tmp_path / str(k)))
    if name == "spa_data":  # each archive may also stand in the set's folder by itself
        roots += [roots[0] / "Training", roots[0] / "Testing"]
    for declared in DATASETS[name].splits.values():
        for layout in declared.layouts:
            assert any(layout.find(root) for root in roots), f"{layout}: no miniature of it"


def test_the_halves_the_middle_and_the_blocks_are_those_of_the_files(tmp_path):
    root = OFFICIAL["test1200"].write(tmp_path / "test1200")
    item = DATASETS["test1200"].splits["test"].find(root)[0]
    whole = np.asarray(Image.open(root / "DID-MDN-test/2.jpg"))
    np.testing.assert_array_equal(np.concatenate([picture.read() for picture in item.pictures], axis=1), whole)
    root = OFFICIAL["sots_indoor"].write(tmp_path / "sots_indoor")
    item = DATASETS["sots_indoor"].splits["test"].find(root)[0]
    whole = np.asarray(Image.open(root / "indoor/gt/1400.png"))
    np.testing.assert_array_equal(item.clean.read(), whole[10:-10, 10:-10])
    root = OFFICIAL["sidd"].write(tmp_path / "sidd")
    items = DATASETS["sidd"].splits["test"].find(root)
    blocks = loadmat(root / "ValidationNoisyBlocksSrgb.mat")["ValidationNoisyBlocksSrgb"]
    np.testing.assert_array_equal([item.degraded.read() for item in items], blocks.reshape(4, 16, 16, 3))
