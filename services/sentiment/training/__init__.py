"""Trains the sentiment model: `python -m services.sentiment.training --data ../shared/data`.

Never imported by the service; needs the `train` extra (scikit-learn).
"""
