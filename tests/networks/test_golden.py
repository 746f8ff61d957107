"""Every family equals the official network: outputs, features, names and shapes of the full sizes."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from bench.networks import NETWORKS, build_network, load_official
from bench.networks.foreign import SpandrelNetwork
from bench.networks.official import official_state, recognise

GOLDEN = Path(__file__).parents[1] / "golden" / "networks"
ABOUT = {name: json.loads((GOLDEN / f"{name}_a.json").read_text()) for name in NETWORKS}
SIZES = json.loads((GOLDEN / "sizes.json").read_text())
"""What the fixtures call each of our full sizes."""
FULL = [(name, size) for name, sizes in SIZES.items() for size in sizes]


@pytest.fixture(scope="module", params=NETWORKS)
def golden(request):
    """An official network in miniature: its arrays, and ours with its weights."""
    with np.load(GOLDEN / f"{request.param}_a.npz") as file:
        arrays = {name: torch.tensor(file[name]) for name in file.files}
    state = {name.removeprefix("state/"): value for name, value in arrays.items() if name.startswith("state/")}
    return arrays, state


def test_output_and_every_level_agree(golden):
    arrays, state = golden
    network = load_official(state)
    with torch.inference_mode():
        features = network.forward_features(arrays["input"])
    torch.testing.assert_close(features.restored, arrays["output"], rtol=0, atol=1e-4)
    for part in ("encoder", "decoder"):
        levels = [name for name in arrays if name.startswith(f"{part}/")]
        assert len(getattr(features, part)) == len(levels)
        for i, level in enumerate(getattr(features, part)):
            torch.testing.assert_close(level, arrays[f"{part}/{i}"], rtol=0, atol=2e-4)


def test_output_agrees_in_double_precision(golden):
    arrays, state = golden
    network = load_official(state).double()
    with torch.inference_mode():
        restored = network(arrays["input"].double())
    stride = restored.shape[-1] // arrays["output_float64"].shape[-1]
    torch.testing.assert_close(restored[..., ::stride, ::stride], arrays["output_float64"], rtol=0, atol=1e-9)


def test_a_batch_is_its_images(golden):
    """The fixtures hold one image, which routing per image and the order of windows would pass by accident."""
    arrays, state = golden
    network = load_official(state).double()
    images = torch.cat([arrays["input"], arrays["input"].flip(-1), 1 - arrays["input"].transpose(-1, -2)]).double()
    with torch.inference_mode():
        together, alone = network(images), torch.cat([network(image[None]) for image in images])
    torch.testing.assert_close(together, alone, rtol=0, atol=1e-9)


def test_every_official_configuration_has_a_size():
    for name, about in ABOUT.items():
        assert sorted(about["full_size"]) == sorted(SIZES[name].values())


@pytest.mark.parametrize(("name", "size"), FULL)
def test_a_full_size_has_exactly_the_official_names_and_shapes(name, size):
    full = ABOUT[name]["full_size"][SIZES[name][size]]
    with torch.device("meta"):
        state = {key: torch.empty(shape) for key, shape in full["keys"].items()}
        network = load_official(state)
    architecture = recognise(state)
    assert (architecture.network, architecture.size) == (name, size)
    shapes = {key: list(value.shape) for key, value in official_state(network).items()}
    assert shapes == full["keys"]
    assert sum(parameter.numel() for parameter in network.parameters()) == full["params"]


def test_local_means_of_nafnet_agree():
    with np.load(GOLDEN / "nafnet_a.npz") as file:
        arrays = {name: torch.tensor(file[name]) for name in file.files}
    state = {name.removeprefix("state/"): value for name, value in arrays.items() if name.startswith("state/")}
    patch = ABOUT["nafnet"]["local_pool_variant"]["training_patch"][0]
    network = load_official(state, local_patch=patch)
    image = arrays["local/input"]
    height, width = image.shape[-2:]
    for dtype, name, atol in ((torch.float32, "local/output", 1e-4), (torch.float64, "local/output_float64", 1e-9)):
        padded, top, left = network.pad(image.to(dtype))
        with torch.inference_mode():
            restored = network.to(dtype)(padded)[..., top : top + height, left : left + width]
        torch.testing.assert_close(restored, arrays[name], rtol=0, atol=atol)


@pytest.mark.parametrize(
    ("name", "size", "settings"), [("nafnet", "mini", {}), ("uformer", "t", {"nominal_side": 256})]
)
def test_a_second_implementation_agrees(name, size, settings):
    """That of the library spandrel, which lays Uformer out for images of 256 pixels."""
    network = build_network(name, size)
    state = official_state(network)
    generator = torch.Generator().manual_seed(0)
    for value in filter(torch.is_floating_point, state.values()):  # away from scales that start at zero
        value += 0.02 * torch.randn(value.shape, generator=generator)
    image = torch.rand(1, 3, 128, 128, generator=generator)
    with torch.inference_mode():
        theirs = SpandrelNetwork(state).eval()(image)
        ours = load_official(state, **settings)(image)
    torch.testing.assert_close(ours.clamp(0, 1), theirs, rtol=0, atol=1e-5)
