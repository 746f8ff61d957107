"""The photographs with Gaussian noise of standard deviation 50/255."""

from bench.datasets.base import DATASETS
from bench.datasets.degrade import Noise
from bench.datasets.photos import degraded_photos

DATASETS.register("noise_50")(
    degraded_photos(
        title="Gaussian noise, sigma 50",
        protocol="denoise_rgb",
        reference=(
            "K. Zhang et al., Beyond a Gaussian Denoiser: Residual Learning of Deep CNN for Image Denoising, TIP 2017"
        ),
        degradation=Noise(sigma=(50.0, 50.0)),
    )
)
