"""GoPro with gamma: motion blur averaged from video frames after undoing their gamma, as in its authors' paper."""

from bench.datasets.base import DATASETS, DataSet, Split
from bench.datasets.layout import Pairs

DATASETS.register("gopro_gamma")(
    DataSet(
        title="GoPro, gamma",
        authors="S. Nah, T. H. Kim and K. M. Lee",
        licence="no terms stated in the authors' repositories; research use",
        url="https://seungjunnah.github.io/Datasets/gopro",
        reference="S. Nah et al., Deep Multi-scale Convolutional Neural Network for Dynamic Scene Deblurring, "
        "CVPR 2017",
        protocol="deblur_rgb",
        splits={
            "train": Split(
                Pairs("train/{sequence}/blur_gamma/{frame}.png", "train/{sequence}/sharp/{frame}.png"),
                num_items=2_103,
            ),
            "test": Split(
                Pairs("test/{sequence}/blur_gamma/{frame}.png", "test/{sequence}/sharp/{frame}.png"),
                num_items=1_111,
            ),
        },
        note="The same download as gopro, with `blur_gamma` in place of `blur`: what the authors' paper and their code "
        "use, but not MPRNet and most papers since, whose numbers belong to gopro.",
    )
)
