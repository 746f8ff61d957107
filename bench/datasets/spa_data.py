"""SPA-Data: real rain, with clean images estimated from videos."""

from bench.datasets.base import DATASETS, DataSet, Split
from bench.datasets.layout import Listed, PairFolders, Pairs

DATASETS.register("spa_data")(
    DataSet(
        title="SPA-Data",
        authors="T. Wang, X. Yang, K. Xu, S. Chen, Q. Zhang and R. W. H. Lau",
        licence="three-clause BSD terms (License.txt in the authors' repository)",
        url="https://stevewongv.github.io/derain-project.html",
        reference="T. Wang et al., Spatial Attentive Single-Image Deraining with a High Quality Real Rain Dataset, "
        "CVPR 2019",
        protocol="derain_y",
        splits={
            "train": Split(
                Listed("Training/real_world.txt", "degraded clean"),
                Listed("real_world.txt", "degraded clean"),
                PairFolders("train"),
                num_items=638_492,
            ),
            "test": Split(
                Listed("Testing/real_test_1000.txt", "degraded clean"),
                Listed("real_test_1000.txt", "degraded clean"),
                Pairs("real_test_1000/rain/{number}.png", "real_test_1000/gt/{number}gt.png"),
                Pairs("Testing/real_test_1000/rain/{number}.png", "Testing/real_test_1000/gt/{number}gt.png"),
                PairFolders("test"),
                PairFolders(),
                num_items=1_000,
            ),
        },
        note="Training images are crops of 256x256 pixels of video frames; frames of a video share their clean crops. "
        "Unpack the archives next to their lists, as the authors do. In the authors' archive video 274 differs from "
        "the list: 274-14_0_3.png is a folder that holds the image (stevewongv/SPANet, issue 24).",
    )
)
