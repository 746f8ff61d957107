"""RESIDE SOTS indoor: synthetic haze in rooms of known depth."""

from bench.datasets.base import DATASETS, DataSet, Split
from bench.datasets.layout import PairFolders, Pairs

DATASETS.register("sots_indoor")(
    DataSet(
        title="SOTS indoor",
        authors="B. Li, W. Ren, D. Fu, D. Tao, D. Feng, W. Zeng and Z. Wang",
        licence="no terms stated; research use",
        url="https://sites.google.com/view/reside-dehaze-datasets",
        reference="B. Li et al., Benchmarking Single-Image Dehazing and Beyond, IEEE TIP 2019",
        protocol="dehaze_rgb",
        splits={
            "test": Split(
                Pairs("indoor/hazy/{scene}_{haze}.png", "indoor/gt/{scene}.png", is_centred=True),
                Pairs("indoor/hazy/{scene}_{haze}.png", "indoor/clear/{scene}.png", is_centred=True),
                Pairs("indoor/nyuhaze500/hazy/{scene}_{haze}.png", "indoor/nyuhaze500/gt/{scene}.png", is_centred=True),
                Pairs("nyuhaze500/hazy/{scene}_{haze}.png", "nyuhaze500/gt/{scene}.png", is_centred=True),
                Pairs("hazy/{scene}_{haze}.png", "gt/{scene}.png", is_centred=True),
                Pairs("hazy/{scene}_{haze}.png", "clear/{scene}.png", is_centred=True),
                PairFolders("indoor"),
                PairFolders("test"),
                PairFolders(),
                num_items=500,
                num_clean=50,
            )
        },
        note="Ten hazy versions of each image. Hazy images have 620x460 pixels and clean ones 640x480, of which the "
        "middle is compared, as in the code of FFA-Net and its successors.",
    )
)
