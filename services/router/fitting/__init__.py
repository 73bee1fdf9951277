"""Fits what a replay draws (patience, service, after-call work, classes) from the days of a call log."""
