"""Where no teacher is at hand: the shipped networks, from which training goes on, so that what a teacher once told them isn't lost.

A network that is taught by labels alone is worse than the one it would replace, which had a teacher. So it begins as a copy of the
former one, and learns from its answers beside the labels (Furlanello et al. 2018 call such a pupil "born again"). One that goes on from a
network that has seen the texts that figures are measured on would be measured on what it remembers: its figures are not taken.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from services.sentiment import model as shipped
from services.sentiment.domain.network import Network
from services.sentiment.domain.text import Language

Floats = NDArray[np.float32]


TOLD: Final = (
    "without a teacher at hand (`make train`): the networks went on from those shipped before, which had one "
    "(`make train TEACHER=1`), and learnt from their answers beside the labels; the English figures are those of the network before, "
    "which could still be measured"
)
"""What the networks had, for the model card."""


@dataclass(frozen=True, slots=True)
class Former:
    """A network with its parameters, of which the next one begins as a copy; whether it has learnt from all texts."""

    network: Network
    params: Mapping[str, Floats]
    learnt_all: bool


def read(folder: Path) -> dict[Language, Former]:
    """The networks of the model in `folder`; none where there is no model yet, or one without networks."""
    if not (folder / "model.json").exists():
        return {}
    found: dict[Language, Former] = {}
    for language, kept in shipped.kept(folder).items():
        network, embedding, steps, layers = kept.model.network, kept.embedding, kept.steps, kept.layers
        if network is None or embedding is None or steps is None or layers is None:
            continue
        whole = embedding.astype(np.float32) * steps[:, None]
        found[language] = Former(network, dict(layers) | {"embedding": whole}, kept.learnt_all)
    return found
