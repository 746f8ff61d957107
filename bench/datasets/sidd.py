"""SIDD: real noise of smartphone cameras, sRGB."""

from bench.datasets.base import DATASETS, DataSet, Split
from bench.datasets.layout import MatBlocks, PairFolders, Pairs

DATASETS.register("sidd")(
    DataSet(
        title="SIDD",
        authors="A. Abdelhamed, S. Lin and M. S. Brown",
        licence="the set's own terms of use; see its home page",
        url="https://abdokamel.github.io/sidd/",
        reference="A. Abdelhamed et al., A High-Quality Denoising Dataset for Smartphone Cameras, CVPR 2018",
        protocol="denoise_rgb",
        splits={
            "train": Split(
                Pairs(
                    "SIDD_Medium_Srgb/Data/{scene}/{instance}_NOISY_SRGB_{number}.PNG",
                    "SIDD_Medium_Srgb/Data/{scene}/{instance}_GT_SRGB_{number}.PNG",
                ),
                Pairs(
                    "Data/{scene}/{instance}_NOISY_SRGB_{number}.PNG",
                    "Data/{scene}/{instance}_GT_SRGB_{number}.PNG",
                ),
                PairFolders("train"),
                num_items=320,
            ),
            "test": Split(
                MatBlocks("ValidationNoisyBlocksSrgb.mat", "ValidationGtBlocksSrgb.mat"),
                MatBlocks("test/ValidationNoisyBlocksSrgb.mat", "test/ValidationGtBlocksSrgb.mat"),
                MatBlocks("test/SIDD/ValidationNoisyBlocksSrgb.mat", "test/SIDD/ValidationGtBlocksSrgb.mat"),
                PairFolders("test"),
                num_items=1_280,
            ),
        },
        note="The training set is SIDD-Medium, sRGB. The test split is the 1,280 validation blocks of 256x256 pixels, "
        "32 of each of 40 images, which papers call the test set; the clean images of the official benchmark are not "
        "public, and its numbers are others.",
    )
)
