"""The photographs in light rain."""

from bench.datasets.base import DATASETS
from bench.datasets.degrade import Rain
from bench.datasets.photos import degraded_photos

DATASETS.register("rain_light")(
    degraded_photos(
        title="Light rain",
        protocol="derain_y",
        reference="W. Yang et al., Deep Joint Rain Detection and Removal from a Single Image, CVPR 2017",
        degradation=Rain(density=(12.0, 24.0), brightness=(0.18, 0.3)),
    )
)
