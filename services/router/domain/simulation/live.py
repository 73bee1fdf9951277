"""A recorded period of our own topics, run again by discrete events through the live router's own decisions.

Triage and assignment decide here as they do in service: every event goes through `triage.decide` and
`assignment.decide`, every timer through `assignment.tick`. What the world does is simulated: customers come as they
came, hang up when their patience ends, the bot and the seats take as long as they took, seats come and go as they did.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from functools import cache
from heapq import heapify, heappop, heappush
from typing import Any

from services.router.domain import assignment, events, facts, triage
from services.router.domain.policy import Policy
from services.router.domain.pool import Pool
from services.router.domain.simulation.period import BotDid, Fate, Period, Rings

GOES_ON = timedelta(days=1)
"""How long after the last recorded event the run goes on for who still waits."""
_SOURCE = "simulation"


@dataclass(slots=True)
class Ending:
    """What became of a contact."""

    rule: str = ""
    pool: str = ""
    priority: int = 0
    waited_s: float = 0.0
    answered: bool = False
    """By the bot or by a human; false where the customer left, or was not reached by the end."""
    by_human: bool = False
    over: bool = False
    waits: bool = False
    """It was put into a human pool's queue at least once."""
    kept: bool = False
    """The bot kept the line and a human was promised; nobody waits on the line."""
    offers: int = 0
    bot_drawn: bool = False
    """The bot had it, which the recording doesn't tell: what it did was drawn from others of the topic."""
    service_drawn: bool = False
    """Likewise with a human's service."""


@dataclass(frozen=True, slots=True)
class _Due:
    """A pool's timer."""

    pool: str


@dataclass(frozen=True, slots=True)
class _Patience:
    """A customer's patience ends."""

    contact_id: str


