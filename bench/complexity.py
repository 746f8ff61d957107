"""The cost of a network: parameters and multiply-accumulates, which belong to the network and not to a cell."""

import copy
import warnings
from collections.abc import Iterable
from pathlib import Path

import torch
from ptflops import get_model_complexity_info
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from bench.networks.base import RestorationNetwork, build_network
from bench.record import NetworkRecord, read_network, write_record


def measure(network: str, size: str, input_size: int = 256) -> NetworkRecord:
    """Counts a network's parameters and multiply-accumulates (MACs).

    Args:
        network: A registered family.
        size: One of its size presets.
        input_size: Side of the square RGB image, in pixels; a multiple of the network's ``size_multiple``.
    """
    built = build_network(network, size).eval()
    if input_size % built.size_multiple:
        raise ValueError(f"input size {input_size}: network {network!r} needs a multiple of {built.size_multiple}")
    return NetworkRecord(
        network=network,
        size=size,
        params_m=sum(parameter.numel() for parameter in built.parameters()) / 1e6,
        macs_g=_macs_by_hooks(built, input_size) / 1e9,
        macs_complete_g=_macs_complete(built, input_size) / 1e9,
        input_size=input_size,
    )


def _macs_by_hooks(network: RestorationNetwork, input_size: int) -> float:
    """MACs of the modules: the count that papers print as FLOPs. It misses ``@`` and functional convolutions."""
    counted = copy.deepcopy(network)  # ptflops leaves its hooks behind
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        macs, _ = get_model_complexity_info(
            counted, (3, input_size, input_size), as_strings=False, print_per_layer_stat=False, backend="pytorch"
        )
    if macs is None:
        raise RuntimeError(f"ptflops could not count {type(network).__name__}")
    return float(macs)


def _macs_complete(network: nn.Module, input_size: int) -> float:
    """MACs of every matrix product and convolution that is dispatched, in a module or not."""
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        network(torch.zeros(1, 3, input_size, input_size))
    return counter.get_total_flops() / 2


def write_records(sizes: Iterable[tuple[str, str]], results: Path, again: bool = False) -> list[NetworkRecord]:
    """Writes the cost record of each (network, size); existing ones are kept unless ``again``."""
    records = []
    for network, size in sizes:
        path = results / "networks" / f"{network}_{size}.json"
        if again or not path.exists():
            write_record(path, measure(network, size))
        records.append(read_network(path))
    return records
