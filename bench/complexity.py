"""The cost of a network: parameters, multiply-accumulates, activations. It belongs to the network, not to a cell."""

import copy
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode, flop_registry

from bench import latency
from bench.networks.base import NETWORKS, RestorationNetwork, build_network
from bench.record import NetworkRecord, PublishedCost, write_record
from bench.registry import UnknownNameError


class Counts(NamedTuple):
    """What is counted for one image, in units of one.

    Attributes:
        params: Parameters.
        macs: Multiply-accumulates of the modules.
        macs_complete: Multiply-accumulates of every matrix product and convolution.
        activations: Elements that come out of the latter.
        weight_bytes: Bytes of the state dict's tensors.
    """

    params: int
    macs: int
    macs_complete: int
    activations: int
    weight_bytes: int


def presets(families: Sequence[str], wanted: Sequence[str] = ()) -> list[tuple[str, str]]:
    """The (network, size preset) pairs of families.

    Args:
        families: Registered families.
        wanted: Presets that each of them must have; empty: all presets of each.

    Raises:
        UnknownNameError: An unknown family or preset; the message names the nearest ones.
    """
    for name in families:
        for size in wanted:
            if size not in NETWORKS[name].sizes:
                raise UnknownNameError(f"size of network {name!r}", size, NETWORKS[name].sizes)
    return [(name, size) for name in families for size in wanted or NETWORKS[name].sizes]


def measure(network: str, size: str, input_size: int = 256, batch: int | None = None) -> NetworkRecord:
    """Counts a network's cost for one image and, if asked, measures time and memory of its forward passes.

    Args:
        network: A registered family.
        size: One of its size presets.
        input_size: Side of the square image, in pixels; a multiple of the network's ``size_multiple``.
        batch: Images of the forward passes that are measured; None: they are not, which takes less than a second.

    Raises:
        UnknownNameError: An unknown family or preset.
        ValueError: The input size does not fit; the message names the nearest ones that do.
    """
    return describe(build_network(network, size).eval(), network, size, input_size, batch)


def describe(
    built: RestorationNetwork, network: str, size: str, input_size: int = 256, batch: int | None = None
) -> NetworkRecord:
    """The cost record of a network that may be in no registry; otherwise as `measure`."""
    multiple = built.size_multiple
    if input_size < 1 or input_size % multiple:
        below = input_size // multiple * multiple
        nearest = " or ".join(map(str, sorted({max(below, multiple), max(below + multiple, multiple)})))
        needed = f"network {network!r} of size {size!r} needs a multiple of {multiple}"
        raise ValueError(f"input size {input_size}: {needed}; the nearest: {nearest}")
    counts = count(built, input_size)
    published = built.published.get(size)
    return NetworkRecord(
        network=network,
        size=size,
        params_m=counts.params / 1e6,
        macs_g=counts.macs / 1e9,
        macs_complete_g=counts.macs_complete / 1e9,
        input_size=input_size,
        activations_m=counts.activations / 1e6,
        weights_mb=counts.weight_bytes / 1e6,
        measured=None if batch is None else latency.measure(built, input_size, batch),
        published=PublishedCost(**published._asdict()) if published else None,
    )


def keep_record(results: Path, network: str, size: str, build: Callable[[], RestorationNetwork]) -> None:
    """Counts a network, which is built for that, unless its record is there; measures nothing."""
    path = record_path(results, network, size)
    if not path.exists():
        write_record(path, describe(build().eval(), network, size))


def record_path(results: Path, network: str, size: str) -> Path:
    """Where the cost of a network is kept in a results folder."""
    return results / "networks" / f"{network}_{size}.json"


def count(network: RestorationNetwork, input_size: int) -> Counts:
    """Counts the cost of one square image on a copy of the network, which leaves no hook on the network itself.

    Args:
        network: Any restoration network; its weights are not looked at.
        input_size: Side of the image, in pixels.
    """
    try:
        return _count(copy.deepcopy(network).to("meta"), input_size)  # shapes suffice, nothing is computed
    except (RuntimeError, TypeError):  # a network that looks at values, or makes tensors on a device of its own choice
        return _count(copy.deepcopy(network), input_size)


def complete_macs(network: RestorationNetwork, input_size: int) -> int:
    """Multiply-accumulates of every matrix product and convolution: those of `count`, alone and in half the time.

    Args:
        network: In evaluation mode; on the meta device nothing is computed.
        input_size: Side of the image, in pixels.
    """
    flops = FlopCounterMode(display=False)
    with torch.no_grad(), flops:
        network(_blank(network, input_size))
    return flops.get_total_flops() // 2


def _blank(network: RestorationNetwork, input_size: int) -> Tensor:
    """An image where the network is."""
    device = next((parameter.device for parameter in network.parameters()), None)
    return torch.zeros(1, network.in_channels, input_size, input_size, device=device)


def _count(network: RestorationNetwork, input_size: int) -> Counts:
    shape = (network.in_channels, input_size, input_size)
    elements = dict.fromkeys(flop_registry, _elements)
    # Without gradients, not in inference mode: there, composite operators would not fall apart into those counted.
    flops, activations = FlopCounterMode(display=False), FlopCounterMode(display=False, custom_mapping=elements)
    with torch.no_grad(), flops, activations:
        network.eval()(_blank(network, input_size))
    return Counts(
        params=sum(parameter.numel() for parameter in network.parameters()),
        macs=_macs_of_modules(network, shape),
        macs_complete=flops.get_total_flops() // 2,
        activations=activations.get_total_flops(),
        weight_bytes=sum(tensor.nbytes for tensor in network.state_dict().values()),
    )


def _elements(*_: Any, out_shape: Any, **__: Any) -> int:
    """Elements of an operator's result, its first where it has several."""
    return torch.Size(out_shape if isinstance(out_shape, torch.Size) else out_shape[0]).numel()


def _macs_of_modules(network: RestorationNetwork, shape: tuple[int, int, int]) -> int:
    """MACs and additions of biases of the modules: the count that papers print as FLOPs. It misses ``@``.

    Functional calls are not counted, since that would make the count depend on how an activation is spelled.
    """
    from ptflops import get_model_complexity_info  # takes seconds to import, and most commands count nothing

    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")
        macs, _ = get_model_complexity_info(
            network, shape, as_strings=False, print_per_layer_stat=False, backend="pytorch",
            backend_specific_config={"count_functional": False},
        )  # fmt: skip
    if macs is None:
        raise RuntimeError(f"ptflops could not count {type(network).__name__}; the reason is printed above")
    return int(macs)
