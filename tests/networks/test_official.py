"""Checkpoints as users have them: wrapped, prefixed, of another network, damaged, hostile."""

import pickle

import pytest
import torch

from bench.networks import NETWORKS, build_network, load_official
from bench.networks.official import official_state, read_weights, recognise


def weights(name, size="micro"):
    """The weights of one of our networks as its official code would name them."""
    return official_state(build_network(name, size))


@pytest.mark.parametrize("size", ["micro", "mini", "sl"])
@pytest.mark.parametrize("name", NETWORKS)
def test_family_and_size_are_read_off_names_and_shapes(name, size):
    state = weights(name, size)
    architecture = recognise(state)
    assert (architecture.network, architecture.size) == (name, size)
    network = load_official(state)
    assert not network.training
    expected = build_network(name, size).state_dict()
    assert all(torch.equal(value, expected[key]) for key, value in network.state_dict().items())


def test_a_configuration_without_a_name_is_custom():
    network = NETWORKS["restormer"](8, (1, 2, 1, 1), 2, (1, 2, 2, 4), expansion=2.0)
    state = official_state(network)
    architecture = recognise(state)
    assert architecture.size == "custom"
    assert architecture.arguments["num_blocks"] == (1, 2, 1, 1)
    assert architecture.arguments["num_heads"] == (1, 2, 2, 4)
    load_official(state)


def test_settings_without_a_trace_come_from_the_preset():
    with torch.device("meta"):
        state = weights("nafnet", "gopro_width32")
    assert recognise(state).arguments["local_patch"] == 256


@pytest.mark.parametrize("wrapper", [None, "params", "state_dict", "params_ema"])
@pytest.mark.parametrize("prefix", ["", "module."])
def test_wrapped_and_prefixed(wrapper, prefix, tmp_path):
    state = {prefix + key: value for key, value in weights("nafnet").items()}
    torch.save({wrapper: state, "epoch": 3} if wrapper else state, tmp_path / "weights.pth")
    assert load_official(read_weights(tmp_path / "weights.pth")).encoder_channels[0] == 8


def test_half_precision_weights_are_loaded_in_single():
    state = {key: value.half() for key, value in weights("nafnet").items()}
    assert {p.dtype for p in load_official(state).parameters()} == {torch.float32}


@pytest.mark.parametrize("name", NETWORKS)
def test_missing_and_additional_tensors_are_named(name):
    state = weights(name)
    last = list(state)[-1]
    del state[last]
    with pytest.raises(ValueError, match=f"1 tensors missing, the first being '{last}'"):
        load_official(state)
    with pytest.raises(ValueError, match=r"1 tensors not expected, the first being 'foo.weight'"):
        load_official(weights(name) | {"foo.weight": torch.zeros(1)})


@pytest.mark.parametrize("name", NETWORKS)
def test_whichever_tensor_is_gone_the_error_says_so(name):
    """Also where it is one that the configuration is read off."""
    state = weights(name)
    for key in list(state)[::5]:
        with pytest.raises(ValueError, match=r"missing|another architecture|expected"):
            load_official({other: value for other, value in state.items() if other != key})


def test_a_wrong_shape_is_named():
    state = weights("restormer")
    state["output.weight"] = state["output.weight"][:, :-1]
    with pytest.raises(ValueError, match=r"output.weight is \(3, 7, 3, 3\), expected \(3, 8, 3, 3\)"):
        load_official(state)


def test_a_table_that_is_not_ours_is_refused():
    state = weights("uformer")
    key = "encoderlayer_0.blocks.0.attn.relative_position_index"
    state[key] = state[key].flip(0)
    with pytest.raises(ValueError, match=f"{key} is not the table"):
        load_official(state)


def test_another_family_is_refused_with_the_differences():
    with pytest.raises(ValueError, match=r"expected weights of restormer: .*missing.*not expected.*--network nafnet"):
        recognise(weights("nafnet"), expected="restormer")
    with pytest.raises(KeyError, match="'restormer'"):
        recognise(weights("nafnet"), expected="restorer")


def test_an_unknown_architecture_is_refused():
    with pytest.raises(ValueError, match=r"drsformer, nafnet, restormer, uformer.*2 tensors.*'a.weight'"):
        load_official({"a.weight": torch.zeros(2), "a.bias": torch.zeros(2)})


@pytest.mark.parametrize("content", [{}, {"params": {}}, {"epoch": 3}, [1, 2], torch.zeros(3)], ids=str)
def test_a_file_without_a_state_dict_is_refused(content, tmp_path):
    torch.save(content, tmp_path / "weights.pth")
    with pytest.raises(ValueError, match=r"weights.pth: expected a state dict, bare or under 'params'"):
        read_weights(tmp_path / "weights.pth")


class Hostile:
    def __reduce__(self):
        return print, ("this must never be printed",)


@pytest.mark.filterwarnings("ignore:Detected pickle protocol")
def test_a_pickle_that_needs_code_is_refused(tmp_path, capsys):
    torch.save({"params": weights("nafnet"), "options": Hostile()}, tmp_path / "weights.pth")
    (tmp_path / "bare.pth").write_bytes(pickle.dumps(Hostile()))
    for name, reason in (("weights.pth", "reading it would run .*print"), ("bare.pth", "a pickle with code")):
        with pytest.raises(ValueError, match=f"{name}: not a plain PyTorch file of tensors: .*{reason}") as caught:
            read_weights(tmp_path / name)
        assert "weights_only" not in str(caught.value)  # PyTorch's own advice is to open it all the same
    assert "never" not in capsys.readouterr().out


def test_a_damaged_file_is_refused(tmp_path):
    torch.save(weights("nafnet"), tmp_path / "whole.pth")
    (tmp_path / "cut.pth").write_bytes((tmp_path / "whole.pth").read_bytes()[:5000])
    (tmp_path / "empty.pth").write_bytes(b"")
    (tmp_path / "text.pth").write_text("# Weights")
    for name in ("cut.pth", "empty.pth", "text.pth"):
        with pytest.raises(ValueError, match=f"{name}: not a "):
            read_weights(tmp_path / name)
    with pytest.raises(FileNotFoundError, match="no such file of weights"):
        read_weights(tmp_path / "nothing.pth")
