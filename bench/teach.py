"""Importing a teacher: weights from a file take the place of training one."""

import logging
from pathlib import Path

from bench import judge
from bench.cell import Cohort, Workspace, teacher_cell
from bench.complexity import record_path
from bench.config import Params
from bench.imported import import_weights
from bench.networks.base import NETWORKS
from bench.plan import Planner
from bench.run import run_plans
from bench.tasks.base import TASKS

log = logging.getLogger(__name__)


def import_teacher(
    weights: Path,
    grid: Params,
    workspace: Workspace,
    task: str,
    network: str | None = None,
    source: str = "",
    use_spandrel: bool = False,
) -> dict[str, Exception]:
    """Makes a file of weights the removal teacher of a task and network, and scores it under the task's protocol.

    Students that are trained afterwards ask this teacher; those that had another are out of date.

    Args:
        weights: The checkpoint file.
        grid: Its parameters; the task and network need not be among its tasks and networks.
        workspace: Where the teacher and its records go.
        task: A registered task.
        network: The family of the students; None for that of the weights.
        source: Where the file comes from.
        use_spandrel: Whether ``spandrel`` loads the file; the students' family must then be named.

    Returns:
        The reason by the cell's path if scoring failed.

    Raises:
        ValueError: The file is no checkpoint that is understood, or of another network.
    """
    TASKS[task]
    if use_spandrel and network is None:
        raise ValueError("--spandrel: name with --network the family of the students that this teacher is for")
    if network is not None:
        NETWORKS[network]
    teacher = import_weights(weights, network, source, use_spandrel)
    cell = teacher_cell(task, network or teacher.architecture.network, "removal", grid)
    path = workspace.imported(cell)
    teacher.write(path)
    loaded = "/".join((teacher.architecture.network, teacher.architecture.size))
    log.info("%s: %s imported as the teacher of %s; delete %s to train one instead", weights, loaded, cell.path, path)
    planner = Planner(grid, workspace)
    record_path(workspace.results, cell.network, planner.size(cell)).unlink(missing_ok=True)  # may be of another file
    return run_plans(judge.plans(planner, [Cohort((cell,))]), planner)
