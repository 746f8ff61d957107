"""Rain100H: heavy synthetic rain of five streak types."""

from bench.datasets.base import DATASETS, DataSet, Split
from bench.datasets.layout import PairFolders, Pairs

DATASETS.register("rain100h")(
    DataSet(
        title="Rain100H",
        authors="W. Yang, R. T. Tan, J. Feng, J. Liu, Z. Guo and S. Yan",
        licence="no terms stated; research use",
        url="https://www.icst.pku.edu.cn/struct/Projects/joint_rain_removal.html",
        reference="W. Yang et al., Deep Joint Rain Detection and Removal from a Single Image, CVPR 2017",
        protocol="derain_y",
        splits={
            "train": Split(
                Pairs("RainTrainH/rain-{number}.png", "RainTrainH/norain-{number}.png"),
                Pairs("train/RainTrainH/rain-{number}.png", "train/RainTrainH/norain-{number}.png"),
                PairFolders("train"),
                num_items=1_800,
            ),
            "test": Split(
                Pairs("Rain100H/rainy/rain-{number}.png", "Rain100H/norain-{number}.png"),
                Pairs("test/Rain100H/rainy/rain-{number}.png", "test/Rain100H/norain-{number}.png"),
                Pairs("rainy/rain-{number}.png", "norain-{number}.png"),
                Pairs("rain-{number}.png", "norain-{number}.png"),
                PairFolders("test/Rain100H"),
                PairFolders("Rain100H"),
                PairFolders("test"),
                PairFolders(),
                num_items=100,
            ),
        },
        note="The original release, on which published numbers are computed. The authors' page now offers another one "
        "under the same name, of 1,800 and 200 pairs (rain_data_test_Heavy; also called Rain200H and RainHeavy*), "
        "which is not read. Leaks: 546 training pairs share their background with test images; PReNet leaves them "
        "out and trains on 1,254.",
    )
)
