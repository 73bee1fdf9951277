"""What a comment says, as whoever reads comments hands it to the report."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from services.nps.domain.replies import Reading


@dataclass(frozen=True, slots=True)
class Remark:
    """A comment's stages: those that it finds fault with, the others that it names, the likeliest first.

    language: "zh", "en", or "" for one that isn't read.
    """

    reading: Reading
    language: str = ""
    complains: tuple[str, ...] = ()
    praises: tuple[str, ...] = ()


SILENT = Remark("none")


class Reader(Protocol):
    """Reads comments."""

    def read(self, texts: Sequence[str]) -> list[Remark]:
        """One remark for each text, in order. An empty text says nothing."""

    def words(self, text: str, language: str, stage: str) -> tuple[str, ...]:
        """The words of a text that name a stage."""
