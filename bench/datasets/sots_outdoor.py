"""RESIDE SOTS outdoor: synthetic haze on outdoor photographs of estimated depth."""

from bench.datasets.base import DATASETS, DataSet, Split
from bench.datasets.layout import PairFolders, Pairs

DATASETS.register("sots_outdoor")(
    DataSet(
        title="SOTS outdoor",
        authors="B. Li, W. Ren, D. Fu, D. Tao, D. Feng, W. Zeng and Z. Wang",
        licence="no terms stated; research use",
        url="https://sites.google.com/view/reside-dehaze-datasets",
        reference="B. Li et al., Benchmarking Single-Image Dehazing and Beyond, IEEE TIP 2019",
        protocol="dehaze_rgb",
        splits={
            "test": Split(
                Pairs("outdoor/hazy/{scene}_{haze}.jpg", "outdoor/gt/{scene}.png"),
                Pairs("outdoor/hazy/{scene}_{haze}.jpg", "outdoor/clear/{scene}.png"),
                Pairs("hazy/{scene}_{haze}.jpg", "gt/{scene}.png"),
                Pairs("hazy/{scene}_{haze}.jpg", "clear/{scene}.png"),
                PairFolders("outdoor"),
                PairFolders("test"),
                PairFolders(),
                num_items=500,
                num_clean=492,
            )
        },
        note="500 hazy versions of 492 images. Hazy images are JPEG files; copies converted to PNG carry its artefacts "
        "all the same.",
    )
)
