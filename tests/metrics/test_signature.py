import pytest

from bench.config import Tiling
from bench.metrics.protocol import PROTOCOLS
from bench.metrics.signature import explain

COMPUTABLE = {name: protocol.available() for name, protocol in PROTOCOLS.items()}
SIGNATURES = {
    signature
    for protocol in COMPUTABLE.values()
    for signatures in (protocol.signatures(), protocol.signatures(Tiling(tile=512)), protocol.file_signatures())
    for signature in signatures.values()
}


@pytest.mark.parametrize("signature", sorted(SIGNATURES))
def test_every_field_is_put_into_words(signature):
    lines = explain(signature)
    assert len(lines) == len(signature.split("|"))
    assert len(set(lines)) == len(lines) and all(lines)


def test_in_words():
    assert explain(
        "ssim:y|range:bt601|y:uint8|window:gauss11x11,1.5|border:valid|uint8:round|crop:4|tile:512,64|v2"
    ) == [
        "Structural similarity with K1 = 0.01, K2 = 0.03 and a range of 255, on luma",
        "luma is BT.601 in studio range, 16 to 235",
        "luma is rounded to 8 bits",
        "under a Gaussian window of 11x11 with a standard deviation of 1.5",
        "only where the whole window fits into the image",
        "the network's output is clamped and rounded to 8 bits",
        "4 pixels are cut from every side",
        "images are restored in tiles of 512 pixels that overlap by 64",
        "implementation 2",
    ]
    assert "uniform window of 7x7" in explain("ssim:rgb|window:uniform7x7|v1")[1]
    assert "sha256 begins with 0123456789ab" in explain("niqe:grey|params:0123456789ab|v1")[1]


@pytest.mark.parametrize("signature", ["", "psnr", "vmaf:rgb|v1", "psnr:rgb|moon:full|v1", "psnr:rgb|uint8:maybe|v1"])
def test_what_is_not_known_is_refused(signature):
    with pytest.raises(ValueError, match="signature that this version knows"):
        explain(signature)
