"""BSDS500: photographs of the Berkeley segmentation data set, clean images to train on."""

from bench.datasets.base import DATASETS, DataSet, Split
from bench.datasets.layout import Clean

DATASETS.register("bsds500")(
    DataSet(
        title="BSDS500",
        authors="P. Arbelaez, M. Maire, C. Fowlkes and J. Malik; D. Martin and D. Tal",
        licence="non-commercial research and education",
        url="https://www2.eecs.berkeley.edu/Research/Projects/CS/vision/grouping/resources.html",
        reference="P. Arbelaez et al., Contour Detection and Hierarchical Image Segmentation, IEEE TPAMI 2011",
        splits={
            "train": Split(
                Clean(("BSDS500/data/images/train/{name}.jpg", "BSDS500/data/images/test/{name}.jpg")),
                Clean(("data/images/train/{name}.jpg", "data/images/test/{name}.jpg")),
                Clean(("images/train/{name}.jpg", "images/test/{name}.jpg")),
                num_items=400,
            ),
        },
        note="The official train and test folders are trained on (BSD400); the validation folder, which holds "
        "CBSD68, is not read at all. "
        "Leaks: the backgrounds of Rain100L are BSDS500 images.",
    )
)
