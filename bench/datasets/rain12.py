"""Rain12: twelve photographs in synthetic rain, a test set only."""

from bench.datasets.base import DATASETS, DataSet, Split
from bench.datasets.layout import PairFolders, Pairs

DATASETS.register("rain12")(
    DataSet(
        title="Rain12",
        authors="Y. Li, R. T. Tan, X. Guo, J. Lu and M. S. Brown",
        licence="no terms stated; research use",
        url="http://yu-li.github.io/",
        reference="Y. Li et al., Rain Streak Removal Using Layer Priors, CVPR 2016",
        protocol="derain_y",
        splits={
            "test": Split(
                Pairs("{number}_in.png", "{number}_GT.png"),
                Pairs("Rain12/{number}_in.png", "Rain12/{number}_GT.png"),
                PairFolders("test"),
                PairFolders(),
                num_items=12,
            )
        },
        note="Methods are usually trained on Rain100L to be tested on it. Leaks: it is part of Rain13K.",
    )
)
