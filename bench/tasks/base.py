"""What a restoration task is: a degradation to train on, and test sets to be scored on."""

import re
from dataclasses import dataclass
from pathlib import Path

from bench.datasets.base import PairSource
from bench.datasets.degrade import Degradation
from bench.datasets.pairs import PairedFolder, SyntheticPairs, has_pairs, split_folder
from bench.registry import Registry


@dataclass(frozen=True)
class Task:
    """A restoration task on the embedded data, or on a real set of the same layout.

    Attributes:
        title: As in a table's caption.
        degradation: What training images suffer; it spans the severities of the test sets.
        train_set: Name of the embedded set of clean training images.
        test_sets: Names of the embedded test sets.
        protocol: Name of the evaluation protocol; a test set on disk is scored by it.
    """

    title: str
    degradation: Degradation
    test_sets: tuple[str, ...]
    protocol: str
    train_set: str = "scenes"

    def training_source(self, data_root: Path | None, data: Path) -> PairSource:
        """Opens the training pairs.

        Args:
            data_root: A real set with pairs in its folder ``train``; None for the embedded scenes.
            data: The folder of the embedded sets.

        Raises:
            FileNotFoundError: The folder is missing.
        """
        if data_root is None:
            return self._embedded(data, "train")
        if not has_pairs(data_root / "train"):
            raise FileNotFoundError(
                f"{data_root / 'train'}: no training pairs (folders degraded and clean, or input and target); "
                "to score finished cells on it, use --test-root"
            )
        return PairedFolder(data_root / "train", dataset_name(data_root))

    def validation_source(self, data: Path) -> PairSource:
        """Opens the embedded held-out scenes, degraded the same way at every call.

        They also serve runs that train on a real set: holding out a part of that set's training pairs would make its
        scores incomparable with published ones.
        """
        return self._embedded(data, "val")

    def test_folders(self, data_root: Path | None, data: Path) -> dict[str, PairedFolder]:
        """Opens the test sets by name.

        Args:
            data_root: A real set with pairs in its folder ``test`` or directly in it; None for the embedded sets.
            data: The folder of the embedded sets.

        Raises:
            FileNotFoundError: A folder is missing.
            ValueError: A set is not properly paired.
        """
        roots = {name: data / name for name in self.test_sets}
        if data_root is not None:
            roots = {dataset_name(data_root): data_root}
        return {name: PairedFolder(split_folder(root, "test"), name) for name, root in roots.items()}

    def _embedded(self, data: Path, split: str) -> SyntheticPairs:
        folder = data / self.train_set / split / "clean"
        if not folder.is_dir():
            raise FileNotFoundError(f"{folder}: the embedded images are missing; run `dvc pull`")
        return SyntheticPairs(folder, self.degradation, f"{self.train_set}_{split}")


def dataset_name(root: Path) -> str:
    """Makes a registry-style name out of a folder's: ``SOTS-indoor`` becomes ``sots_indoor``."""
    return re.sub(r"[^a-z0-9]+", "_", root.resolve().name.lower()).strip("_") or "data"


TASKS: Registry[Task] = Registry("task", "slkd_bench.tasks")
