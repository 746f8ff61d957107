"""Restoration networks, one file per family; importing the package also registers them with timm."""

from bench.networks.base import NETWORKS, build_network
from bench.networks.official import load_official
from bench.networks.timm_registry import register_all

__all__ = ["NETWORKS", "build_network", "load_official"]

register_all()
