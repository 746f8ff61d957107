"""Official checkpoints: what architecture they are of, and loading them strictly."""

import inspect
import pickle
import re
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from bench.networks.base import NETWORKS, RestorationNetwork, build_network

WRAPPERS = ("params", "state_dict", "params_ema", "model")
"""The entries under which training codes keep the weights, in the order in which they are looked for."""


STUDENT = "student."


class Architecture(NamedTuple):
    """What a state dict is of.

    Attributes:
        network: The registered family.
        size: The size preset, or ``custom`` where it is none of them.
        arguments: Of the family's constructor.
    """

    network: str
    size: str
    arguments: dict[str, Any]

    def build(self) -> RestorationNetwork:
        """The network with its default initial weights."""
        return NETWORKS[self.network](**self.arguments).to(memory_format=torch.channels_last)


def read_weights(path: Path) -> dict[str, Tensor]:
    """Reads the state dict in a checkpoint file.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It is damaged, holds no state dict, or would run code of its own when it is read.
    """
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file of weights")
    try:
        checkpoint = _load_safetensors(path) if path.suffix == ".safetensors" else load_tensors(path)
    except pickle.UnpicklingError as error:
        needed = re.search(r"GLOBAL (\S+)", str(error))
        reason = f"reading it would run {needed[1]}" if needed else "another kind of file, or a pickle with code"
        raise ValueError(
            f"{path}: not a plain PyTorch file of tensors: {reason}. What needs code of its own is not opened: "
            "where you trust it, save its state dict alone with torch.save, and give that file"
        ) from error
    except Exception as error:  # torch.load raises almost anything on a damaged file
        raise ValueError(f"{path}: not a readable PyTorch checkpoint ({error}); copy or download it again") from error
    try:
        return unwrap(checkpoint)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error


def _load_safetensors(path: Path) -> dict[str, Tensor]:
    from safetensors.torch import load_file

    return load_file(path)


def load_tensors(path: Path, mmap: bool = False) -> Any:
    """Reads a file of ``torch.save``: nothing in it is run, and a byte that is not as it was written is found.

    The file is a zip archive, whose checksums ``torch.load`` does not compare. Older files have none.

    Args:
        path: The file.
        mmap: Whether tensors stay on disk until they are used; older files cannot.

    Raises:
        pickle.UnpicklingError: Reading it would run code.
        Exception: Almost any other where the file is damaged.
    """
    with path.open("rb") as file:
        is_zip = file.read(4) == b"PK\x03\x04"
    if is_zip:
        with zipfile.ZipFile(path) as archive:
            if damaged := archive.testzip():
                raise ValueError(f"the checksum of {damaged} in it is another")
    return torch.load(path, map_location="cpu", mmap=mmap, weights_only=True)


def unwrap(checkpoint: Any) -> dict[str, Tensor]:
    """The state dict in a checkpoint: bare or wrapped, without the prefix of data-parallel training.

    Of a checkpoint of this benchmark's own training, the student's weights under their official names.

    Raises:
        ValueError: There is none.
    """
    if _is_wrapped(checkpoint, "distiller"):
        return _own_weights(checkpoint)
    state = next((checkpoint[key] for key in WRAPPERS if _is_wrapped(checkpoint, key)), checkpoint)
    if not isinstance(state, Mapping) or not state or not all(isinstance(value, Tensor) for value in state.values()):
        found = f"keys {_first(checkpoint)}" if isinstance(checkpoint, Mapping) else type(checkpoint).__name__
        raise ValueError(f"expected a state dict, bare or under {', '.join(map(repr, WRAPPERS))}; got {found}")
    return {str(name).removeprefix("module."): tensor for name, tensor in state.items()}


def _own_weights(checkpoint: Mapping[str, Any]) -> dict[str, Tensor]:
    """The weights that this benchmark trained, under the names of the official code.

    Raises:
        ValueError: The checkpoint does not say what network it is of, or is of a reconstruction teacher.
    """
    about = checkpoint.get("about") or {}
    if not about:
        raise ValueError("written by an earlier version, which did not say what network it is of; train it again")
    try:
        if about["role"] == "reconstruction":
            raise ValueError(
                "of a reconstruction teacher, which is shown clean images: it restores nothing; give another"
            )
        network = build_network(about["network"], about["size"])
        weights = checkpoint["distiller"].items()
        network.load_state_dict({name.removeprefix(STUDENT): t for name, t in weights if name.startswith(STUDENT)})
    except (KeyError, TypeError, AttributeError, RuntimeError) as error:
        raise ValueError(f"a checkpoint of this benchmark, but its weights do not fit what it says: {error}") from error
    return official_state(network)


