"""Who goes to whom: triage by customer, assignment by pool. Pure functions over frozen data."""
