"""RESIDE OTS: synthetic haze on outdoor photographs of estimated depth, to train on."""

from bench.datasets.base import DATASETS, DataSet, Split
from bench.datasets.layout import PairFolders, Pairs

DATASETS.register("ots")(
    DataSet(
        title="RESIDE OTS",
        authors="B. Li, W. Ren, D. Fu, D. Tao, D. Feng, W. Zeng and Z. Wang",
        licence="no terms stated; research use",
        url="https://sites.google.com/view/reside-dehaze-datasets",
        reference="B. Li et al., Benchmarking Single-Image Dehazing and Beyond, IEEE TIP 2019",
        splits={
            "train": Split(
                Pairs("OTS/{scene}_{haze}.jpg", "clear_images/{scene}.jpg"),
                Pairs("haze/OTS/{scene}_{haze}.jpg", "clear/clear_images/{scene}.jpg"),
                Pairs("hazy/{scene}_{haze}.jpg", "clear/{scene}.jpg"),
                Pairs("train/hazy/{scene}_{haze}.jpg", "train/clear/{scene}.jpg"),
                Pairs("train/hazy/{scene}_{haze}.jpg", "train/gt/{scene}.jpg"),
                PairFolders("train"),
                PairFolders(),
                num_items=313_950,
                num_clean=8_970,
            )
        },
        note="OTS_ALPHA, 35 hazy versions of each image. The other release, OTS_BETA, holds 72,135 hazy versions of "
        "2,061 images; all-in-one methods train on it.",
    )
)
