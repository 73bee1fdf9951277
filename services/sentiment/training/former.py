"""Where no teacher is at hand: the shipped networks, from which training goes on, so that what a teacher once told them isn't lost.

A network that is taught by labels alone is worse than the one it would replace, which had a teacher. So it begins as a copy of the
former one, and learns from its answers beside the labels (Furlanello et al. 2018 call such a pupil "born again"). That is only for a
network that has never seen the texts that figures are measured on: whatever went on from any other would be measured on what it remembers.
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
    "without a teacher at hand (`make train`): the Chinese network went on from the one shipped before, which had one "
    "(`make train TEACHER=1`), and learnt from its answers beside the labels; English stays as it was trained with the teacher"
)
"""What the networks had, for the model card."""


@dataclass(frozen=True, slots=True)
class Former:
    """A network with its parameters, of which the next one begins as a copy."""

    network: Network
    params: Mapping[str, Floats]


def read(folder: Path) -> dict[Language, Former]:
    """The networks of the model in `folder` that have not learnt from all texts; none where there is no model yet."""
    if not (folder / "model.json").exists():
        return {}
    found: dict[Language, Former] = {}
    for language, kept in shipped.kept(folder).items():
        network, embedding, steps, layers = kept.model.network, kept.embedding, kept.steps, kept.layers
        if network is None or embedding is None or steps is None or layers is None or kept.learnt_all:
            continue
        whole = embedding.astype(np.float32) * steps[:, None]
        found[language] = Former(network, dict(layers) | {"embedding": whole})
    return found
