"""Kodak24: clean photographs from film, to which noise is added."""

from bench.datasets.base import DATASETS, DataSet, Split
from bench.datasets.layout import Clean

DATASETS.register("kodak24")(
    DataSet(
        title="Kodak24",
        authors="Eastman Kodak Company; distributed by R. Franzen",
        licence="released by Kodak for unrestricted use, according to its home page",
        url="https://r0k.us/graphics/kodak/",
        reference="R. Franzen, Kodak Lossless True Color Image Suite, 1999",
        protocol="denoise_rgb",
        splits={
            "test": Split(
                Clean(("kodim{number}.png",)),
                Clean(("Kodak24/{name}.png",)),
                Clean(("{name}.png",)),
                num_items=24,
            )
        },
        note="Images of 768x512 pixels, some of them upright. Some copies for denoising hold crops of 500x500 pixels "
        "instead; numbers on the two differ.",
    )
)
