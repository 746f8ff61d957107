import subprocess
import sys

import pytest
import timm
import torch

from bench.networks import NETWORKS, build_network


@pytest.mark.parametrize("name", NETWORKS)
def test_every_size_and_release_is_listed(name):
    family = NETWORKS[name]
    assert set(timm.list_models(f"{name}*")) == {f"{name}_{model}" for model in (*family.sizes, *family.releases)}


@pytest.mark.parametrize("model", ["restormer_micro", "nafnet_micro", "uformer_micro", "drsformer_micro"])
def test_a_model_of_timm_is_our_network(model):
    created = timm.create_model(model)
    expected = build_network(*model.split("_"))
    assert type(created) is type(expected)
    assert created.state_dict().keys() == expected.state_dict().keys()


def test_a_release_has_the_architecture_of_its_weights():
    with torch.device("meta"):
        blind, rain = (timm.create_model(f"restormer_{task}") for task in ("denoise_color", "derain"))
    assert not any(name.endswith("norm1.bias") for name, _ in blind.named_parameters())
    assert any(name.endswith("norm1.bias") for name, _ in rain.named_parameters())


def test_arguments_reach_the_constructor():
    assert not timm.create_model("nafnet_micro", residual=False).residual


def test_pretrained_weights_are_not_promised():
    with pytest.raises(ValueError, match=r"restormer_derain: no weights are distributed; .*load_official"):
        timm.create_model("restormer_derain", pretrained=True)


def test_the_registry_is_filled_where_timm_was_imported_first():
    program = "import timm, bench.networks; assert timm.is_model('uformer_b') and timm.list_models('restormer*')"
    subprocess.run([sys.executable, "-c", program], check=True)


def test_commands_do_not_wait_for_timm():
    """It takes longer to import than everything else but torch."""
    program = "import sys, bench.networks, bench.plan; assert 'timm' not in sys.modules"
    subprocess.run([sys.executable, "-c", program], check=True)
