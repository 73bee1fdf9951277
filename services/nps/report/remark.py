"""What a comment says, as whoever reads comments hands it to the report."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from services.nps.domain.remarks import Reading


@dataclass(frozen=True, slots=True)
class Remark:
    """A comment's stages: those that it finds fault with, the others that it names, the likeliest first.

    language: "zh", "en", or "" for one that isn't read. words: by stage, the words of the text that name it.
    """

    reading: Reading
    language: str = ""
    complains: tuple[str, ...] = ()
    praises: tuple[str, ...] = ()
    words: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


SILENT = Remark("none")
UNREAD = Remark("unread")


class Reader(Protocol):
    """Reads comments."""

    def read(self, texts: Sequence[str]) -> list[Remark]:
        """One remark for each text, in order. An empty text says nothing."""
