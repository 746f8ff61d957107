"""Our networks in timm's registry: ``timm.create_model("restormer_derain")`` once ``bench.networks`` is imported."""

from collections.abc import Callable
from typing import Any

from bench.networks.base import NETWORKS, RestorationNetwork


def register_all() -> None:
    """Registers every family as ``<family>_<size>`` and ``<family>_<official release>``; needs timm to be imported."""
    from timm.models import register_model

    for name, family in NETWORKS.items():
        for model, size in {**{size: size for size in family.sizes}, **family.releases}.items():
            register_model(_entry_point(f"{name}_{model}", family, size))


def _entry_point(model_name: str, family: type[RestorationNetwork], size: str) -> Callable[..., RestorationNetwork]:
    def build(pretrained: bool = False, **arguments: Any) -> RestorationNetwork:
        if pretrained:
            raise ValueError(
                f"{model_name}: no weights are distributed; give those of an official checkpoint to "
                "bench.networks.load_official"
            )
        for key in ("pretrained_cfg", "pretrained_cfg_overlay", "cache_dir"):  # timm's own, about weights
            arguments.pop(key, None)
        return family(**family.sizes[size] | arguments)

    build.__name__ = build.__qualname__ = model_name
    return build
