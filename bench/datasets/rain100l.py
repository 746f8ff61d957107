"""Rain100L: light synthetic rain of one streak type."""

from bench.datasets.base import DATASETS, DataSet, Split
from bench.datasets.layout import PairFolders, Pairs

DATASETS.register("rain100l")(
    DataSet(
        title="Rain100L",
        authors="W. Yang, R. T. Tan, J. Feng, J. Liu, Z. Guo and S. Yan",
        licence="no terms stated; research use",
        url="https://www.icst.pku.edu.cn/struct/Projects/joint_rain_removal.html",
        reference="W. Yang et al., Deep Joint Rain Detection and Removal from a Single Image, CVPR 2017",
        protocol="derain_y",
        splits={
            "train": Split(
                Pairs("RainTrainL/rain-{number}.png", "RainTrainL/norain-{number}.png"),
                Pairs("train/RainTrainL/rain-{number}.png", "train/RainTrainL/norain-{number}.png"),
                PairFolders("train"),
                num_items=200,
            ),
            "test": Split(
                Pairs("Rain100L/rainy/rain-{number}.png", "Rain100L/norain-{number}.png"),
                Pairs("test/Rain100L/rainy/rain-{number}.png", "test/Rain100L/norain-{number}.png"),
                Pairs("rainy/rain-{number}.png", "norain-{number}.png"),
                Pairs("rain-{number}.png", "norain-{number}.png"),
                PairFolders("test/Rain100L"),
                PairFolders("Rain100L"),
                PairFolders("test"),
                PairFolders(),
                num_items=100,
            ),
        },
        note="The original release, on which published numbers are computed. The authors' page now offers another one "
        "under the same name, of 1,800 and 200 pairs (rain_data_test_Light/rain/X2/norain-1x2.png; also called "
        "Rain200L and RainLight*), which is not read. Leaks: the backgrounds are BSDS500 images, 24 of them in CBSD68.",
    )
)