class Run:
    """One run of a period under a policy."""

    def __init__(self, period: Period, fates: Sequence[Fate], policy: Policy) -> None:
        """Begin with everybody's requests and the seats' comings and goings."""
        self.policy = policy
        self.rings: Rings = period.rings
        self.visit_of = {visit.request.contact_id: i for i, visit in enumerate(period.visits)}
        self.visits = period.visits
        self.fates = fates
        self.endings = [Ending() for _ in period.visits]
        self.customers: dict[str, triage.Customer] = {}
        self.pools: dict[str, Pool] = {}
        self.due: dict[str, datetime] = {}
        self.count = 0
        begins: list[tuple[datetime, events.Event]] = [(v.request.time, v.request) for v in period.visits]
        begins += [(event.time, event) for v in period.visits for event in v.said]
        begins += [(event.time, event) for event in period.seats]
        self.heap: list[tuple[datetime, int, Any]] = []
        for at, what in begins:
            self.push(at, what)
        heapify(self.heap)
        self.last = max((at for at, _ in begins), default=None)

    def push(self, at: datetime, what: object) -> None:
        """Let something happen at a time; what was said first happens first."""
        self.count += 1
        heappush(self.heap, (at, self.count, what))

    def run(self) -> list[Ending]:
        """Run to the end."""
        while self.heap:
            now, _, what = heappop(self.heap)
            if self.last is not None and now > self.last + GOES_ON:
                break
            match what:
                case events.CustomerEvent() as event:
                    self.triage(event, now)
                case events.PoolEvent() as event:
                    self.assign(event.pool, event, now)
                case _Due(pool=pool):
                    if self.due.get(pool) == now:
                        del self.due[pool]
                        self.assign(pool, None, now)
                case _Patience(contact_id=contact_id):
                    self.gives_up(contact_id, now)
        return self.endings

    # -- the router's own decisions ---------------------------------------------------------------------------------

    def triage(self, event: events.CustomerEvent, now: datetime) -> None:
        customer = self.customers.get(event.customer_id) or triage.Customer(event.customer_id)
        self.customers[event.customer_id], decided = triage.decide(customer, event, now, self.policy)
        for fact in decided:
            self.happened(fact, now)

    def assign(self, name: str, event: events.PoolEvent | None, now: datetime) -> None:
        pool, terms = self.pools.get(name) or Pool(name), self.policy.terms(name)
        if event is None:
            self.pools[name], decided = assignment.tick(pool, now, terms, record=False)
        else:
            self.pools[name], decided = assignment.decide(pool, event, now, terms, record=False)
        for fact in decided:
            self.happened(fact, now)
        due = assignment.due(self.pools[name])
        if due is None:
            self.due.pop(name, None)
        elif self.due.get(name) != due:
            self.due[name] = max(due, now)
            self.push(self.due[name], _Due(name))

    # -- what the world makes of them -------------------------------------------------------------------------------

    def happened(self, fact: object, now: datetime) -> None:
        match fact:
            case facts.ContactTriaged():
                self.triaged(fact, now)
            case facts.ContactQueued():
                self.queued(fact, now)
            case facts.ContactOffered():
                self.offered(fact, now)
            case facts.ContactAccepted():
                ending = self.endings[self.visit_of[fact.contact_id]]
                ending.waited_s, ending.pool = fact.waited_ms / 1000, fact.pool
                ending.by_human = ending.answered = True
                ending.service_drawn = self.visits[self.visit_of[fact.contact_id]].service_s is None
                fate = self.fates[self.visit_of[fact.contact_id]]
                finished = _answer(events.ServiceFinished, fact, now + timedelta(seconds=fate.service_s))
                self.push(finished.time, finished)
            case facts.ContactClosed():
                ending = self.endings[self.visit_of[fact.contact_id]]
                ending.over, ending.answered = True, fact.outcome is not facts.Outcome.ABANDONED
                if not ending.by_human:
                    ending.waited_s = fact.waited_ms / 1000
            case _ if type(fact).__name__ in _BETWEEN:
                seen = _as_event(fact, now)
                self.push(now, seen)
            case _ if type(fact).__name__ == "DebtIncurred":
                self.endings[self.visit_of[fact.contact_id]].kept = True  # type: ignore[attr-defined]
            case _:
                pass

    def triaged(self, fact: facts.ContactTriaged, now: datetime) -> None:
        i = self.visit_of[fact.contact_id]
        ending, part = self.endings[i], self.fates[i].bot
        ending.rule, ending.pool, ending.priority = fact.rule, fact.pool, fact.priority
        if fact.pool != facts.BOT:
            return
        at = now + timedelta(seconds=part.after_s)
        ending.bot_drawn = self.visits[i].bot is None
        request = self.visits[i].request
        match part.did:
            case BotDid.HANDED_OVER:
                known = part.known or request.known
                self.push(at, _from(request, events.HandoverRequested, at, reason=part.reason, known=known))
            case BotDid.ENDED:
                self.push(at, _from(request, events.ContactEnded, at))
            case BotDid.ABANDONED:
                self.push(at, _from(request, events.ContactAbandoned, at))

    def queued(self, fact: facts.ContactQueued, now: datetime) -> None:
        i = self.visit_of[fact.contact_id]
        self.endings[i].pool = fact.pool
        if not self.endings[i].waits:
            self.endings[i].waits = True
            patience = self.fates[i].patience_s
            if patience < _FOR_EVER_S:
                self.push(now + timedelta(seconds=patience), _Patience(fact.contact_id))
        self.push(now, _as_event(fact, now))

    def gives_up(self, contact_id: str, now: datetime) -> None:
        i = self.visit_of[contact_id]
        ending, request = self.endings[i], self.visits[i].request
        if ending.by_human or ending.over or ending.kept:
            return
        self.triage(_from(request, events.ContactAbandoned, now), now)

    def offered(self, fact: facts.ContactOffered, now: datetime) -> None:
        """The seat accepts, declines or lets it ring, as seats do."""
        i = self.visit_of[fact.contact_id]
        ending, fate = self.endings[i], self.fates[i]
        luck = fate.rings[ending.offers % len(fate.rings)]
        ending.offers += 1
        if luck < self.rings.missed:
            return
        if luck < self.rings.missed + self.rings.declined:
            slot = (luck - self.rings.missed) / self.rings.declined
            kind: type[events.OfferEvent] = events.OfferDeclined
        else:
            slot = (luck - self.rings.missed - self.rings.declined) / (1 - self.rings.missed - self.rings.declined)
            kind = events.OfferAccepted
        answer = _answer(kind, fact, now + timedelta(seconds=self.rings.accepted_s.at(min(slot, 1 - 1e-9))))
        self.push(answer.time, answer)


_FOR_EVER_S = 1e9
_BETWEEN = ("ContactWithdrawn", "ContactLine", "TurnPassed")
"""Facts of triage that are a pool's events."""


def _from(
    request: events.ContactRequested, kind: type[events.CustomerEvent], at: datetime, **more: Any
) -> events.CustomerEvent:
    return kind(
        event_id=f"{request.contact_id}/{kind.__name__}", source=_SOURCE, time=at, customer_id=request.customer_id,
        contact_id=request.contact_id, **more,
    )  # fmt: skip


def _answer(
    kind: type[events.OfferEvent], fact: facts.ContactOffered | facts.ContactAccepted, at: datetime
) -> events.OfferEvent:
    return kind(
        event_id=f"{fact.contact_id}/{fact.token}/{kind.__name__}", source=_SOURCE, time=at, pool=fact.pool,
        seat_id=fact.seat_id, contact_id=fact.contact_id, token=fact.token,
    )  # fmt: skip


def _as_event(fact: Any, now: datetime) -> events.PoolEvent:
    """The pool's event of a fact that goes to a pool: they share their names, on the wire as well."""
    kind = getattr(events, type(fact).__name__)
    shared: Mapping[str, Any] = {name: getattr(fact, name) for name in _shared(kind, type(fact))}  # type: ignore[arg-type]
    made: events.PoolEvent = kind(
        **{"event_id": f"{fact.contact_id}/{kind.__name__}/{now.isoformat()}", "source": _SOURCE, "time": now, **shared}
    )
    return made


@cache
def _shared(kind: Any, of: Any) -> tuple[str, ...]:
    told = {field.name for field in fields(of)}
    return tuple(field.name for field in fields(kind) if field.name in told)
