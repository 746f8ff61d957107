"""``python -m bench evaluate``: the metrics as a tool of their own, for image files and for networks."""

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bench.record import ScoresRecord, write_record
from bench.run import console
from bench.table import METRIC_TITLES, number
from bench.values import write_per_image

if TYPE_CHECKING:  # at run time only in the command: these import torch, which --help can do without
    from bench.evaluate import Scores
    from bench.metrics.protocol import Protocol

USUALLY = Path("results/local/scores")


def evaluate(
    restored: Annotated[Path | None, typer.Option(help="A folder of restored images.")] = None,
    clean: Annotated[Path | None, typer.Option(help="The folder of their originals, paired by name.")] = None,
    network: Annotated[str | None, typer.Option(help="Restore with this network family instead.")] = None,
    weights: Annotated[
        Path | None, typer.Option(help="Its weights: an official checkpoint, or one that this benchmark trained.")
    ] = None,
    test_set: Annotated[str | None, typer.Option(help="What it restores: a data set, or a folder of pairs.")] = None,
    task: Annotated[str | None, typer.Option(help="The task that degrades a test set of clean images.")] = None,
    save: Annotated[Path | None, typer.Option(help="Keep the restored images in this folder.")] = None,
    tile: Annotated[int | None, typer.Option(min=1, help="Restore in tiles of this side, in pixels.")] = None,
    overlap: Annotated[int, typer.Option(min=0, help="Pixels that neighbouring tiles share.")] = 128,
    protocol: Annotated[str | None, typer.Option(help="How to score; a data set has its own.")] = None,
    metric: Annotated[
        list[str] | None, typer.Option(help="This metric instead, see `metrics list`; repeatable.", show_default=False)
    ] = None,
    crop_border: Annotated[int, typer.Option(min=0, help="Pixels cut from every side before scoring.")] = 0,
    rounding: Annotated[
        str | None, typer.Option(help="How a network's output becomes 8-bit: round, trunc or none.")
    ] = None,
    out: Annotated[Path, typer.Option(help="The folder of the CSV and JSON files.")] = USUALLY,
) -> None:
    """Scores a folder of restored images against their originals, or restores a test set with a network and scores it.

    Prints the means with their signatures, and writes every image's scores as CSV and the means as JSON.
    """
    is_network = any(value is not None for value in (network, weights, test_set))
    if is_network == (restored is not None):
        raise ValueError("choose one: --restored DIR with --clean DIR, or --network, --weights and --test-set")
    out.mkdir(parents=True, exist_ok=True)  # now and not when all is scored

    def chosen(declared: str | None = None) -> "Protocol":
        return _protocol(protocol or (None if metric else declared), metric, crop_border, rounding)

    if restored is not None:
        given = {"--task": task, "--save": save, "--tile": tile, "--rounding": rounding}
        if unused := [option for option, value in given.items() if value]:
            raise ValueError(f"{' and '.join(unused)}: only for a --network; image files are scored as they are")
        name, scores, about = _score_files(restored, clean, chosen())
    elif weights is None or test_set is None:
        raise ValueError("a network is scored with --weights FILE and --test-set SET; --network names its family")
    elif clean is not None:
        raise ValueError("--clean: only for --restored; a test set has its own clean images")
    else:
        tiles = (tile, overlap) if tile else None
        name, scores, about = _score_network(weights, network, test_set, task, tiles, save, chosen)
    _publish(out, name, scores, about)


About = dict[str, Any]


def _score_files(restored: Path, clean: Path | None, protocol: "Protocol") -> tuple[str, "Scores", About]:
    """Scores image files; returns a name for the result, the scores, and what they are of."""
    from bench.datasets.images import list_images
    from bench.datasets.items import Item, pair_by_stem
    from bench.datasets.pictures import ImageFile
    from bench.evaluate import score_items

    if protocol.needs_clean and clean is None:
        raise ValueError(f"{protocol.name} compares with the originals: name their folder with --clean")
    if clean is not None and not protocol.needs_clean:
        raise ValueError(f"{protocol.name} needs no originals: leave out --clean, which would not be looked at")
    images = list_images(restored)
    items = [Item(path.stem, ImageFile(path), None) for path in images]
    if clean is not None:
        items = pair_by_stem(images, list_images(clean))
    about = _of_protocol(protocol) | {"signatures": protocol.available().file_signatures()}
    about |= {"restored": str(restored), "clean": str(clean or "")}
    return restored.resolve().name, score_items(items, protocol.available()), about


