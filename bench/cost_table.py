"""What networks cost, as a table: rendered from records alone."""

from collections.abc import Iterator, Sequence

from bench.record import Measured, NetworkRecord
from bench.tables import Table


def cost_table(records: Sequence[NetworkRecord]) -> Table:
    """Our costs, and beside them those that others print."""
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
    side = records[0].input_size
    notes = (*_notes(records[0].measured), *(f"[{number}] {source}" for source, number in sources.items()))
    return Table(f"Cost of one image of {side}x{side} pixels", header, tuple(rows), notes)


def _cells(record: NetworkRecord) -> Iterator[str]:
    for count in (record.params_m, record.macs_g, record.macs_complete_g, record.activations_m, record.weights_mb):
        yield "-" if count is None else f"{count:.3f}"
    spent = record.measured
    yield f"{spent.latency_ms:.1f} ± {spent.latency_iqr_ms / 2:.1f}" if spent else "-"
    yield f"{spent.peak_memory_mb:.1f}" if spent else "-"


def _notes(spent: Measured | None) -> Iterator[str]:
    yield (
        "MACs, modules: of modules and their biases, the convention of most papers, which call it FLOPs; it misses `@` "
        "products and functional convolutions. MACs, complete: of every matrix product and convolution."
    )
    yield (
        "Activations: elements that come out of every matrix product and convolution. MB are 10^6 bytes; peak memory "
        "holds weights, input and all tensors alive at one time. Published MACs are for 256x256 pixels."
    )
    if spent:
        yield (
            f"Latency: median ± half the interquartile range of forward passes, batches of {spent.batch}, CPU threads: "
            f"{spent.threads}, {spent.device}, PyTorch {spent.torch}; peak memory is that of such a pass."
        )
