"""Test1200 (DID-Data): synthetic rain of three densities."""

from bench.datasets.base import DATASETS, DataSet, Split
from bench.datasets.layout import PairFolders, SideBySide

DATASETS.register("test1200")(
    DataSet(
        title="Test1200",
        authors="H. Zhang and V. M. Patel",
        licence="no terms stated; research use",
        url="https://github.com/hezhangsprinter/DID-MDN",
        reference="H. Zhang and V. M. Patel, Density-aware Single Image De-raining using a Multi-stream Dense Network, "
        "CVPR 2018",
        protocol="derain_y",
        splits={
            "train": Split(
                SideBySide("DID-MDN-training/Rain_{density}/train2018new/{name}.jpg", degraded="left"),
                PairFolders("train"),
                num_items=12_000,
            ),
            "test": Split(
                SideBySide("DID-MDN-test/{name}.jpg", degraded="left"),
                PairFolders("test/Test1200"),
                PairFolders("Test1200"),
                PairFolders("test"),
                PairFolders(),
                num_items=1_200,
            ),
        },
        note="Also called DID-Data, DID-MDN and Rain1200. The authors' files hold the rainy image on the left and the "
        "clean one on the right; the Rain13K bundle holds the test pairs in separate files.",
    )
)
