"""The photographs in heavy rain."""

from bench.datasets.base import DATASETS
from bench.datasets.degrade import Rain
from bench.datasets.photos import degraded_photos

DATASETS.register("rain_heavy")(
    degraded_photos(
        title="Heavy rain",
        protocol="derain_y",
        reference="W. Yang et al., Deep Joint Rain Detection and Removal from a Single Image, CVPR 2017",
        degradation=Rain(density=(25.0, 45.0), brightness=(0.35, 0.5)),
    )
)
