"""Replays a recorded call centre under other policies: reads the log, runs the simulation, reports."""
