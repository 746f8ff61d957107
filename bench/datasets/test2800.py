"""Test2800: images of DDN-Data that Rain13K is not trained on."""

from bench.datasets.base import DATASETS, DataSet, Split
from bench.datasets.layout import PairFolders

DATASETS.register("test2800")(
    DataSet(
        title="Test2800",
        authors="X. Fu, J. Huang, D. Zeng, Y. Huang, X. Ding and J. Paisley; split by K. Jiang et al.",
        licence="no terms stated; research use",
        url="https://github.com/swz30/MPRNet/tree/main/Deraining",
        reference="K. Jiang et al., Multi-Scale Progressive Fusion Network for Single Image Deraining, CVPR 2020",
        protocol="derain_y",
        splits={
            "test": Split(
                PairFolders("test/Test2800"),
                PairFolders("Test2800"),
                PairFolders("test"),
                PairFolders(),
                num_items=2_800,
            )
        },
        note="By its makers' account scenes 801 to 1000 in 14 variants, the clean image repeated for each: it holds "
        "Rain1400's test set and part of its training set, and is of no use for what is trained on Rain1400. "
        "Early downloads hold a stray copy, input/926_10(1).jpg; remove it.",
    )
)
