"""The photographs in haze of smoothly varying depth."""

from bench.datasets.base import DATASETS
from bench.datasets.degrade import Haze
from bench.datasets.photos import degraded_photos

DATASETS.register("haze")(
    degraded_photos(
        title="Haze",
        protocol="dehaze_rgb",
        reference="S. G. Narasimhan and S. K. Nayar, Vision and the Atmosphere, IJCV 2002",
        degradation=Haze(beta=(0.6, 1.8)),
    )
)
