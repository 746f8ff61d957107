"""Ratios measured in one run, printed beside their targets."""

import pytest

MEASURED: list[tuple[str, float, float]] = []


@pytest.fixture
def ratios():
    return lambda name, value, target: MEASURED.append((name, value, target))


def pytest_terminal_summary(terminalreporter):
    if MEASURED:
        terminalreporter.section("ratios, measured in this run")
        for name, value, target in MEASURED:
            terminalreporter.write_line(f"{value:6.3f}  at most {target:5.2f}  {name}")
