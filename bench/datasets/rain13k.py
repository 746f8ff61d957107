"""Rain13K: the training images of four deraining sets, on which most networks since MPRNet are trained."""

from bench.datasets.base import DATASETS, DataSet, Split
from bench.datasets.layout import PairFolders

DATASETS.register("rain13k")(
    DataSet(
        title="Rain13K",
        authors="K. Jiang et al., who put it together from images of X. Fu et al., W. Yang et al., H. Zhang et al. "
        "and Y. Li et al.; S. W. Zamir et al., who distribute it",
        licence="no terms stated; research use",
        url="https://github.com/swz30/MPRNet/tree/main/Deraining",
        reference="K. Jiang et al., Multi-Scale Progressive Fusion Network for Single Image Deraining, CVPR 2020",
        splits={
            "train": Split(
                PairFolders("train/Rain13K"),
                PairFolders("Rain13K"),
                PairFolders("train"),
                PairFolders(),
                num_items=13_711,
            )
        },
        note="Papers state 13,712 pairs: 11,200 of Rain14000, 1,800 of Rain100H's training set, 700 of Rain800 and the "
        "12 of Rain12. The distributors removed one pair of unequal sizes, so that 13,711 are downloaded. Leaks: "
        "Rain12 is part of it, and 546 of the pairs from Rain100H share their background with Rain100H's test "
        "images.",
    )
)
