import math
import re

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.metrics.protocol import PROTOCOLS, get_protocol, luma, to_uint8
from bench.registry import UnknownNameError

DIMENSIONLESS = {"ssim", "ssim_volume"}
FIELDS = {"range", "y", "window", "border", "uint8", "crop", "tile", "pad", "agg"}
METRICS = [metric for protocol in PROTOCOLS.values() for metric in protocol.metrics.values()]

every_protocol = pytest.mark.parametrize("protocol", PROTOCOLS.values(), ids=PROTOCOLS)


def colour(red: int, green: int, blue: int) -> torch.Tensor:
    return torch.tensor([red, green, blue], dtype=torch.uint8).view(1, 3, 1, 1)


@every_protocol
def test_golden(protocol, golden_pair):
    colours = "y" if protocol.name == "derain_y" else "rgb"
    expected = {
        "psnr_db": golden_pair.expected[f"psnr_{colours}_db"],
        "ssim": golden_pair.expected[f"ssim_{colours}"],
        "ssim_volume": golden_pair.expected["ssim_volume"],
    }
    scores = protocol.score(golden_pair.restored, golden_pair.clean)
    assert list(scores) == list(protocol.metrics)
    assert {key: score.item() for key, score in scores.items()} == (
        pytest.approx({key: expected[key] for key in scores}, abs=1e-10)
    )


def test_golden_network_output(golden_output):
    scores = get_protocol("deblur_rgb").score(to_uint8(golden_output.restored), golden_output.clean)
    expected = {key.replace("rgb_db", "db").replace("_rgb", ""): value for key, value in golden_output.expected.items()}
    assert {key: score.item() for key, score in scores.items()} == pytest.approx(expected, abs=1e-10)


@every_protocol
def test_names_say_units(protocol):
    assert PROTOCOLS[protocol.name] is protocol
    assert re.fullmatch(r"[a-z0-9_]+", protocol.name)
    assert all(key.endswith("_db") or key in DIMENSIONLESS for key in protocol.metrics)
    assert "\n" not in protocol.description


def test_one_signature_per_definition():
    definitions = set(METRICS)
    assert len({metric.signature for metric in definitions}) == len(definitions)
    assert len({metric.function for metric in definitions}) == len(definitions)


@pytest.mark.parametrize("signature", sorted({metric.signature for metric in METRICS}))
def test_signature_fields(signature):
    metric, *fields, version = signature.split("|")
    assert re.fullmatch(r"(psnr|ssim):\w+", metric)
    assert re.fullmatch(r"v\d+", version)
    names = [field.split(":")[0] for field in fields]
    assert set(names) <= FIELDS and len(set(names)) == len(names)


def test_signatures_are_pinned():
    """A published number is found by its signature: a change here means new numbers everywhere."""
    assert PROTOCOLS["derain_y"].metrics["psnr_db"].signature == (
        "psnr:y|range:bt601|y:uint8|uint8:round|crop:0|tile:none|pad:published|agg:image|v1"
    )
    assert PROTOCOLS["deblur_rgb"].metrics["ssim_volume"].signature == (
        "ssim:rgb_volume|window:gauss11x11x11,1.5|border:replicate|uint8:round|crop:0|tile:none|pad:published|agg:image|v1"
    )


@pytest.mark.parametrize(
    ("rgb", "expected"),
    [
        ((0, 0, 0), 16),
        ((255, 255, 255), 235),
        ((255, 0, 0), 81),
        ((0, 255, 0), 145),
        ((0, 0, 255), 41),
        ((0, 204, 68), 126),  # 125.5 exactly: half up
        ((6, 34, 182), 53),  # 52.5 exactly: half up, where half to even would be 52
    ],
)
def test_luma_by_hand(rgb, expected):
    assert luma(colour(*rgb)).item() == expected


@settings(deadline=None)
@given(st.tuples(*[st.integers(0, 255)] * 3))
def test_luma_agrees_with_floating_point(rgb):
    value = 16 + np.dot(rgb, [65.481, 128.553, 24.966]) / 255
    is_tie = abs(value % 1 - 0.5) < 1e-9
    assert is_tie or luma(colour(*rgb)).item() == math.floor(value + 0.5)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(*[st.sampled_from([0, 85, 170, 255])] * 2), min_size=121, max_size=121))
def test_studio_range_flatters_by_its_ratio(levels):
    """Greys whose luma needs no rounding: Y spans 219 levels instead of 255, but PSNR's peak stays 255."""
    restored, clean = torch.tensor(levels, dtype=torch.uint8).view(1, 1, 11, 11, 2).expand(1, 3, 11, 11, 2).unbind(-1)
    y, rgb = (PROTOCOLS[name].score(restored, clean)["psnr_db"] for name in ("derain_y", "denoise_rgb"))
    if rgb.isfinite():
        assert (y - rgb).item() == pytest.approx(20 * math.log10(255 / 219))


def test_to_uint8_clamps_and_rounds_half_to_even():
    output = torch.tensor([-1.0, 0, 0.5 / 255, 1.5 / 255, 2.4 / 255, 254.5 / 255, 1, 7, math.inf])
    assert to_uint8(output).tolist() == [0, 0, 0, 2, 2, 254, 255, 255, 255]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_to_uint8_keeps_every_level(dtype):
    levels = torch.arange(256, dtype=torch.uint8)
    assert torch.equal(to_uint8(levels.to(dtype) / 255), levels)


@pytest.mark.parametrize(
    ("output", "message"),
    [
        (torch.tensor([0.5, math.nan]), "NaN; the network has diverged"),
        (torch.tensor([128], dtype=torch.uint8), "floating-point output .* got torch.uint8"),
    ],
)
def test_to_uint8_refuses(output, message):
    with pytest.raises(ValueError, match=message):
        to_uint8(output)


@every_protocol
def test_refuses_what_it_cannot_score(protocol):
    image = torch.zeros(1, 3, 16, 16, dtype=torch.uint8)
    for restored, clean, message in (
        (image.float(), image, "expected uint8"),
        (image, image[..., 1:], "one shape"),
        (image[:, :1], image[:, :1], "expected RGB images"),
        (image[..., :8], image[..., :8], "at least 11x11"),
    ):
        with pytest.raises(ValueError, match=message):
            protocol.score(restored, clean)


def test_unknown_protocol_suggests_a_name():
    assert get_protocol("derain_y") is PROTOCOLS["derain_y"]
    with pytest.raises(UnknownNameError, match="unknown protocol 'derain': did you mean 'derain_y'"):
        get_protocol("derain")
