"""Signatures in words.

A signature is fields joined by ``|``. The first names the metric and what it sees; the last is the version of the
implementation, which changes whenever a score would. Those between are ``field:value``, in this order:

- of the metric: ``range`` and ``y`` say how luma is made, ``gain`` what is done to the restored image first;
  ``window``, ``border`` and ``covariance`` are SSIM's, ``half`` BRISQUE's, ``variant`` PIQE's; ``impl`` is a library
  that computes it, ``params`` a digest of fitted parameters;
- of the protocol: ``uint8``, ``crop``, ``tile``, ``pad``, ``agg``.
"""

import re

_METRICS = {
    "psnr": "Peak signal-to-noise ratio in dB with a peak of 255",
    "ssim": "Structural similarity with K1 = 0.01, K2 = 0.03 and a range of 255",
    "gmsd": "Gradient magnitude similarity deviation (smaller is better)",
    "haarpsi": "Haar wavelet-based perceptual similarity",
    "fsim": "Feature similarity with colour",
    "brisque": "BRISQUE, which needs no clean image (smaller is better)",
    "piqe": "PIQE, which needs no clean image (smaller is better)",
    "niqe": "NIQE, which needs no clean image (smaller is better)",
}
_COLOURS = {
    "rgb": "over the three colours",
    "y": "on luma",
    "rgb_volume": "on the RGB image as a volume of three layers",
    "grey": "on grey (0.299 R + 0.587 G + 0.114 B)",
}
_VALUES = {
    ("range", "bt601"): "luma is BT.601 in studio range, 16 to 235",
    ("y", "uint8"): "luma is rounded to 8 bits",
    ("y", "float"): "luma is not rounded",
    (
        "gain",
        "least_squares",
    ): "the restored image is first multiplied by the gain that brings it nearest to the clean one",
    ("border", "valid"): "only where the whole window fits into the image",
    ("border", "replicate"): "at every pixel, the edges repeated outwards",
    ("covariance", "sample"): "(co)variances are sample estimates, with N - 1 in the denominator",
    ("half", "ceil"): "the second scale has half the size, rounded up",
    ("variant", "matlab"): "MATLAB's variant",
    ("uint8", "round"): "the network's output is clamped and rounded to 8 bits",
    ("uint8", "trunc"): "the network's output is clamped and truncated to 8 bits",
    ("uint8", "none"): "the network's output is clamped and not rounded",
    ("uint8", "file"): "the restored images are files; how they were rounded is not known",
    ("crop", "0"): "nothing is cut off",
    ("tile", "none"): "images are restored as a whole",
    ("pad", "published"): "sides are padded as the network family's released test code does",
    ("pad", "reflect"): "sides are padded by reflection",
    ("agg", "image"): "scored per image, then averaged over the images",
}
_PATTERNS = {
    "window": (r"gauss([\dx]+),([\d.]+)", "under a Gaussian window of {0} with a standard deviation of {1}"),
    "window ": (r"uniform([\dx]+)", "under a uniform window of {0}"),
    "impl": (r"([a-z]+)([\d.]+)", "computed by the library {0} {1}"),
    "params": (r"([0-9a-f]+)", "with the fitted parameters whose sha256 begins with {0}"),
    "crop": (r"(\d+)", "{0} pixels are cut from every side"),
    "tile": (r"(\d+),(\d+)", "images are restored in tiles of {0} pixels that overlap by {1}"),
}


def explain(signature: str) -> list[str]:
    """Says in words what a number with this signature is, a field a line.

    Raises:
        ValueError: A field is not known to this version.
    """
    first, *fields = signature.split("|")
    version = fields.pop() if fields else ""
    name, _, colour = first.partition(":")
    if name not in _METRICS or colour not in _COLOURS or not re.fullmatch(r"v\d+", version):
        raise ValueError(f"{signature!r} is not a signature that this version knows")
    return [f"{_METRICS[name]}, {_COLOURS[colour]}", *map(_in_words, fields), f"implementation {version[1:]}"]


def _in_words(field: str) -> str:
    name, _, value = field.partition(":")
    if (name, value) in _VALUES:
        return _VALUES[name, value]
    for key, (pattern, words) in _PATTERNS.items():
        match = re.fullmatch(pattern, value) if key.strip() == name else None
        if match:
            return words.format(*match.groups())
    raise ValueError(f"{field!r} is not a field of a signature that this version knows")
