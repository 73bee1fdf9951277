"""What comes of training: handed from the run that makes it to the card that tells of it."""

from dataclasses import dataclass

from services.sentiment.model import Kept
from services.sentiment.training import figures


@dataclass(frozen=True, slots=True)
class Trained:
    """A language's model, what was measured of it on the validation texts, and its parts of the model card."""

    kept: Kept
    measured: dict[str, figures.Figures]
    alone: dict[str, figures.Figures]
    curves: dict[str, list[dict[str, float]]]
    parts: dict[str, list[str]]
    errors: list[str]
