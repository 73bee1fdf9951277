"""The broadcast as a document in one language: what to say, whatever it will be written in (Markdown, HTML)."""

from dataclasses import dataclass, field
from typing import Literal

from services.nps.domain.words import Language

Tone = Literal["", "good", "bad", "unknown", "quiet"]


@dataclass(frozen=True, slots=True)
class Text:
    """A paragraph."""

    text: str
    tone: Tone = ""


@dataclass(frozen=True, slots=True)
class Items:
    """A list."""

    items: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Facts:
    """What is what: label and value."""

    facts: tuple[tuple[str, str, Tone], ...]


@dataclass(frozen=True, slots=True)
class Said:
    """Quotes: the words, those to stress, and who said it (a score)."""

    title: str
    quotes: tuple[tuple[str, tuple[str, ...], str], ...]


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar. before: last time's value, None where there is none. strong: it stands out for certain. note: at its end."""

    label: str
    value: float
    low: float
    high: float
    before: float | None
    strong: bool
    note: str


@dataclass(frozen=True, slots=True)
class Bars:
    """Bars one below the other. rest: what to say of those that are left out, "" where none is."""

    title: str
    bars: tuple[Bar, ...]
    rest: str = ""


@dataclass(frozen=True, slots=True)
class Key:
    """How bars are read: where they are drawn, and where they are rows of a table."""

    drawn: str
    rows: str


@dataclass(frozen=True, slots=True)
class Line:
    """Values by time, with the ends of their intervals."""

    title: str
    points: tuple[tuple[str, float, float, float], ...]


@dataclass(frozen=True, slots=True)
class Table:
    """A table; `tones` colours the last column's cells."""

    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    tones: tuple[Tone, ...] = ()


Block = Text | Items | Facts | Said | Bars | Key | Line | Table


@dataclass(frozen=True, slots=True)
class Card:
    """Blocks that belong together, with a badge."""

    title: str
    badge: str
    tone: Tone
    blocks: tuple[Block, ...]


@dataclass(frozen=True, slots=True)
class Section:
    """A part of the document."""

    key: str
    title: str
    blocks: tuple[Block | Card, ...]


@dataclass(frozen=True, slots=True)
class Document:
    """language: "zh" or "en", as HTML wants it. figure: the one number, and what to say about it. links: words and address."""

    language: Language
    title: str
    subtitle: str
    figure: str
    figure_label: str
    sections: tuple[Section, ...] = field(default=())
    links: tuple[tuple[str, str], ...] = ()
