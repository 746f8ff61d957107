"""Decoded images in memory."""

from threading import Lock

from bench.datasets.images import Pixels
from bench.datasets.pictures import Picture
from bench.datasets.windows import read_window


class DecodedImages:
    """Decodes images and keeps them, so that training decodes each file once.

    Images are kept until they fill the budget; the rest is read at every request. Nothing is evicted: under random
    access a cache of the same size that evicts would hit no more often. Threads may share it.

    Args:
        budget: How many bytes of pixels to keep at most.
    """

    def __init__(self, budget: int) -> None:
        self._budget = budget
        self._kept: dict[Picture, Pixels] = {}
        self._sizes: dict[Picture, tuple[int, int]] = {}
        self._lock = Lock()

    def __getitem__(self, picture: Picture) -> Pixels:
        pixels = self._kept.get(picture)
        if pixels is None:
            pixels = self._keep(picture, picture.read())
        return pixels

    def _keep(self, picture: Picture, pixels: Pixels) -> Pixels:
        with self._lock:
            if picture in self._kept:  # another thread was faster
                return self._kept[picture]
            if pixels.nbytes <= self._budget:
                # Owned memory: a half or a centre must not hold on to the whole.
                pixels = pixels.copy()
                pixels.setflags(write=False)
                self._budget -= pixels.nbytes
                self._kept[picture] = pixels
        return pixels

    def size(self, picture: Picture) -> tuple[int, int]:
        """Height and width of an image."""
        if picture not in self._sizes:  # else every crop would open the file once more
            self._sizes[picture] = picture.size()
        return self._sizes[picture]

    def window(self, picture: Picture, rows: slice, columns: slice) -> Pixels:
        """Part of an image, decoded whole only while there is room to keep it."""
        if picture in self._kept:
            return self._kept[picture][rows, columns]
        height, width = self.size(picture)
        is_kept = 3 * height * width <= self._budget
        return self[picture][rows, columns] if is_kept else read_window(picture, rows, columns)
