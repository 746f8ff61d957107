import pytest

from bench.registry import Registry, UnknownNameError


def test_a_name_is_registered_once():
    registry = Registry("toy", "slkd_bench.no_such_group")
    registry.register("one")(1)
    with pytest.raises(ValueError, match="registered twice"):
        registry.register("one")(2)
    assert registry["one"] == 1


@pytest.mark.parametrize("name", ["", "Upper", "with-dash", "with space", "../up"])
def test_names_are_plain(name):
    with pytest.raises(ValueError, match="lower-case"):
        Registry("toy", "slkd_bench.no_such_group").register(name)


def test_an_unknown_name_suggests_the_nearest():
    registry = Registry("toy", "slkd_bench.no_such_group")
    for name in ("deraining", "denoising", "dehazing"):
        registry.register(name)(name)
    with pytest.raises(UnknownNameError, match="unknown toy 'derainning': did you mean 'deraining'"):
        registry["derainning"]
    with pytest.raises(UnknownNameError, match="choose from dehazing, denoising, deraining"):
        registry["zzz"]


def test_extensions_are_found_through_their_entry_points():
    from bench.distiller import METHODS

    assert {"scratch", "output_kd", "fitnet", "slkd"} <= set(METHODS)