def _score_network(
    weights: Path,
    network: str | None,
    test_set: str,
    task: str | None,
    tiles: tuple[int, int] | None,
    save: Path | None,
    chosen: Callable[[str | None], "Protocol"],
) -> tuple[str, "Scores", About]:
    """Restores a test set and scores it; returns what `_score_files` does."""
    from bench.config import Tiling
    from bench.evaluate import score
    from bench.imported import import_weights
    from bench.sources import open_test_set

    imported = import_weights(weights, network)
    pairs, declared = open_test_set(test_set, task)
    protocol = chosen(declared)
    tiling = Tiling(tile=tiles[0], overlap=tiles[1]) if tiles else None
    keep = _saver(save) if save else lambda name, levels: None
    scores = score(imported.network, pairs, protocol.available(), tiling=tiling, watch=keep)
    about = _of_protocol(protocol) | {
        "network": imported.architecture.network,
        "size": imported.architecture.size,
        "weights": str(weights),
        "weights_sha256": imported.file_sha256,
        "test_set": pairs.dataset,
        "test_data": pairs.digest(),
        "task": task or "",
        "signatures": protocol.available().signatures(tiling),
    }
    return f"{imported.architecture.network}_{imported.architecture.size}_on_{pairs.dataset}", scores, about


def _of_protocol(protocol: "Protocol") -> About:
    """The protocol, and what of it cannot be computed here."""
    missing = protocol.unavailable()
    for key, reason in missing.items():
        _print(f"{METRIC_TITLES.get(key, key)} is left out: {reason}")
    return {"protocol": protocol.name, "unavailable": missing}


def _protocol(name: str | None, metrics: Sequence[str] | None, border: int, rounding: str | None) -> "Protocol":
    """The protocol of a name, or the one that consists of the named metrics."""
    from bench.metrics.metric import METRICS
    from bench.metrics.protocol import PROTOCOLS, Protocol, get_protocol

    if (name is None) == (not metrics):
        raise ValueError(
            f"say how to score: --protocol, one of {', '.join(PROTOCOLS)}; or --metric, see `metrics list`"
        )
    if rounding not in (None, "round", "trunc", "none"):
        raise ValueError(f"--rounding {rounding}: expected round, trunc or none")
    how: dict[str, Any] = {"rounding": rounding} if rounding else {}
    if not metrics:
        return replace(get_protocol(str(name)), border=border, **how)
    for metric in metrics:
        METRICS[metric]
    custom = Protocol("custom", "chosen metrics", {metric: metric for metric in metrics}, border=border, **how)
    if missing := custom.unavailable():
        raise ValueError("; ".join(missing.values()))
    return custom


def _saver(folder: Path) -> Any:
    """Writes restored images as PNG, below folders where their names have any.

    Raises:
        ValueError: The folder holds something already, such as the originals.
    """
    from PIL import Image

    folder.mkdir(parents=True, exist_ok=True)
    if any(folder.iterdir()):
        raise ValueError(f"--save {folder}: this folder is not empty; name a new one, nothing in it is overwritten")

    def keep(name: str, levels: Any) -> None:
        path = folder / f"{name}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        pixels = levels[0].round().byte().permute(1, 2, 0).contiguous().cpu().numpy()
        Image.fromarray(pixels).save(path)

    return keep


def _publish(out: Path, name: str, scores: "Scores", about: About) -> None:
    """Prints the means and writes the files; the same request overwrites its own files and no others."""
    record = ScoresRecord(
        metrics={key: scores.mean(key) for key in scores.values}, num_images=len(scores.names), **about
    )
    for key, mean in record.metrics.items():
        shown = number(mean, key) if mean is not None else "no mean: some images are identical to their originals"
        _print(f"{METRIC_TITLES.get(key, key):<24} {shown:<10} {record.signatures[key]}")
    request = hashlib.sha256(json.dumps(about, sort_keys=True).encode()).hexdigest()[:8]
    path = out / f"{name}_{request}.json"
    write_per_image(path.with_suffix(".csv"), scores.names, scores.values, record.signatures)
    write_record(path, record)
    _print(f"{len(scores.names)} images; means in {path}, every image in {path.with_suffix('.csv')}")


def _print(text: str) -> None:
    console.print(text, markup=False, highlight=False, soft_wrap=True)
