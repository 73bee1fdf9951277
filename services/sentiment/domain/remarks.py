"""What a survey's comment says: which stages it names, and which of them it finds fault with.

The stages are those of the target lexicon, the tone that of the sentiment model: of the clause that names the stage where that clause
has a tone, else of the whole comment. So "味道好，送得太慢" praises one stage and complains of another.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal, Protocol

from services.sentiment.domain.score import Score, Target
from services.sentiment.domain.targets import TargetModel
from services.sentiment.domain.text import Language, normalise
from services.sentiment.domain.tongue import Tongue, tongue

Reading = Literal["none", "unread", "other", "staged"]
"""none: no comment; unread: in a language that isn't read; other: read, but it names no stage; staged: it names some."""

_CLAUSE: Final = re.compile(
    r"[，。！？；,.!?;、~…\n]+|但是|可是|不过|就是|只是|但|\bbut\b|\bhowever\b|\balthough\b|\bexcept\b"
)
TONE: Final = 0.3
"""Tone from which on a clause has one of its own."""
FAULT: Final = -0.1
"""Tone below which what is named is found fault with."""
COMPLAINT: Final = 0.5
"""Probability of a complaint from which on a clause finds fault, however calmly: "苹果坏了两个"."""
_QUALITY: Final = "goods.quality"
_BREAKS: Final = frozenset({"delivery.packaging", "other.system", "other.place"})
"""Stages whose own things break: a box is torn, a website broken, a shop's door damaged."""
_HARM: Final = frozenset({"broken", "broke", "damaged", "torn", "ripped", "crack", "hole", "holes", "leak"})
"""Words that name the quality of goods, unless what is broken is something else that the clause names."""


@dataclass(frozen=True, slots=True)
class Named:
    """A stage that a comment names, whether it finds fault with it, and the lexicon's words that name it."""

    stage: str
    complains: bool
    words: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Remark:
    """A comment as it was read. named: the likeliest first. language: "zh", "en", or "" where it isn't read."""

    reading: Reading
    language: str = ""
    named: tuple[Named, ...] = ()


SILENT: Final = Remark("none")
UNREAD: Final = Remark("unread")


class Scores(Protocol):
    """Scores texts in given languages."""

    def score_batch(self, texts: Sequence[str], given: Sequence[Language | None] | None = None) -> list[Score]: ...


class CommentReader:
    """Reads comments; it holds no state besides its models."""

    def __init__(self, tones: Scores, targets: TargetModel) -> None:
        """Take the sentiment model and the target lexicon."""
        self._tones, self._targets = tones, targets

    def one(self, text: str) -> Remark:
        """One comment."""
        return self.read([text])[0]

    def read(self, texts: Sequence[str], spoken: Sequence[Tongue] | None = None) -> list[Remark]:
        """One remark for each text, in order. spoken: their languages; told by each text alone where they are not given (English where nothing tells)."""
        languages = spoken if spoken is not None else [tongue(t) or "en" for t in texts]
        found = [SILENT if not t.strip() else UNREAD for t in texts]
        mine: list[tuple[int, str, Language]] = [
            (i, normalise(t), said)
            for i, (t, said) in enumerate(zip(texts, languages, strict=True))
            if t.strip() and said != "unread"
        ]
        wholes = self._scored([(plain, said) for _, plain, said in mine])
        parts = [_clauses(plain) if s.targets else [] for (_, plain, _), s in zip(mine, wholes, strict=True)]
        clauses = iter(self._scored([(c, said) for (_, _, said), cs in zip(mine, parts, strict=True) for c in cs]))
        for (i, plain, said), whole, cs in zip(mine, wholes, parts, strict=True):
            own = [next(clauses) for _ in cs]
            named = tuple(
                Named(t.stage, _tone_of(t.stage, own, whole) < FAULT, self.words(plain, said, t.stage))
                for t in self._meant(whole.targets, cs or [plain], own or [whole], said)
            )
            found[i] = Remark("staged" if named else "other", said, named)
        return found

    def words(self, plain: str, language: Language, stage: str) -> tuple[str, ...]:
        """The words of a normalised text that name a stage."""
        found = self._targets.mentions(plain, language)
        return tuple(dict.fromkeys(plain[m.start : m.end] for m in found if m.stage == stage))

    def _meant(
        self, targets: Sequence[Target], clauses: Sequence[str], own: Sequence[Score], language: Language
    ) -> list[Target]:
        """The targets without the goods' quality where nothing but harm to other things names it: "the website is broken"."""
        naming = [
            (c, {t.stage for t in s.targets})
            for c, s in zip(clauses, own, strict=True)
            if any(t.stage == _QUALITY for t in s.targets)
        ]
        of_others = naming and all(
            stages & _BREAKS and _HARM.issuperset(self.words(c, language, _QUALITY)) for c, stages in naming
        )
        return [t for t in targets if not (of_others and t.stage == _QUALITY)]

    def _scored(self, texts: Sequence[tuple[str, Language]]) -> list[Score]:
        return self._tones.score_batch([t for t, _ in texts], [said for _, said in texts])


def _clauses(plain: str) -> list[str]:
    """The clauses; none where there is only one."""
    parts = [part for part in _CLAUSE.split(plain) if part.strip()]
    return parts if len(parts) > 1 else []


def _tone(s: Score) -> float:
    return min(s.polarity, -COMPLAINT) if s.complaint >= COMPLAINT else s.polarity


def _tone_of(stage: str, clauses: Sequence[Score], whole: Score) -> float:
    """The lowest tone of the clauses that name the stage and have one, else the whole comment's."""
    own = [_tone(c) for c in clauses if any(t.stage == stage for t in c.targets)]
    return min([tone for tone in own if abs(tone) >= TONE], default=_tone(whole))
