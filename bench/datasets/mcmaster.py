"""McMaster: clean crops of photographs from film, to which noise is added."""

from bench.datasets.base import DATASETS, DataSet, Split
from bench.datasets.layout import Clean

DATASETS.register("mcmaster")(
    DataSet(
        title="McMaster",
        authors="L. Zhang, X. Wu, A. Buades and X. Li",
        licence="no terms stated; research use",
        url="https://www4.comp.polyu.edu.hk/~cslzhang/CDM_Dataset.htm",
        reference="L. Zhang et al., Color Demosaicking by Local Directional Interpolation and Nonlocal Adaptive "
        "Thresholding, Journal of Electronic Imaging 2011",
        protocol="denoise_rgb",
        splits={
            "test": Split(
                Clean(("McM/{name}.tif",)),
                Clean(("McMaster/{name}.tif",)),
                Clean(("{name}.tif",)),
                num_items=18,
            )
        },
        note="18 images of 500x500 pixels, as TIFF or converted to PNG.",
    )
)
