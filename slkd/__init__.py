"""SLKD: simultaneous learning knowledge distillation, usable without the harness."""

from slkd.method import SLKD, SLKDConfig

__all__ = ["SLKD", "SLKDConfig"]
