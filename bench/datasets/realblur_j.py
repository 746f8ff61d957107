"""RealBlur-J: real camera shake, in images as the camera's own processing delivers them."""

from bench.datasets.base import DATASETS, DataSet, Split
from bench.datasets.layout import Listed, PairFolders

DATASETS.register("realblur_j")(
    DataSet(
        title="RealBlur-J",
        authors="J. Rim, H. Lee, J. Won and S. Cho",
        licence="CC BY 4.0",
        url="https://github.com/rimchang/RealBlur",
        reference="J. Rim et al., Real-World Blur Dataset for Learning and Benchmarking Deblurring Algorithms, "
        "ECCV 2020",
        protocol="deblur_rgb",
        splits={
            "train": Split(
                Listed("RealBlur_J_train_list.txt", "clean degraded"),
                PairFolders("train"),
                num_items=3_758,
            ),
            "test": Split(
                Listed("RealBlur_J_test_list.txt", "clean degraded"),
                PairFolders("test/RealBlur_J"),
                PairFolders("RealBlur_J"),
                PairFolders("test"),
                PairFolders(),
                num_items=980,
            ),
        },
        note="Papers report two settings: trained on GoPro alone, and trained on RealBlur-J. The authors' evaluation, "
        "which most papers follow, aligns the result to the clean image before it measures PSNR and SSIM, so that "
        "numbers without alignment are lower. Copies in pair folders hold the test images alone.",
    )
)
