"""Reads comments for the report: which stages each one names, and which of them it finds fault with.

The stages are those of the target lexicon, the tone that of the sentiment model: of the clause that names the stage where that clause
has a tone, else of the whole comment. So "味道好，送得太慢" praises one stage and complains of another.
"""

import re
from collections.abc import Sequence
from typing import Final

from services.nps.domain.tongue import Tongue, tongues
from services.nps.report.remark import SILENT, Remark
from services.sentiment.domain.score import Score
from services.sentiment.domain.text import Language, normalise
from services.sentiment.model import load
from services.sentiment.model.targets import load as load_targets

_CLAUSE: Final = re.compile(
    r"[，。！？；,.!?;、~…\n]+|但是|可是|不过|就是|只是|但|\bbut\b|\bhowever\b|\balthough\b|\bexcept\b"
)
TONE: Final = 0.3
"""Tone from which on a clause has one of its own."""
FAULT: Final = -0.1
"""Tone below which what is named is found fault with."""
COMPLAINT: Final = 0.5
"""Probability of a complaint from which on a clause finds fault, however calmly: "苹果坏了两个"."""


class CommentReader:
    """Reads comments with the shipped models; texts that come again are read once."""

    def __init__(self) -> None:
        """Raises ModelError or TargetsError where the models can't be read."""
        self._tones, self._targets = load(), load_targets()
        self._known: dict[tuple[str, Tongue], Remark] = {}

    def read(self, texts: Sequence[str]) -> list[Remark]:
        """One remark for each text, in order."""
        keys = list(zip(texts, tongues(texts), strict=True))
        self._learn(sorted({k for k in keys if k not in self._known}))
        return [self._known[k] for k in keys]

    def words(self, text: str, language: str, stage: str) -> tuple[str, ...]:
        """The words of a text that name a stage, in their normal form."""
        plain = normalise(text)
        found = self._targets.mentions(plain, "zh" if language == "zh" else "en")
        return tuple(dict.fromkeys(plain[m.start : m.end] for m in found if m.stage == stage))

    def _learn(self, keys: Sequence[tuple[str, Tongue]]) -> None:
        wholes: list[tuple[tuple[str, Tongue], str, Language]] = []
        for text, said in keys:
            if not text.strip():
                self._known[text, said] = SILENT
            elif said == "unread":
                self._known[text, said] = Remark("unread")
            else:
                wholes.append(((text, said), normalise(text), said))
        scores = self._scored([(plain, said) for _, plain, said in wholes])
        parts = [_clauses(plain) if s.targets else [] for (_, plain, _), s in zip(wholes, scores, strict=True)]
        clauses = iter(self._scored([(c, said) for (_, _, said), cs in zip(wholes, parts, strict=True) for c in cs]))
        for (key, _, said), whole, mine in zip(wholes, scores, parts, strict=True):
            own = [next(clauses) for _ in mine]
            stages = [t.stage for t in whole.targets]
            complains = tuple(s for s in stages if _tone_of(s, own, whole) < FAULT)
            praises = tuple(s for s in stages if s not in complains)
            self._known[key] = Remark("staged" if stages else "other", said, complains, praises)

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
