"""Figures of results, from records alone: for papers as SVG and PDF, and within the results page."""

from collections.abc import Sequence

import matplotlib

from bench.family import Family
from bench.figures.curves import draw_curves
from bench.figures.drawing import STYLE, Drawing, settle
from bench.figures.files import files, inline_svg
from bench.figures.gap import draw_ablation, draw_gap
from bench.figures.quality import draw_quality
from bench.figures.side_by_side import draw_crops
from bench.figures.training import draw_training
from bench.method_record import MethodRecord

__all__ = ["Drawing", "draw", "draw_crops", "files", "inline_svg"]


def draw(families: Sequence[Family], methods: Sequence[MethodRecord] = ()) -> list[Drawing]:
    """Every figure that the records of a results folder give; none of families whose students cannot be compared.

    Args:
        families: Those of the folder.
        methods: What a step of them costs, without which no figure shows that, and how they weigh their terms.

    Raises:
        ValueError: A file beside the records is damaged, or scores of one column were computed in different ways.
    """
    fair = [family for family in families if not family.unfair]
    with matplotlib.rc_context(STYLE):
        drawings = list(draw_quality(fair))
        for family in fair:
            if ranked := family.rankings:
                drawings += draw_training(family, ranked, methods)
                drawings += draw_gap(family, ranked)
                drawings += draw_curves(family, ranked, methods)
                drawings += draw_ablation(family, ranked)
        for drawing in drawings:
            settle(drawing.figure)
    return drawings
