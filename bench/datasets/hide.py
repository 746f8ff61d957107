"""HIDE: motion blur of people, averaged from video frames."""

from bench.datasets.base import DATASETS, DataSet, Split
from bench.datasets.layout import PairFolders, Pairs

DATASETS.register("hide")(
    DataSet(
        title="HIDE",
        authors="Z. Shen, W. Wang, X. Lu, J. Shen, H. Ling, T. Xu and L. Shao",
        licence="no terms stated; research use",
        url="https://github.com/joanshen0508/HA_deblur",
        reference="Z. Shen et al., Human-Aware Motion Deblurring, ICCV 2019",
        protocol="deblur_rgb",
        splits={
            "train": Split(
                Pairs("train/{name}.png", "GT/{name}.png", is_shared=True),
                PairFolders("train"),
                num_items=6_397,
            ),
            "test": Split(
                Pairs("test/{shot}/{name}.png", "GT/{name}.png", is_shared=True),
                PairFolders("test/HIDE"),
                PairFolders("test"),
                PairFolders(),
                num_items=2_025,
            ),
        },
        note="Published numbers are on the test set alone, of networks trained on GoPro. Its two "
        "folders, test-close-ups and test-long-shot, are scored together.",
    )
)
