"""How blurred frames were made out of sharp ones: averaged as they are, or as linear light."""

import numpy as np

from bench.datasets.items import Item


def averaging_exponent(item: Item) -> float | None:
    """The exponent g for which ``mean(degraded^g) = mean(clean^g)``: blur keeps the mean of what was averaged.

    Returns:
        In [0.2, 5]; None where no exponent there does, or the images cannot be read.
    """
    if item.degraded is None or item.clean is None:
        return None
    levels = np.linspace(0, 1, 256)
    try:
        counts = [np.bincount(picture.read().reshape(-1), minlength=256) for picture in (item.degraded, item.clean)]
    except (ValueError, FileNotFoundError):
        return None  # said when all images were checked

    def excess(exponent: float) -> float:
        powers = levels**exponent
        return float((powers * (counts[0] / counts[0].sum() - counts[1] / counts[1].sum())).sum())

    low, high = 0.2, 5.0
    if excess(low) * excess(high) >= 0:
        return None
    for _ in range(40):
        middle = (low + high) / 2
        low, high = (middle, high) if excess(low) * excess(middle) > 0 else (low, middle)
    return (low + high) / 2
