"""The photographs with little camera shake."""

from bench.datasets.base import DATASETS
from bench.datasets.degrade import MotionBlur
from bench.datasets.photos import degraded_photos

DATASETS.register("blur_light")(
    degraded_photos(
        title="Light motion blur",
        protocol="deblur_rgb",
        reference="G. Boracchi and A. Foi, Modeling the Performance of Image Restoration from Motion Blur, TIP 2012",
        degradation=MotionBlur(length=(7.0, 10.0)),
    )
)
