import math
import re
from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.metrics.metric import METRICS, MetricUnavailableError
from bench.metrics.protocol import PROTOCOLS, get_protocol
from bench.registry import UnknownNameError

DIMENSIONLESS = {"ssim", "ssim_volume", "gmsd", "brisque", "piqe", "niqe"}

every_protocol = pytest.mark.parametrize("protocol", PROTOCOLS.values(), ids=PROTOCOLS)


@pytest.mark.parametrize("name", ["derain_y", "deblur_rgb", "denoise_rgb", "dehaze_rgb"])
def test_golden(name, golden_pair):
    protocol = PROTOCOLS[name]
    colours = "y" if name == "derain_y" else "rgb"
    expected = {
        "psnr_db": golden_pair.expected[f"psnr_{colours}_db"],
        "ssim": golden_pair.expected[f"ssim_{colours}"],
        "ssim_volume": golden_pair.expected["ssim_volume"],
    }
    scores = protocol.score(golden_pair.restored, golden_pair.clean)
    assert list(scores) == list(protocol.metrics)
    assert {key: score.item() for key, score in scores.items() if key in expected} == (
        pytest.approx({key: expected[key] for key in scores if key in expected}, abs=1e-10)
    )


def test_golden_network_output(golden_output):
    protocol = get_protocol("deblur_rgb")
    scores = protocol.score(protocol.levels(golden_output.restored), golden_output.clean)
    expected = {key.replace("rgb_db", "db").replace("_rgb", ""): value for key, value in golden_output.expected.items()}
    assert {key: scores[key].item() for key in expected} == pytest.approx(expected, abs=1e-10)


def test_a_measure_that_no_method_trains_on_stands_beside_psnr_and_ssim():
    for name in ("derain_y", "deblur_rgb", "denoise_rgb", "dehaze_rgb"):
        assert PROTOCOLS[name].metrics["gmsd"] == "gmsd"


def test_the_border_is_cut_and_signed():
    clean = torch.zeros(1, 3, 24, 24, dtype=torch.uint8)
    restored = clean.clone()
    restored[..., 12, 12] = 9
    restored[..., 0] = 255
    protocol = replace(PROTOCOLS["denoise_rgb"], border=4)
    assert protocol.score(restored, clean)["psnr_db"].item() == pytest.approx(10 * math.log10(255**2 * 16 * 16 / 81))
    assert "|crop:4|" in protocol.signatures()["psnr_db"]


def test_metrics_whose_files_are_missing_are_left_out_and_named(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    protocol = PROTOCOLS["no_reference"]
    assert set(protocol.unavailable()) == {"brisque", "niqe"}
    assert "weights/niqe.npz" in protocol.unavailable()["niqe"]
    assert list(protocol.available().metrics) == ["piqe"]
    assert not protocol.needs_clean and PROTOCOLS["derain_y"].needs_clean
    with pytest.raises(MetricUnavailableError):
        protocol.signatures()


def test_how_files_were_rounded_is_not_known():
    assert PROTOCOLS["denoise_rgb"].file_signatures()["psnr_db"] == "psnr:rgb|uint8:file|crop:0|agg:image|v1"


@every_protocol
def test_names_say_units(protocol):
    assert PROTOCOLS[protocol.name] is protocol
    assert re.fullmatch(r"[a-z0-9_]+", protocol.name)
    assert all(key.endswith("_db") or key in DIMENSIONLESS for key in protocol.metrics)
    assert "\n" not in protocol.description
    assert all(name in METRICS for name in protocol.metrics.values())


def test_signatures_are_pinned():
    """A published number is found by its signature: a change here means new numbers everywhere."""
    assert PROTOCOLS["derain_y"].signatures()["psnr_db"] == (
        "psnr:y|range:bt601|y:uint8|uint8:round|crop:0|tile:none|pad:published|agg:image|v1"
    )
    assert PROTOCOLS["deblur_rgb"].signatures()["ssim_volume"] == (
        "ssim:rgb_volume|window:gauss11x11x11,1.5|border:replicate|uint8:round|crop:0|tile:none|pad:published|agg:image|v1"
    )


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(*[st.sampled_from([0, 85, 170, 255])] * 2), min_size=121, max_size=121))
def test_studio_range_flatters_by_its_ratio(levels):
    """Greys whose luma needs no rounding: Y spans 219 levels instead of 255, but PSNR's peak stays 255."""
    restored, clean = torch.tensor(levels, dtype=torch.uint8).view(1, 1, 11, 11, 2).expand(1, 3, 11, 11, 2).unbind(-1)
    y, rgb = (PROTOCOLS[name].score(restored, clean)["psnr_db"] for name in ("derain_y", "denoise_rgb"))
    if rgb.isfinite():
        assert (y - rgb).item() == pytest.approx(20 * math.log10(255 / 219))


@pytest.mark.parametrize("protocol", [p for p in PROTOCOLS.values() if p.needs_clean], ids=lambda p: p.name)
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
