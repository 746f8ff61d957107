"""Trials: scores of settings that were tried while a method was made, some of them with code that was not kept."""

from pathlib import Path

import pandas as pd
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from bench.config import describe_errors
from bench.plain_yaml import read_yaml
from bench.table import Table, number


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Trial(_Strict):
    """The score of one setting, in one cohort with the setting it is compared with."""

    setting: str
    task: str
    seed: int
    psnr_db: float


class Trials(_Strict):
    """What was tried, and how.

    Attributes:
        title: For the table.
        baseline: The setting whose score in the same task and seed the others are compared with.
        notes: Network, steps, on which images the scores are.
        trials: In the order of the table.
    """

    title: str
    baseline: str
    notes: tuple[str, ...]
    trials: tuple[Trial, ...] = Field(min_length=1)


def read_trials(path: Path) -> Trials:
    """Reads a file of trials.

    Raises:
        ValueError: It is not valid; the message names what is wrong.
    """
    try:
        return Trials.model_validate(read_yaml(path))
    except ValidationError as error:
        raise ValueError(describe_errors(error, str(path), Trials)) from error


def trials_table(trials: Trials) -> Table:
    """A row for every setting: its score, and its difference from the baseline, for each task and seed."""
    frame = pd.DataFrame([trial.model_dump() for trial in trials.trials])
    scores = frame.pivot(index="setting", columns=["task", "seed"], values="psnr_db").loc[frame["setting"].unique()]
    gains = scores - scores.loc[trials.baseline]
    rows = tuple((str(setting), *map(_text, scores.loc[setting], gains.loc[setting])) for setting in scores.index)
    header = ("setting", *(f"{column[0]}, seed {column[1]}" for column in scores.columns))
    return Table(trials.title, header, rows, (f"In brackets: over `{trials.baseline}`, dB PSNR.", *trials.notes))


def _text(score: float, gain: float) -> str:
    return "-" if pd.isna(score) else f"{number(score, 'psnr_db')} ({gain:+.2f})"
