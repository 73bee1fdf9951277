"""Repeated contacts (重复联系) and their causes: who had to come back about the same matter, and which matter it was.

A contact repeats an earlier one of the same customer, at most `days` before it, that is about

- the same stage ("same"), or
- anything, while the new one is about how it is handled: nobody answers, not solved, how staff behave ("handling").

Its cause is the earlier contact's own cause: the stage with which the matter began, not the anger at the third call. A contact that says
nothing of what it is about ("unsaid"), or that is about another stage ("other matter"), is no repeat; the unsaid ones are counted, since
some of them are.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal

from services.nps.domain.compare import Share, share

DAYS: Final = 7
"""How long after a contact the next one still counts as a repeat."""
HANDLING: Final = frozenset({"aftersales.response", "aftersales.attitude", "aftersales.resolution"})
"""Stages that are about how a matter is handled, whatever the matter."""

Kind = Literal["same", "handling", "unsaid", "other matter", "first"]
REPEATS: Final[frozenset[str]] = frozenset({"same", "handling"})
"""The kinds that are repeats."""


@dataclass(frozen=True, slots=True)
class Contact:
    """A customer's contact; stages: what it is about, the likeliest first, empty where it doesn't say."""

    contact_id: str
    customer_id: str
    time: datetime
    stages: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Chained:
    """A contact with what it is to the customer's earlier ones. cause: the stage that its matter began with, "" for unsaid."""

    contact: Contact
    kind: Kind
    cause: str

    @property
    def repeated(self) -> bool:
        """Whether it is a repeat."""
        return self.kind in REPEATS


@dataclass(frozen=True, slots=True)
class Repeats:
    """The contacts of a stretch of time. share: of repeats among all; unsaid: came back without saying what about.

    causes: by the stage that the matter began with, how many repeats, the most first ("": the first contact didn't say).
    """

    share: Share
    unsaid: int
    causes: tuple[tuple[str, int], ...]


def chain(contacts: Iterable[Contact], days: int = DAYS, settled: Mapping[str, Chained] | None = None) -> list[Chained]:
    """Each contact with what it repeats, by time, then id; the same contact twice counts once.

    settled: by id, contacts that were judged when more was known of what came before them; they are not judged again.
    """
    judged = settled or {}
    known = {c.contact_id: c for c in contacts}
    earlier: defaultdict[str, list[Chained]] = defaultdict(list)
    found = []
    for c in sorted(known.values(), key=lambda c: (c.time, c.contact_id)):
        since = c.time - timedelta(days=days)
        recent = [e for e in earlier[c.customer_id] if e.contact.time >= since]
        one = judged.get(c.contact_id) or _chained(c, recent)
        earlier[c.customer_id] = [*recent, one]
        found.append(one)
    return found


def repeats(chained: Iterable[Chained], start: datetime, end: datetime) -> Repeats:
    """The repeats among the contacts from start up to end."""
    mine = [c for c in chained if start <= c.contact.time < end]
    causes = Counter(c.cause for c in mine if c.repeated)
    return Repeats(
        share(sum(causes.values()), len(mine)),
        sum(c.kind == "unsaid" for c in mine),
        tuple(sorted(causes.items(), key=lambda item: (-item[1], item[0]))),
    )


def _chained(c: Contact, recent: list[Chained]) -> Chained:
    own = c.stages[0] if c.stages else ""
    if not recent:
        return Chained(c, "first", own)
    for e in reversed(recent):  # the latest contact about the same matter is the one that it repeats
        if (e.cause in c.stages and e.cause) or set(e.contact.stages) & set(c.stages) - HANDLING:
            return Chained(c, "same", e.cause)
    if HANDLING.intersection(c.stages[:1]):
        return Chained(c, "handling", recent[-1].cause)
    return Chained(c, "other matter", own) if own else Chained(c, "unsaid", "")
