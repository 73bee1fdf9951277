"""Trains the incident log's model. Needs scikit-learn, which serving doesn't."""
