import pytest
import torch
from my_lab.edge_kd import EdgeKD, sobel

from bench.conformance import CHECKS


@pytest.mark.parametrize("check", CHECKS)
def test_it_conforms(check):
    CHECKS[check](EdgeKD)


def test_a_ramp_has_its_slope_for_gradient():
    ramp = torch.arange(6.0).expand(1, 1, 5, 6)
    gradients = sobel(ramp)
    assert (gradients[:, 0] == 1).all() and (gradients[:, 1] == 0).all()
