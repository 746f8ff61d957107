"""The median crop of a test set: students between the degraded image and the teacher's, and their errors."""

from collections.abc import Iterator
from pathlib import Path

import matplotlib
from matplotlib.figure import Figure

from bench.crop_choice import stale_crops
from bench.crop_record import CLEAN_ROW, CropRecord, error_maps, read_crops, read_panels, record_path
from bench.figures.drawing import OURS, STYLE, WIDE, Drawing, settle
from bench.record import TEACHER_ROWS
from bench.scoreboard import INPUT_ROW

RULE = "median"
LABELS = (INPUT_ROW, "scratch", "output_kd", OURS, TEACHER_ROWS["removal"], CLEAN_ROW)
CAPTION = (
    "The image of {test_set} on which the difference of {first} and {second} in PSNR is the median, and its window in "
    "which the degradation is strongest: scores choose the image, the degradation the window. Below, the absolute "
    "errors, dark for none, on one scale. Numbers are the PSNR of the whole image in dB, of seed {seed}."
)


def draw_crops(results: Path) -> Iterator[Drawing]:
    """A figure for every test set of a results folder of which there are crops that its records support.

    Raises:
        ValueError: A crop is damaged; the message names it.
    """
    stale = stale_crops(results)
    for crop in read_crops(results):
        if crop.rule == RULE and record_path(results, crop) not in stale:
            with matplotlib.rc_context(STYLE):
                figure = _figure(results, crop)
                settle(figure)
            name = f"{crop.network}_crop_{crop.task}_{crop.test_set}"
            title = f"{crop.network}: what students restore of {crop.test_set}"
            yield Drawing(name, "crops", title, CAPTION.format(**crop.model_dump()), figure)


def _figure(results: Path, crop: CropRecord) -> Figure:
    panels, psnr_db = read_panels(results, crop), {row.label: row.psnr_db for row in crop.rows}
    maps = error_maps(panels).maps
    labels = [label for label in LABELS if label in panels]
    figure = Figure(figsize=(WIDE, 2 * WIDE / len(labels) + 0.25), layout="constrained")
    axes = figure.subplots(2, len(labels), squeeze=False)
    for image, error, label in zip(*axes, labels, strict=True):
        for axis in (image, error):
            axis.set(xticks=[], yticks=[])
            axis.spines[:].set_visible(False)
        value = psnr_db[label]
        image.set_title(label if value is None else f"{label}\n{value:.2f}", fontsize=7)
        image.imshow(panels[label], interpolation="nearest")
        if label in maps:
            error.imshow(maps[label], cmap="viridis", vmin=0, vmax=255, interpolation="nearest")
    return figure