def recognise(state: Mapping[str, Tensor], expected: str | None = None) -> Architecture:
    """Finds family and configuration of an official state dict from its names and shapes alone.

    Settings that leave no trace in them, such as NAFNet's test-time pooling, come from the size preset of that shape.

    Args:
        state: The state dict.
        expected: The family that it must be of; None where any will do.

    Raises:
        KeyError: No family of the expected name.
        ValueError: It is of another family or of none, or a tensor is missing that would say its configuration.
    """
    found = _families(state)
    if expected is not None and expected not in found:
        with torch.device("meta"):
            network = NETWORKS[expected](**next(iter(NETWORKS[expected].sizes.values())))
        others = [f"these are of {name}: use --network {name}, or leave it out" for name in found]
        raise ValueError(f"expected weights of {expected}: {'; '.join(differences(network, state)[:2] + others)}")
    if not found:
        raise ValueError(
            f"expected an official state dict of {', '.join(NETWORKS)}; got one of another architecture, "
            f"with {len(state)} tensors, the first being {_first(state)}"
        )
    return _architecture(*next(iter(found.items())))


def _families(state: Mapping[str, Tensor]) -> dict[str, dict[str, Any]]:
    """The families whose names a state dict has (one, or none), and the configuration that its shapes say."""
    shapes = {name: tuple(tensor.shape) for name, tensor in state.items()}
    found: dict[str, dict[str, Any]] = {}
    for name, family in NETWORKS.items():
        try:
            configuration = family.configuration(shapes)
        except (KeyError, IndexError) as error:
            raise ValueError(f"looks like weights of {name}, but {error} is missing or misshapen") from error
        if configuration is not None:
            found[name] = configuration
    return found


def _architecture(name: str, configuration: dict[str, Any]) -> Architecture:
    parameters = inspect.signature(NETWORKS[name]).parameters.values()
    defaults = {p.name: p.default for p in parameters if p.default is not p.empty}
    for size, preset in NETWORKS[name].sizes.items():
        if configuration.items() <= (defaults | preset).items():
            return Architecture(name, size, preset)
    return Architecture(name, "custom", configuration)


def load_official(state: Mapping[str, Any], **settings: Any) -> RestorationNetwork:
    """Builds the network that an official state dict is of, with its weights, in evaluation mode.

    Args:
        state: The state dict, bare or as the checkpoint that holds it.
        settings: Arguments of the family's constructor that leave no trace in a state dict, in place of the preset's:
            ``nominal_side`` of Uformer, ``local_patch`` of NAFNet.

    Raises:
        ValueError: It is of no known family, or names or shapes differ from that family's; the message has the first.
    """
    state = unwrap(state)
    architecture = recognise(state)
    network = architecture._replace(arguments=architecture.arguments | settings).build()
    load_strictly(network, state)
    return network.eval()


def load_strictly(network: RestorationNetwork, state: Mapping[str, Tensor]) -> None:
    """Loads an official state dict into a network that must have exactly these tensors.

    Raises:
        ValueError: Names, shapes or fixed tables differ; the message has the first that do.
    """
    problems = differences(network, state)
    if problems:
        shown = "; ".join(problems[:4]) + ("; ..." if len(problems) > 4 else "")
        raise ValueError(f"the weights do not fit this {type(network).__name__}: {shown}")
    network.load_state_dict({name: state[network.official_name(name)] for name in network.state_dict()})


def official_state(network: RestorationNetwork) -> dict[str, Tensor]:
    """The state dict of a network with the names of its official code, which loads it strictly."""
    return {network.official_name(name): tensor for name, tensor in network.state_dict().items()}


def differences(network: RestorationNetwork, state: Mapping[str, Tensor]) -> list[str]:
    """How an official state dict differs from that of a network: names, then shapes, then fixed tables."""
    expected = official_state(network)
    names = [
        *_listed("missing", expected.keys() - state.keys()),
        *_listed("not expected", state.keys() - expected.keys()),
    ]
    common = expected.keys() & state.keys()
    shapes = [
        f"{name} is {tuple(state[name].shape)}, expected {tuple(expected[name].shape)}"
        for name in expected
        if name in common and state[name].shape != expected[name].shape
    ]
    tables = [
        f"{name} is not the table that this network computes with"
        for name in (network.official_name(name) for name, buffer in network.named_buffers() if not buffer.is_meta)
        if not shapes and name in common and not torch.equal(expected[name], state[name])
    ]
    return names + shapes + tables


def _is_wrapped(checkpoint: Any, key: str) -> bool:
    return isinstance(checkpoint, Mapping) and isinstance(checkpoint.get(key), Mapping)


def _listed(what: str, names: Iterable[str]) -> list[str]:
    names = sorted(names)
    return [f"{len(names)} tensors {what}, the first being {_first(names)}"] if names else []


def _first(names: Iterable[str]) -> str:
    return ", ".join(repr(name) for name, _ in zip(names, range(3), strict=False))
