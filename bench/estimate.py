"""What a run would take, counted before it starts."""

from collections.abc import Iterator, Mapping, Sequence

from bench.cell import Cell, Cohort
from bench.plan import Planner


def estimate(cohorts: Sequence[Cohort], planner: Planner, steps_left: Mapping[Cell, int]) -> Iterator[str]:
    """Says how many optimiser steps a run would take, and how many images its teachers would see.

    A cohort's members share every forward pass of a teacher, so a step costs one for each role that any of them asks.

    Args:
        cohorts: The run's cohorts.
        planner: Of the grid they belong to.
        steps_left: The steps of the cells that were planned; of others, all are counted.
    """
    cells = (cell for cohort in cohorts for cell in cohort.cells)
    left = {cell: steps_left[cell] if cell in steps_left else planner.training(cell).steps for cell in cells}
    teachers = [cell for cell in left if cell.role != "student" and left[cell]]
    students = [cell for cell in left if cell.role == "student" and left[cell]]
    yield f"teachers: {len(teachers):,} to train, {sum(left[cell] for cell in teachers):,} steps"
    yield f"students: {len(students):,} to train, {sum(left[cell] for cell in students):,} steps"
    shared = alone = 0
    for cohort in cohorts:
        asked: dict[Cell, int] = {}
        for cell in (cell for cell in cohort.cells if left[cell]):
            images = left[cell] * planner.training(cell).batch_size
            for teacher in set(planner.teachers(cell).values()):
                asked[teacher] = max(asked.get(teacher, 0), images)
                alone += images
        shared += sum(asked.values())
    yield f"teacher forwards: {shared:,} images, shared by the methods of a cohort ({alone:,} if each trained alone)"
