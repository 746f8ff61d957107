"""SLKD: simultaneous learning knowledge distillation, usable without the harness."""
