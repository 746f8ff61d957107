"""``python -m bench metrics VERB``: which metrics there are, and fitting the model that NIQE needs."""

from pathlib import Path
from typing import Annotated

import typer

from bench.atomic import write_atomically
from bench.run import console

app = typer.Typer(no_args_is_help=True, help="Lists metrics and protocols; fits the model that NIQE needs.")


@app.command("list")
def list_() -> None:
    """Lists every metric with its definition, and every protocol with its metrics."""
    from bench.metrics.metric import METRICS, MetricUnavailableError
    from bench.metrics.protocol import PROTOCOLS

    for name, metric in METRICS.items():
        try:
            signature = metric.signature()
        except MetricUnavailableError as error:
            signature = f"{metric.definition} (unavailable: {error})"
        _print(f"{name:<24}{metric.title}; {metric.source}\n{'':<24}{signature}")
    for protocol in PROTOCOLS.values():
        _print(f"protocol {protocol.name:<15}{protocol.description}\n{'':<24}{', '.join(protocol.metrics.values())}")


@app.command()
def fit_niqe(
    source: Annotated[Path, typer.Option("--from", help="A folder of pristine photographs.")],
    out: Annotated[Path, typer.Option(help="The file of the model.")] = Path("weights/niqe.npz"),
) -> None:
    """Fits NIQE's model of pristine photographs; its digest becomes part of every NIQE score's signature.

    The authors fitted theirs to 125 photographs; scores by different models are not comparable.
    """
    import torch

    from bench.datasets.images import list_images, read_image
    from bench.metrics.niqe import fit

    if out.exists():
        raise ValueError(f"{out} is already there, and scores may rest on it; remove it, or choose another with --out")
    paths = list_images(source)
    model = fit(torch.tensor(read_image(path)).permute(2, 0, 1) for path in paths)
    write_atomically(out, model.content())
    _print(f"{out}: fitted to {len(paths)} photographs, sha256 {model.sha256}")


def _print(text: str) -> None:
    console.print(text, markup=False, highlight=False, soft_wrap=True)
