"""The images of a task: what it trains on, what it is validated and tested on, opened once."""

from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path

from bench.cell import dataset_name
from bench.config import Params
from bench.datasets.base import DATASETS, PairSource, Shelf
from bench.datasets.items import Item
from bench.datasets.layout import PairFolders
from bench.datasets.pairs import StoredPairs, SyntheticPairs
from bench.evaluate import Scores, score
from bench.metrics.protocol import Protocol, get_protocol
from bench.tasks.base import TASKS, Task

HELD_OUT_EVERY = 10


class TaskData:
    """The training pairs and test sets of a task; their digests make records stale when they change.

    Args:
        name: A registered task.
        params: The grid; its ``data_root`` and ``test_root`` take the place of the task's own sets.
        shelf: Where the declared sets are.
    """

    def __init__(self, name: str, params: Params, shelf: Shelf) -> None:
        self._name = name
        self.task: Task = TASKS[name]
        self._params = params
        self._shelf = shelf
        self._input_scores: dict[str, dict[str, float]] = {}

    @cached_property
    def training(self) -> PairSource:
        """The training pairs.

        Raises:
            FileNotFoundError: They are not there; the message says how to get them.
        """
        items, dataset = self._training_items
        if self._is_held_out:
            items = _split_off(items)[0]
        return self._open(items, dataset)

    @cached_property
    def validation(self) -> PairSource:
        """Images that no network of this grid is trained on and that are in no test set.

        The train set's own split ``val`` where it has one, else every tenth scene of its training pairs.
        """
        if self._is_held_out:
            items, dataset = self._training_items
            return self._open(_split_off(items)[1], f"{dataset}_held_out")
        return self._open(self._shelf.find(self.task.train_set, "val"), f"{self.task.train_set}_val")

    @cached_property
    def test_sets(self) -> Mapping[str, PairSource]:
        """The sets to score on by name: the task's test sets, or its validation images.

        Raises:
            FileNotFoundError: One is not there; the message says how to get it.
        """
        if self._params.evaluate_on == "validation":
            return {f"{self._name}_validation": self.validation}
        root = self._params.test_root or self._params.data_root
        if root is not None:
            items = _own_items(root, "test") or PairFolders().find(root)
            if not items:
                raise FileNotFoundError(f"no test pairs: expected {PairFolders('test')} or {PairFolders()} in {root}")
            return {dataset_name(root): self._open(items, dataset_name(root))}
        return {name: self._open(self._shelf.find(name, "test"), name) for name in self.test_set_names}

    @property
    def test_set_names(self) -> list[str]:
        """The declared test sets that the grid wants.

        Raises:
            ValueError: It wants none of this task's.
        """
        wanted = self._params.test_sets
        names = [name for name in self.task.test_sets if wanted is None or name in wanted]
        if not names:
            raise ValueError(
                f"test_sets: {', '.join(wanted or ())} has none of {self._name}'s: {', '.join(self.task.test_sets)}"
            )
        return names

    @cached_property
    def training_digest(self) -> str:
        """Digest of the training images and of how they are degraded."""
        return self.training.digest()

    @cached_property
    def test_digests(self) -> dict[str, str]:
        """Digest of each test set."""
        return {name: pairs.digest() for name, pairs in self.test_sets.items()}

    def missing(self) -> list[str]:
        """What is not here of the sets that a run reads, and how to get it; a user's own folder is not among them."""
        params, reasons = self._params, []
        sets = [] if params.data_root else [(self.task.train_set, "train")]
        if params.evaluate_on == "test" and not (params.data_root or params.test_root):
            sets += [(name, "test") for name in self.test_set_names]
        for name, split in sets:
            try:
                self._shelf.find(name, split)
            except FileNotFoundError as error:
                reasons.append(str(error))
        return reasons

    @property
    def num_training(self) -> int:
        """How many training pairs, or clean training images, there are; as declared where the set is not here."""
        try:
            return len(self.training)
        except FileNotFoundError:
            if self._params.data_root is not None:
                raise
            return DATASETS[self.task.train_set].splits["train"].num_items

    def protocol(self, test_set: str) -> Protocol:
        """A test set's protocol: its declaration's, else the task's; without metrics that cannot be computed here."""
        return self._declared_protocol(test_set).available()

    def unavailable(self, test_set: str) -> dict[str, str]:
        """The metrics of a test set's protocol that cannot be computed here, and why."""
        return self._declared_protocol(test_set).unavailable()

    def _declared_protocol(self, test_set: str) -> Protocol:
        is_own = self._params.test_root or self._params.data_root or test_set not in DATASETS
        return get_protocol((None if is_own else DATASETS[test_set].protocol) or self.task.protocol)

    def input_scores(self, test_set: str) -> dict[str, float]:
        """The mean scores of a test set's degraded images themselves, computed once."""
        if test_set not in self._input_scores:
            scores: Scores = score(None, self.test_sets[test_set], self.protocol(test_set))
            self._input_scores[test_set] = scores.means()
        return self._input_scores[test_set]

    @property
    def _is_held_out(self) -> bool:
        """Whether validation takes a part of the training pairs."""
        has_own = self._params.data_root is None and "val" in DATASETS[self.task.train_set].splits
        return self._params.evaluate_on == "validation" and not has_own

    @cached_property
    def _training_items(self) -> tuple[Sequence[Item], str]:
        root = self._params.data_root
        if root is None:
            return self._shelf.find(self.task.train_set, "train"), f"{self.task.train_set}_train"
        items = _own_items(root, "train")
        if not items:
            raise FileNotFoundError(
                f"{root / 'train'}: no training pairs; expected {PairFolders('train')}; "
                "to score finished cells on it, use --test-root"
            )
        return items, dataset_name(root)

    def _open(self, items: Sequence[Item], dataset: str) -> PairSource:
        memory = int(self._params.memory_gb * 2**30)
        if all(item.degraded for item in items):
            return StoredPairs(items, dataset, memory)
        if self.task.degradation is None:
            raise ValueError(f"{dataset} holds clean images, and task {self._name!r} declares no degradation for them")
        return SyntheticPairs(items, self.task.degradation, dataset, memory=memory)


