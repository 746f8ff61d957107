"""safetensors: the weights alone, under their official names, for whoever has the network's code."""

from collections.abc import Mapping
from pathlib import Path

from bench.deploy.graph import Restore
from bench.networks.base import RestorationNetwork
from bench.networks.official import load_official, official_state, read_weights

FILE = "network.safetensors"
RUNTIME = "PyTorch"


def write(network: RestorationNetwork, path: Path, about: Mapping[str, str]) -> None:
    """Writes the weights of a network, of which `bench.networks.load_official` makes it again."""
    from safetensors.torch import save_file

    save_file({name: tensor.contiguous() for name, tensor in official_state(network).items()}, path, dict(about))


def load(path: Path, threads: int) -> Restore:
    """Makes the network again, to run with the threads that PyTorch has."""
    return load_official(read_weights(path)).restore
