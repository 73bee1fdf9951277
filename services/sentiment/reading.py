"""Reads what is said, a batch at once: the model's scores, their evidence, and how familiar the words are.

Looking at two thousand texts together takes the model a small part of the time of one after the other. The same text
always has the same score, whatever stands beside it.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import isnan
from typing import Final, Protocol, runtime_checkable

from services.sentiment.domain.encode import encode
from services.sentiment.domain.events import Commented, Corrected, Event, Read, Said
from services.sentiment.domain.model import SentimentModel
from services.sentiment.domain.remarks import CommentReader, Remark
from services.sentiment.domain.score import Evidence, Score
from services.sentiment.domain.shift import drift_of
from services.sentiment.domain.text import Language
from services.sentiment.watch import Watch

log = logging.getLogger(__name__)


STRONGEST: Final = 3
"""Pieces of evidence in a fact, for each output."""
SHOWN: Final = 50
"""Texts of a batch whose evidence is looked for, the unhappiest first: it takes as long as reading twenty texts. Only where hundreds
come at once does a fact go without."""
COMPLAINS: Final = 0.5
"""Probability from which a message counts as a complaint here."""


class Shown(Protocol):
    """What a model shows of one text."""

    @property
    def evidence(self) -> tuple[Evidence, ...]: ...


@runtime_checkable
class Explains(Protocol):
    """A model that can show where its scores come from."""

    def explain_batch(self, texts: Sequence[str], given: Sequence[Language | None]) -> Sequence[Shown]: ...


def explained(model: object, texts: Sequence[str], languages: Sequence[Language | None]) -> list[tuple[Evidence, ...]]:
    """Where each text's scores show in it; nothing where the model can't tell."""
    if not texts or not isinstance(model, Explains):
        return [()] * len(texts)
    return [shown.evidence for shown in model.explain_batch(texts, languages)]


def strongest(evidence: Sequence[Evidence], most: int) -> tuple[Evidence, ...]:
    """The few pieces of each output that weigh most, either way, in the order in which they came."""
    taken: dict[str, int] = {}
    kept = []
    for i in sorted(range(len(evidence)), key=lambda i: -abs(evidence[i].weight)):
        output = evidence[i].output
        if taken.get(output, 0) < most:
            taken[output] = taken.get(output, 0) + 1
            kept.append(i)
    return tuple(evidence[i] for i in sorted(kept))


def matters(event: Said | Corrected, score: Score) -> bool:
    """Whether somebody may act on the score, and wants to see what it rests on: a customer is unhappy, angry or complains."""
    if not isinstance(event, Said) or event.speaker != "customer":
        return False
    return score.label == "negative" or score.emotion.label == "angry" or score.complaint >= COMPLAINS


@dataclass(frozen=True)
class Reading:
    """The pipeline's `enrich`. watch: is told how familiar the words are. comments: reads what surveys' answers say."""

    model: SentimentModel
    watch: Watch
    comments: CommentReader | None = None

    async def __call__(self, events: Sequence[Event]) -> Sequence[Event]:
        """The events, with the texts among them read. Where that fails they come back as they are: decided one by one, the one at fault is found."""
        texts = [e for e in events if isinstance(e, Said | Corrected)]
        comments = [e for e in events if isinstance(e, Commented)]
        if not texts and not comments:
            return events
        try:
            read = iter(self.read(texts) if texts else ())
            remarks = iter(self.remarks(comments))
        except Exception as error:
            log.error("a batch of texts could not be read: %s", type(error).__name__)
            return events
        return [
            next(read)
            if isinstance(e, Said | Corrected)
            else replace(e, remark=next(remarks))
            if isinstance(e, Commented)
            else e
            for e in events
        ]

    def remarks(self, events: Sequence[Commented]) -> list[Remark | None]:
        """Each comment read, in order."""
        if not events or self.comments is None:
            return [None] * len(events)
        return list(self.comments.read([e.text for e in events]))

    def read(self, events: Sequence[Said | Corrected]) -> list[Read]:
        """Each text read, in order."""
        scores = self.model.score_batch([e.text for e in events], [e.language for e in events])
        unseen = self.unseen([e.text for e in events], scores)
        evidence: list[tuple[Evidence, ...]] = [()] * len(events)
        asked = [i for i, (event, score) in enumerate(zip(events, scores, strict=True)) if matters(event, score)]
        asked = sorted(asked, key=lambda i: scores[i].polarity)[:SHOWN]
        shown = explained(self.model, [events[i].text for i in asked], [scores[i].language for i in asked])
        for i, pieces in zip(asked, shown, strict=True):
            evidence[i] = strongest(pieces, STRONGEST)
        return [
            Read(event, score, why, share)
            for event, score, why, share in zip(events, scores, evidence, unseen, strict=True)
        ]

    def unseen(self, texts: Sequence[str], scores: Sequence[Score]) -> list[float | None]:
        """The share of each text's n-grams that no training text of its language had; None where it is too short."""
        found: list[float | None] = [None] * len(texts)
        for language, usual in self.watch.familiar.items():
            mine = [i for i, score in enumerate(scores) if score.language == language]
            if mine:
                shares = usual.shares(encode([texts[i] for i in mine]))
                self.watch.add(language, drift_of(shares))
                for i, share in zip(mine, shares.tolist(), strict=True):
                    found[i] = None if isnan(share) else share
        return found
