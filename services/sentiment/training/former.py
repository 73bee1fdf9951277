"""Where no teacher is at hand: former networks, from which training goes on, so that what a teacher once told them isn't lost.

A network that is taught by labels alone is worse than the one it would replace, which had a teacher. So it begins as a copy of the
former one, and learns from its answers beside the labels (Furlanello et al. 2018 call such a pupil "born again"). One that goes on from a
network that has seen the texts that figures are measured on would be measured on what it remembers: its figures are not taken. So the
network that was measured is kept beside the shipped one, which has learnt from all texts: the next training goes on from the former.
"""

import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from services.sentiment import model as shipped
from services.sentiment.domain.network import Network
from services.sentiment.domain.text import Language
from services.sentiment.model import Kept, ModelError

Floats = NDArray[np.float32]


FILE: Final = "measured.npz"
TOLD: Final = (
    "without a teacher at hand (`make train`): the networks went on from former ones, which had one "
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
    """The networks to go on from: of each language the one that was measured last, or else that of the model in `folder`; none where
    there is no model yet, or one without networks. Raises ModelError."""
    if not (folder / "model.json").exists():
        return {}
    tables = _tables(folder)
    found: dict[Language, Former] = {}
    for language, kept in shipped.kept(folder).items():
        own = tables if f"{language}_words" in tables else shipped.network_tables(language, kept)
        if own:
            network, params = _of(own, language, folder)
            found[language] = Former(network, params, kept.learnt_all and own is not tables)
    return found


def keep(folder: Path, measured: Mapping[Language, Kept]) -> None:
    """Writes the networks that were measured; of other languages what is there stays."""
    tables = dict(_tables(folder))
    for language, one in measured.items():
        tables |= shipped.network_tables(language, one)
    if tables:
        np.savez_compressed(folder / FILE, **tables)


def _of(tables: Mapping[str, Any], language: Language, folder: Path) -> tuple[Network, Mapping[str, Floats]]:
    try:
        return shipped.network_of(tables, language)
    except (KeyError, ValueError) as e:
        raise ModelError(f"{folder / FILE}: {e} is missing or malformed") from e


def _tables(folder: Path) -> Mapping[str, Any]:
    if not (folder / FILE).exists():
        return {}
    try:
        with np.load(folder / FILE, allow_pickle=False) as stored:
            return {name: stored[name] for name in stored.files}
    except (OSError, ValueError, EOFError, zlib.error, zipfile.BadZipFile) as e:
        raise ModelError(f"{folder / FILE}: {e}") from e
