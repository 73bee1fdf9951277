"""What the statistics of the NPS service promise, tried by simulation: `pytest -m slow tests/statistics`, or `python -m tests.statistics` for the figures."""
