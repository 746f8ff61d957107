"""RESIDE ITS: synthetic haze in rooms of known depth, to train on."""

from bench.datasets.base import DATASETS, DataSet, Split
from bench.datasets.layout import PairFolders, Pairs

DATASETS.register("its")(
    DataSet(
        title="RESIDE ITS",
        authors="B. Li, W. Ren, D. Fu, D. Tao, D. Feng, W. Zeng and Z. Wang",
        licence="no terms stated; research use",
        url="https://sites.google.com/view/reside-dehaze-datasets",
        reference="B. Li et al., Benchmarking Single-Image Dehazing and Beyond, IEEE TIP 2019",
        splits={
            "train": Split(
                Pairs("hazy/{scene}_{haze}.png", "clear/{scene}.png"),
                Pairs("train/hazy/{scene}_{haze}.png", "train/clear/{scene}.png"),
                Pairs("train/hazy/{scene}_{haze}.png", "train/gt/{scene}.png"),
                PairFolders("train"),
                PairFolders(),
                num_items=13_990,
                num_clean=1_399,
            )
        },
        note="The indoor training set of RESIDE-Standard, ten hazy versions of each image. The authors also offer an "
        "enlarged one (ITS/train/ITS_haze, 100,000 hazy images), which is not read.",
    )
)
