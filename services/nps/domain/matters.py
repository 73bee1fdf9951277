"""A customer's last contacts and what they are about, as they come in: which of them repeats which."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final, Literal

from services.nps.domain.repeats import DAYS, Chained, Contact, Kind, chain
from services.nps.domain.survey import Segments

MOST: Final = 50
"""Contacts kept per customer."""
STAGES: Final = 8
"""Stages kept per contact, those named first."""
OPEN: Final = timedelta(days=DAYS)
"""How long a contact may still be judged anew, counted back from the customer's latest: late ones change what follows them."""


@dataclass(frozen=True, slots=True)
class Matter:
    """A contact. began: by its first event; begun: whether its beginning was heard of. kind, cause: as judged, "" until then."""

    began: datetime
    segments: Segments = ()
    stages: tuple[str, ...] = ()
    begun: bool = False
    kind: Kind | Literal[""] = ""
    cause: str = ""


@dataclass(frozen=True, slots=True)
class MatterJudged:
    """Fact: what a contact is to its customer's earlier ones, and the stage with which its matter began ("": unsaid)."""

    customer_id: str
    contact_id: str
    began: datetime
    segments: Segments
    kind: Kind
    cause: str


Matters = Mapping[str, Matter]


def begin(
    customer_id: str, known: Matters, contact_id: str, at: datetime, segments: Segments, stage: str
) -> tuple[Matters, tuple[MatterJudged, ...]]:
    """A contact began; stage: what the channel says it is about, "" where it doesn't."""
    had = known.get(contact_id) or Matter(at)
    if had.begun:
        return known, ()
    stages = tuple(dict.fromkeys((*((stage,) if stage else ()), *had.stages)))[:STAGES]
    return _judge(
        customer_id, {**known, contact_id: replace(had, began=at, segments=segments, stages=stages, begun=True)}
    )


def about(
    customer_id: str, known: Matters, contact_id: str, at: datetime, stages: tuple[str, ...]
) -> tuple[Matters, tuple[MatterJudged, ...]]:
    """The customer said in a contact what it is about."""
    had = known.get(contact_id) or Matter(at)
    new = tuple(dict.fromkeys((*had.stages, *stages)))[:STAGES]
    if new == had.stages:
        return known, ()
    return _judge(customer_id, {**known, contact_id: replace(had, stages=new)})


def _judge(customer_id: str, all_: Matters) -> tuple[Matters, tuple[MatterJudged, ...]]:
    last = max(m.began for m in all_.values())
    mine = sorted(((m.began, k) for k, m in all_.items() if m.began >= last - 2 * OPEN), reverse=True)[:MOST]
    kept = {k: all_[k] for _, k in reversed(mine)}
    contacts = {k: Contact(k, customer_id, m.began, m.stages) for k, m in kept.items() if m.begun}
    settled = {
        k: Chained(c, m.kind, m.cause) for k, c in contacts.items() if (m := kept[k]).began < last - OPEN and m.kind
    }
    facts = []
    for c in chain(contacts.values(), settled=settled):
        name, m = c.contact.contact_id, kept[c.contact.contact_id]
        after = replace(m, kind=c.kind, cause=c.cause)
        if after != m:
            facts.append(MatterJudged(customer_id, name, m.began, m.segments, c.kind, c.cause))
        kept[name] = after
    return kept, tuple(facts)
