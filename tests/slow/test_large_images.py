"""An image that no whole pass would fit in the memory of a small machine."""

import subprocess
import sys

import pytest

pytestmark = pytest.mark.slow

FOUR_K = """
import resource, torch
from bench.config import Tiling
from bench.evaluate import restore
from bench.networks import build_network

image = torch.rand(1, 3, 2160, 3840)
restored = restore(build_network("nafnet", "sl"), image, Tiling(tile=512, overlap=128))
assert restored.shape == image.shape
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20)
"""


def test_a_4k_image_passes_through_the_nafnet_student_in_4_gib():
    assert float(subprocess.check_output([sys.executable, "-c", FOUR_K])) < 4
