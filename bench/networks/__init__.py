"""Restoration networks, one file per family; importing the package and timm, in any order, registers them there."""

import wrapt

from bench.networks.base import NETWORKS, build_network
from bench.networks.official import load_official
from bench.networks.timm_registry import register_all

__all__ = ["NETWORKS", "build_network", "load_official"]

# When timm is there or comes, since it takes longer to import than all of this package, and no command needs it.
wrapt.register_post_import_hook(lambda timm: register_all(), "timm")
