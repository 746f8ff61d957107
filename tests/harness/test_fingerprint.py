"""What counts as a change of code: whatever could move a number, and nothing else."""

import importlib
import itertools
import sys

import pytest

from bench.distiller import METHODS
from bench.fingerprint import UNNAMED, Definition, fingerprint
from bench.train import fit

LOSSES = '''
"""Distances."""
import logging
from functools import partial

log = logging.getLogger(__name__)
EPSILON = 1e-3  # small
TABLE = {"l1": lambda x: abs(x)}


def charbonnier(x, scale=2.0):
    """A smooth distance."""
    if x is None:
        raise ValueError("no image")
    log.debug("charbonnier of %s", x)
    return (x * x + EPSILON) * scale


def unrelated(x):
    return x + 1
'''

BASE = '''
class Base:
    """What all have."""

    def weight(self):
        return 3
'''

METHOD = '''
"""A method."""
from typing import TYPE_CHECKING

from . import losses as distances
from .base import Base
from .losses import TABLE

if TYPE_CHECKING:
    from collections.abc import Sequence


class Reference(tuple):
    pass


class Method(Base):
    reference = Reference(("A title", 2024))

    def forward(self, x):
        from .inside import halve

        return self.weight() * distances.charbonnier(halve(x)) + TABLE["l1"](x)


register = {}.setdefault
register("method", Method)
'''

INSIDE = "def halve(x):\n    return x / 2\n"

FILES = {"__init__": "", "losses": LOSSES, "base": BASE, "method": METHOD, "inside": INSIDE}
numbers = itertools.count()


@pytest.fixture
def digests(tmp_path, monkeypatch):
    """Makes the package anew, with one text replaced in one of its modules, and fingerprints its method."""
    monkeypatch.syspath_prepend(tmp_path)

    def make(module="losses", old="", new="", count=-1):
        package = f"fingerprinted{next(numbers)}"
        (tmp_path / package).mkdir()
        for name, text in FILES.items():
            assert name != module or old in text
            changed = text.replace(old, new, count) if name == module and old else text
            (tmp_path / package / f"{name}.py").write_text(changed)
        importlib.invalidate_caches()
        method = importlib.import_module(f"{package}.method")
        found = fingerprint(method.Method)
        for name in [name for name in sys.modules if name.startswith(package)]:
            del sys.modules[name]
        return {name.replace(package, "package"): digest for name, digest in found.items()}

    return make


def test_a_method_that_is_declared_in_parts_computes_the_same(digests):
    plain = 'class Method(Base):\n    reference = Reference(("A title", 2024))\n\n'
    assert digests("method", plain, f"from bench.parts import in_parts\n\n\n{plain}    @in_parts\n") == digests()


def test_a_method_depends_on_the_modules_that_it_reaches(digests):
    assert list(digests()) == ["package.base", "package.inside", "package.losses", "package.method"]


@pytest.mark.parametrize(
    ("module", "old", "new"),
    [
        ("losses", '"""A smooth distance."""', '"""Another text."""'),
        ("losses", '    """A smooth distance."""\n', ""),
        ("losses", "  # small", "  # tiny"),
        ("losses", "1e-3", "0.001"),
        ("losses", "(x * x + EPSILON) * scale", "(\n        x * x\n        + EPSILON\n    ) * scale"),
        ("losses", '"no image"', '"there is no image"'),
        ("losses", '"charbonnier of %s"', '"%s"'),
        ("losses", "return x + 1", "return x + 2"),
        ("losses", "def unrelated", "def other"),
        ("losses", '"""Distances."""', ""),
        ("losses", "return (x * x + EPSILON) * scale", "return mean_over_batch((x * x + EPSILON) * scale)"),
        ("method", '"A title", 2024', '"The title", 2025'),
        ("method", "import Sequence", "import Iterable"),
    ],
)
def test_what_moves_no_number_changes_no_digest(digests, module, old, new):
    assert digests(module, old, new) == digests()


@pytest.mark.parametrize(
    ("module", "old", "new"),
    [
        ("losses", "1e-3", "1e-4"),
        ("losses", "scale=2.0", "scale=2"),
        ("losses", "x * x", "x * abs(x)"),
        ("losses", "abs(x)}", "abs(-x)}"),
        ("losses", "ValueError", "TypeError"),
        ("base", "return 3", "return 4"),
        ("inside", "x / 2", "x / 3"),
        ("method", '["l1"]', '["l2"]'),
        ("method", 'register("method", Method)', 'register("other", Method)'),
    ],
)
def test_what_may_move_a_number_changes_the_digest_of_its_module(digests, module, old, new):
    before, after = digests(), digests(module, old, new)
    assert {name for name in before if before[name] != after[name]} == {f"package.{module}"}


def test_every_method_depends_on_its_file_and_on_the_loss(digests):
    for name, method in METHODS.items():
        reached = fingerprint(method)
        assert method.__module__ in reached and "bench.losses" in reached, name
        assert not any(module.startswith(("torch", "numpy", "pydantic")) for module in reached)


def test_how_results_are_kept_is_no_part_of_what_computes_them():
    reached = fingerprint(fit)
    assert "bench.train" in reached and "bench.distiller" in reached
    assert not {"bench.record", "bench.checkpoint", "bench.registry", "bench.config"} & reached.keys()


def test_a_metric_depends_on_the_module_that_registers_it():
    reached = fingerprint(Definition("bench.metrics.ssim", UNNAMED))
    assert {"bench.metrics.ssim", "bench.metrics.levels"} <= reached.keys()
    assert "bench.metrics.gmsd" not in reached
