"""What the sentiment service read in a survey's comment, and what of it counts: the remark on the answer that stands."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal

Reading = Literal["none", "unread", "other", "staged"]
"""none: no comment; unread: in a language that isn't read, or not read yet; other: read, but it names no stage; staged: it names some."""

COMPLAINS: Final = ":complains"
"""The dimension, on the board of remarks, of the stage that an answer finds fault with; the colon keeps it from channels' own."""
PRAISES: Final = ":praises"
"""The same of a stage that it names without finding fault."""
READ: Final = ":read"
"""The same of how its comment was read."""


@dataclass(frozen=True, slots=True)
class Named:
    """A stage that a comment names, whether it finds fault with it, and the lexicon's words that name it."""

    stage: str
    complains: bool
    words: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Remark:
    """A comment as it was read; it belongs to the answer of this source and event_id, given at `time`."""

    time: datetime
    event_id: str
    source: str
    reading: Reading
    language: str = ""
    named: tuple[Named, ...] = ()

    @property
    def rank(self) -> tuple[datetime, str, str]:
        """Orders the remarks on one survey as their answers are ordered."""
        return self.time, self.event_id, self.source


@dataclass(frozen=True, slots=True)
class CommentRead:
    """A survey's comment was read."""

    source: str
    event_id: str
    customer_id: str
    survey_id: str
    time: datetime
    remark: Remark


def marks(remark: Remark) -> tuple[tuple[str, str], ...]:
    """Dimension and value of each register that a remark is on the board; a stage that is found fault with is not praised."""
    complains = tuple(dict.fromkeys(n.stage for n in remark.named if n.complains))
    praises = tuple(dict.fromkeys(n.stage for n in remark.named if n.stage not in complains))
    return (
        (READ, remark.reading),
        *((COMPLAINS, stage) for stage in complains),
        *((PRAISES, stage) for stage in praises),
    )