def open_test_set(name: str, task: str | None = None, shelf: Shelf | None = None) -> tuple[PairSource, str | None]:
    """Opens a test set to score a network on: a declared one, or a folder of pairs.

    Args:
        name: A data set, or a path.
        task: The task that degrades a set of clean images.
        shelf: Where the declared sets are, if not in the usual folders.

    Returns:
        The set, and the name of its protocol; None for a folder.

    Raises:
        UnknownNameError: It is neither a data set nor a folder.
        FileNotFoundError: It is not there.
        ValueError: It holds clean images, and no task that degrades them is named.
    """
    if name not in DATASETS and Path(name).is_dir():
        items = _own_items(Path(name), "test") or PairFolders().find(Path(name))
        if not items:
            raise FileNotFoundError(f"{name}: no test pairs; expected {PairFolders('test')} or {PairFolders()}")
        return StoredPairs(items, dataset_name(Path(name)), memory=0), TASKS[task].protocol if task else None
    items, protocol = (shelf or Shelf()).find(name, "test"), DATASETS[name].protocol
    if all(item.degraded for item in items):
        if task:
            raise ValueError(f"{name} holds degraded images already: leave out --task {task}")
        return StoredPairs(items, name, memory=0), protocol
    able = {t: d.degradation for t, d in TASKS.items() if name in d.test_sets and d.degradation}
    if task not in able:
        raise ValueError(
            f"{name} holds clean images: name the task that degrades them with --task, one of {', '.join(able)}"
        )
    return SyntheticPairs(items, able[task], name, memory=0), protocol


def _own_items(root: Path, split: str) -> list[Item]:
    return PairFolders(split).find(root)


def _split_off(items: Sequence[Item]) -> tuple[list[Item], list[Item]]:
    """What is left to train on, and every tenth scene: all versions of one clean image stay on one side."""
    scenes = {scene: number for number, scene in enumerate(dict.fromkeys(item.clean for item in items))}
    is_held_out = [scenes[item.clean] % HELD_OUT_EVERY == HELD_OUT_EVERY - 1 for item in items]
    if not any(is_held_out):
        raise ValueError(
            f"{len(scenes)} training scenes are too few to hold out one of {HELD_OUT_EVERY} to validate on"
        )
    kept = [item for item, is_out in zip(items, is_held_out, strict=True) if not is_out]
    return kept, [item for item, is_out in zip(items, is_held_out, strict=True) if is_out]
