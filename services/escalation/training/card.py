"""The model card, written by the training."""

from services.escalation.training.validate import Trained


def write(trained: Trained, size: int) -> str:
    """The page."""
    return f"{size}"
