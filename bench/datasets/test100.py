"""Test100: the test images of Rain800, synthetic rain."""

from bench.datasets.base import DATASETS, DataSet, Split
from bench.datasets.layout import PairFolders

DATASETS.register("test100")(
    DataSet(
        title="Test100",
        authors="H. Zhang, V. Sindagi and V. M. Patel",
        licence="no terms stated; research use",
        url="https://github.com/hezhangsprinter/ID-CGAN",
        reference="H. Zhang et al., Image De-raining Using a Conditional Generative Adversarial Network, "
        "IEEE TCSVT 2020",
        protocol="derain_y",
        splits={
            "test": Split(
                PairFolders("test/Test100"),
                PairFolders("Test100"),
                PairFolders("test"),
                PairFolders(),
                num_items=98,
            )
        },
        note="Read as the Rain13K bundle holds it: 98 of Rain800's 100 test pairs, on which the numbers of MSPFN, "
        "MPRNet and their successors are computed, although their papers state 100.",
    )
)
