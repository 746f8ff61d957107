"""Rain1400 (DDN-Data): synthetic rain on outdoor photographs, 14 streak variants of each."""

from bench.datasets.base import DATASETS, DataSet, Split
from bench.datasets.layout import PairFolders, Pairs

DATASETS.register("rain1400")(
    DataSet(
        title="Rain1400",
        authors="X. Fu, J. Huang, D. Zeng, Y. Huang, X. Ding and J. Paisley",
        licence="no terms stated; research use",
        url="https://xueyangfu.github.io/projects/cvpr2017.html",
        reference="X. Fu et al., Removing Rain from Single Images via a Deep Detail Network, CVPR 2017",
        protocol="derain_y",
        splits={
            "train": Split(
                Pairs("training/rainy_image/{scene}_{variant}.jpg", "training/ground_truth/{scene}.jpg"),
                Pairs("train/rainy_image/{scene}_{variant}.jpg", "train/ground_truth/{scene}.jpg"),
                PairFolders("train"),
                num_items=12_600,
                num_clean=900,
            ),
            "test": Split(
                Pairs("testing/rainy_image/{scene}_{variant}.jpg", "testing/ground_truth/{scene}.jpg"),
                Pairs("test/rainy_image/{scene}_{variant}.jpg", "test/ground_truth/{scene}.jpg"),
                Pairs("rainy_image/{scene}_{variant}.jpg", "ground_truth/{scene}.jpg"),
                PairFolders("test"),
                PairFolders(),
                num_items=1_400,
                num_clean=100,
            ),
        },
        note="Also called DDN-Data, Rain12600 (train) and Rain14000 (both). Training scenes are 1 to 900, test scenes "
        "901 to 1000. Copies in pair folders may repeat each clean image for its 14 rainy ones. Test2800 is another "
        "split of the same images, and Rain13K trains on 800 of the scenes.",
    )
)
