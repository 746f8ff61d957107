"""What networks cost, as a table: rendered from records alone."""

from collections.abc import Iterator, Sequence

from bench.record import NetworkRecord
from bench.table import Table


def cost_table(records: Sequence[NetworkRecord]) -> Table:
    """Our costs, and beside them those that others print.

    Raises:
        ValueError: The records count images of different sizes, which one table cannot compare.
    """
    sides = sorted({record.input_size for record in records})
    if len(sides) > 1:
        raise ValueError(f"costs of images of {' and '.join(map(str, sides))} pixels: measure them at one --size")
    sources: dict[str, int] = {}
    rows = []
    for record in records:
        printed = "-"
        if record.published:
            number = sources.setdefault(record.published.source, len(sources) + 1)
            values = (record.published.params_m, record.published.macs_g)
            printed = " / ".join("-" if value is None else f"{value:g}" for value in values) + f" [{number}]"
        rows.append((record.network, record.size, *_cells(record), printed))
    header = (
        "network", "size", "params (M)", "MACs (G), modules", "MACs (G), complete", "activations (M)", "weights (MB)",
        "latency (ms)", "peak memory (MB)", "published params (M) / MACs (G)",
    )  # fmt: skip
    side = sides[0]
    notes = (*NOTES, *_latency_notes(records), *(f"[{number}] {source}" for source, number in sources.items()))
    return Table(f"Cost of one image of {side}x{side} pixels", header, tuple(rows), notes)


def _cells(record: NetworkRecord) -> Iterator[str]:
    for count in (record.params_m, record.macs_g, record.macs_complete_g, record.activations_m, record.weights_mb):
        yield "-" if count is None else f"{count:.3f}"
    spent = record.measured
    yield f"{spent.latency_ms:.1f} ± {spent.latency_iqr_ms / 2:.1f}" if spent else "-"
    yield f"{spent.peak_memory_mb:.1f}" if spent else "-"


NOTES = (
    "MACs, modules: of modules and their biases, the convention of most papers, which call it FLOPs; it misses `@` "
    "products and functional convolutions. MACs, complete: of every matrix product and convolution.",
    "Activations: elements that come out of every matrix product and convolution. MB are 10^6 bytes; peak memory "
    "holds weights, input and all tensors alive at one time. Published MACs are for 256x256 pixels.",
)


def _latency_notes(records: Sequence[NetworkRecord]) -> Iterator[str]:
    """How latencies were measured: a note for each machine and way, since they cannot be compared across these."""
    names: dict[str, list[str]] = {}
    for record in records:
        if spent := record.measured:
            way = (
                f"batches of {spent.batch}, CPU threads: {spent.threads}, {spent.device}, PyTorch {spent.torch}; "
                "peak memory is that of such a pass."
            )
            names.setdefault(way, []).append(f"{record.network} {record.size}")
    for way, of in names.items():
        whose = f" of {', '.join(of)}" if len(names) > 1 else ""
        yield f"Latency{whose}: median ± half the interquartile range of forward passes, {way}"
