"""GoPro: motion blur averaged from video frames as they are, the version that published numbers use."""

from bench.datasets.base import DATASETS, DataSet, Split
from bench.datasets.layout import PairFolders, Pairs

DATASETS.register("gopro")(
    DataSet(
        title="GoPro",
        authors="S. Nah, T. H. Kim and K. M. Lee",
        licence="no terms stated in the authors' repositories; research use",
        url="https://seungjunnah.github.io/Datasets/gopro",
        reference="S. Nah et al., Deep Multi-scale Convolutional Neural Network for Dynamic Scene Deblurring, "
        "CVPR 2017",
        protocol="deblur_rgb",
        splits={
            "train": Split(
                Pairs("train/{sequence}/blur/{frame}.png", "train/{sequence}/sharp/{frame}.png"),
                Pairs("train/blur/{name}.png", "train/sharp/{name}.png"),
                PairFolders("train"),
                num_items=2_103,
            ),
            "test": Split(
                Pairs("test/{sequence}/blur/{frame}.png", "test/{sequence}/sharp/{frame}.png"),
                Pairs("test/blur/{name}.png", "test/sharp/{name}.png"),
                PairFolders("test/GoPro"),
                PairFolders("test"),
                PairFolders(),
                num_items=1_111,
            ),
        },
        note="GOPRO_Large holds two blurry versions of each image: `blur`, the mean of the frames as they are (a "
        "linear camera response), and `blur_gamma`, the mean after undoing a gamma of 2.2. This set is `blur`, on "
        "which DMPHN, MIMO-UNet, MPRNet, HINet and those who take MPRNet's copy of the data report their numbers; "
        "the authors' own paper uses the other, gopro_gamma. The two are not comparable. Copies as input and "
        "target are `blur`.",
    )
)
