"""Ratios measured in one run, printed beside their targets."""

import pytest

MEASURED: list[tuple[str, float, float]] = []
NOTED: list[tuple[str, float]] = []


@pytest.fixture
def ratios():
    return lambda name, value, target: MEASURED.append((name, value, target))


@pytest.fixture
def notes():
    """For ratios without a target."""
    return lambda name, value: NOTED.append((name, value))


def pytest_terminal_summary(terminalreporter):
    if MEASURED:
        terminalreporter.section("ratios, measured in this run")
        for name, value, target in MEASURED:
            terminalreporter.write_line(f"{value:6.3f}  at most {target:5.2f}  {name}")
        for name, value in NOTED:
            terminalreporter.write_line(f"{value:6.3f}  {name}")
