"""The three classes as the training numbers them, in the order of the model's probabilities."""

NEGATIVE, NEUTRAL, POSITIVE = 0, 1, 2
