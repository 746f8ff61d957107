import io
import logging
from types import SimpleNamespace

from rich.console import Console

from bench.progress import StepProgress


def members(step):
    """What has taken a step, and what resumes at a later one."""
    terms = {"restoration": 0.25, "kl": 0.25}
    return [
        SimpleNamespace(name=f"deraining/nafnet/seed0/{name}", terms=terms, step=at)
        for name, at in (("slkd", step + 1), ("at", 90))
    ]


def steps(console, log_seconds):
    with StepProgress(num_cohorts=2, num_steps=6, console=console, log_seconds=log_seconds) as progress:
        for cohort in ("first", "second"):
            progress.start(cohort, 3)
            for step in range(3):
                progress.step(step, members(step))


def test_a_terminal_gets_a_bar_with_the_time_left_and_no_lines(caplog):
    caplog.set_level(logging.INFO)
    screen = io.StringIO()
    steps(Console(file=screen, force_terminal=True, width=150), log_seconds=0)
    text = screen.getvalue()
    assert "[2/2] second" in text and "3/3" in text and "ETA 0 s" in text
    assert not [record for record in caplog.records if "step 1/3" in record.message]


def test_elsewhere_there_are_plain_lines(caplog):
    caplog.set_level(logging.INFO)
    screen = io.StringIO()
    steps(Console(file=screen, force_terminal=False), log_seconds=0)
    assert screen.getvalue().strip() == ""
    lines = [record.getMessage() for record in caplog.records]
    assert lines[0] == "[1/2] first: 3 steps"
    assert any("[2/2] second: step 3/3, ETA 0 s; loss: slkd 0.5000" in line for line in lines)


def test_what_was_stopped_says_where_it_goes_on(caplog):
    caplog.set_level(logging.INFO)
    with StepProgress(num_cohorts=1, num_steps=2, console=Console(file=io.StringIO())) as progress:
        progress.start("first", 3, 1)
    assert caplog.records[0].getMessage() == "[1/1] first: 3 steps, goes on after step 1"
