"""``python -m bench evaluate``: the metrics as a tool of their own, for image files and for networks."""

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bench.record import write_atomically, write_per_image
from bench.run import console
from bench.tables import METRIC_TITLES, number

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

    def chosen(declared: str | None = None) -> "Protocol":
        return _protocol(protocol or (None if metric else declared), metric, crop_border, rounding)

    if restored is not None:
        given = {"--task": task, "--save": save, "--tile": tile, "--rounding": rounding}
        if unused := [option for option, value in given.items() if value]:
            raise ValueError(f"{' and '.join(unused)} belong to --network; image files are scored as they are")
        name, scores, about = _score_files(restored, clean, chosen())
    elif weights is None or test_set is None:
        raise ValueError("a network is scored with --weights FILE and --test-set SET; --network names its family")
    elif clean is not None:
        raise ValueError("--clean belongs to --restored; a test set has its own clean images")
    else:
        name, scores, about = _score_network(weights, network, test_set, task, tile, save, chosen)
    _publish(out / name, scores, about)


def _score_files(restored: Path, clean: Path | None, protocol: "Protocol") -> tuple[str, "Scores", dict[str, Any]]:
    """Scores image files; returns a name for the result, the scores, and what they are of."""
    from bench.datasets.images import list_images
    from bench.datasets.items import Item, pair_by_stem
    from bench.datasets.pictures import ImageFile
    from bench.evaluate import score_items

    if protocol.needs_clean and clean is None:
        raise ValueError(f"{protocol.name} compares with the originals: name their folder with --clean")
    images = list_images(restored)
    if clean is not None and protocol.needs_clean:
        items = pair_by_stem(images, list_images(clean))
    else:
        items = [Item(path.stem, ImageFile(path), None) for path in images]
    about = {"restored": str(restored), "clean": str(clean or ""), "protocol": protocol.name}
    return restored.resolve().name, score_items(items, protocol), about | {"signatures": protocol.file_signatures()}


def _score_network(
    weights: Path,
    network: str | None,
    test_set: str,
    task: str | None,
    tile: int | None,
    save: Path | None,
    chosen: Callable[[str | None], "Protocol"],
) -> tuple[str, "Scores", dict[str, Any]]:
    """Restores a test set and scores it; returns what `_score_files` does."""
    from bench.config import Tiling
    from bench.evaluate import score
    from bench.imported import import_weights
    from bench.sources import open_test_set

    imported = import_weights(weights, network)
    pairs, declared = open_test_set(test_set, task)
    protocol = chosen(declared)
    tiling = Tiling(tile=tile) if tile else None
    keep = _saver(save) if save else lambda name, levels: None
    scores = score(imported.network, pairs, protocol, tiling=tiling, watch=keep)
    about = {
        "network": imported.architecture.network,
        "size": imported.architecture.size,
        "weights": str(weights),
        "weights_sha256": imported.file_sha256,
        "test_set": pairs.dataset,
        "test_data": pairs.digest(),
        "protocol": protocol.name,
        "signatures": protocol.signatures(tiling),
    }
    return f"{imported.architecture.network}_{imported.architecture.size}_on_{pairs.dataset}", scores, about


def _protocol(name: str | None, metrics: Sequence[str] | None, border: int, rounding: str | None) -> "Protocol":
    """The protocol of a name, or the one that consists of the named metrics."""
    from bench.metrics.metric import METRICS
    from bench.metrics.protocol import PROTOCOLS, Protocol, get_protocol

    if name is None and not metrics:
        raise ValueError(f"say how to score: --protocol {', '.join(PROTOCOLS)}; or --metric, see `metrics list`")
    if rounding not in (None, "round", "trunc", "none"):
        raise ValueError(f"--rounding {rounding}: expected round, trunc or none")
    how: dict[str, Any] = {"rounding": rounding} if rounding else {}
    if metrics:
        for metric in metrics:
            METRICS[metric]
        return Protocol("custom", "chosen metrics", {metric: metric for metric in metrics}, border=border, **how)
    chosen = replace(get_protocol(str(name)), border=border, **how)
    for key, reason in chosen.unavailable().items():
        _print(f"{key} is left out: {reason}")
    return chosen.available()


def _saver(folder: Path) -> Any:
    """Writes restored images as PNG, below folders where their names have any."""
    from PIL import Image

    def keep(name: str, levels: Any) -> None:
        path = folder / f"{name}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        pixels = levels[0].round().byte().permute(1, 2, 0).contiguous().cpu().numpy()
        Image.fromarray(pixels).save(path)

    return keep


def _publish(stem: Path, scores: "Scores", about: dict[str, Any]) -> None:
    """Prints the means and writes the files."""
    means = {key: _mean(values) for key, values in scores.values.items()}
    for key, mean in means.items():
        shown = number(mean, key) if mean is not None else "no mean: some images are identical to their originals"
        _print(f"{METRIC_TITLES.get(key, key):<24} {shown:<10} {about['signatures'][key]}")
    write_per_image(stem.with_name(f"{stem.name}.csv"), scores.names, scores.values, about["signatures"])
    summary = {"kind": "scores", "num_images": len(scores.names), "metrics": means, **about}
    path = stem.with_name(f"{stem.name}.json")
    write_atomically(path, f"{json.dumps(summary, indent=2, sort_keys=True, allow_nan=False)}\n".encode())
    _print(f"{len(scores.names)} images; means in {path}, every image in {path.with_suffix('.csv')}")


def _mean(values: Sequence[float]) -> float | None:
    """The mean over images; None where one is infinite, since then there is none."""
    return math.fsum(values) / len(values) if all(map(math.isfinite, values)) else None


def _print(text: str) -> None:
    console.print(text, markup=False, highlight=False, soft_wrap=True)
