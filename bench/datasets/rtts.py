"""RESIDE RTTS: photographs in real haze, of which no clean version exists."""

from bench.datasets.base import DATASETS, DataSet, Split
from bench.datasets.layout import Degraded

DATASETS.register("rtts")(
    DataSet(
        title="RTTS",
        authors="B. Li, W. Ren, D. Fu, D. Tao, D. Feng, W. Zeng and Z. Wang",
        licence="no terms stated; research use",
        url="https://sites.google.com/view/reside-dehaze-datasets",
        reference="B. Li et al., Benchmarking Single-Image Dehazing and Beyond, IEEE TIP 2019",
        protocol="no_reference",
        splits={
            "test": Split(
                Degraded("JPEGImages/{name}.png"),
                Degraded("RTTS/JPEGImages/{name}.png"),
                Degraded("{name}.png"),
                num_items=4_322,
            )
        },
        note="Its boxes of vehicles and people, in Annotations, are not used.",
    )
)
