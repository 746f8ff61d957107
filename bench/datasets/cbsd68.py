"""CBSD68: clean photographs of the Berkeley segmentation data set, to which noise is added."""

from bench.datasets.base import DATASETS, DataSet, Split
from bench.datasets.layout import Clean

DATASETS.register("cbsd68")(
    DataSet(
        title="CBSD68",
        authors="D. Martin, C. Fowlkes, D. Tal and J. Malik; selected by S. Roth and M. J. Black",
        licence="non-commercial research and education, as BSDS500",
        url="https://www2.eecs.berkeley.edu/Research/Projects/CS/vision/bsds/",
        reference="D. Martin et al., A Database of Human Segmented Natural Images and its Application to Evaluating "
        "Segmentation Algorithms and Measuring Ecological Statistics, ICCV 2001",
        protocol="denoise_rgb",
        splits={
            "test": Split(
                Clean(("CBSD68/original_png/{name}.png",)),
                Clean(("original_png/{name}.png",)),
                Clean(("CBSD68/{name}.png",)),
                Clean(("{name}.png",)),
                num_items=68,
            )
        },
        note="Copies name the images 0000 to 0067 or by their numbers in BSDS, such as 101085. Leaks: the images are "
        "in BSDS500's validation split, and 24 of them are backgrounds of Rain100L.",
    )
)
