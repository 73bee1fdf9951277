"""Tells how many inputs there were, at the end."""

from tests.fuzz import harness


def pytest_sessionfinish() -> None:
    harness.write_counts()
