"""The risk that a complaint escalates: a sum of named reasons, capped at 1. A pure function of the evidence, so the
order in which it arrived makes no difference beyond what `evidence` says of it.

The reasons' weights add up to the risk: where their sum passes 1 each is scaled down by the same share. Each reason
grows with its figure and never falls with more of it. The weights are set by hand so that no reason reaches the default
threshold of 0.6 alone: a bad mood, a third call or a grave word is no escalation by itself; a souring mood in the third
contact about something that was not put right is.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from operator import attrgetter
from typing import Final

from services.escalation.domain.events import Reason
from services.escalation.domain.state import LONG, Customer, Said

RECENT: Final = 5
"""Messages that make the recent mood; each weighs 0.7 of the one after it."""
FADE: Final = 0.7
HOUR: Final = timedelta(hours=1)
DAY: Final = timedelta(days=1)
PRIOR: Final = 0.5
"""Weight, in messages, of the neutral mood assumed before anything was said."""
_FADING: Final = tuple(FADE**i for i in range(RECENT))
_MASS: Final = tuple(sum(_FADING[:n]) + PRIOR for n in range(RECENT + 1))


@dataclass(frozen=True, slots=True)
class Ramp:
    """Nothing up to `low`, `most` from `high` on, a straight line between."""

    low: float
    high: float
    most: float

    def __call__(self, value: float) -> float:
        if value >= self.high:
            return self.most
        return self.most * ((value - self.low) / (self.high - self.low)) if value > self.low else 0.0


@dataclass(frozen=True, slots=True)
class Weights:
    """What each reason weighs, by what figure: a policy may set them. The words that announce keep theirs in `words`."""

    mood_low: Ramp = Ramp(0.2, 0.75, 0.25)
    """By how far the recent mood is below zero."""
    mood_falling: Ramp = Ramp(0.2, 1.2, 0.15)
    """By how far the last two messages are below those before them."""
    repeat_contact: Ramp = Ramp(1, 4, 0.27)
    """Contacts in 72 h."""
    reopened_ticket: Ramp = Ramp(0, 2, 0.40)
    """Reopenings in 72 h."""
    waiting: Ramp = Ramp(10, 60, 0.10)
    """Minutes without an answer; the one who waits longest counts."""
    abandoned_contact: Ramp = Ramp(0, 2, 0.15)
    """Contacts in 72 h that the customer gave up."""
    repeat_today: Ramp = Ramp(2, 5, 0.04)
    """Contacts in 24 h: two in a day may be one matter, five are not."""
    long_history: Ramp = Ramp(4, 12, 0.05)
    """Contacts in 30 days."""
    turned_sour: Ramp = Ramp(0, 2, 0.06)
    """Conversations that soured and have not brightened since."""
    reassigned: Ramp = Ramp(0, 3, 0.08)
    """Times that a contact changed hands."""
    broken_promise: Ramp = Ramp(0, 3, 0.10)
    """Promises that were not kept: waits that were too long, deliveries late by an hour or more."""
    silence: Ramp = Ramp(12, 72, 0.10)
    """Hours since anything was done for an open ticket."""
    complains: Ramp = Ramp(0.6, 1.0, 0.03)
    """How likely the clearest complaint of a fault is one."""
    hot_cause: Ramp = Ramp(0, 1, 0.08)
    """Waves that may hit the customer's orders: an incident makes many calm complaints dangerous."""
    value: Ramp = Ramp(10, 100, 0.03)
    """Spent in 30 days, in hundreds of the currency: who has more to lose goes further."""
    delayed: float = 0.08
    """A delivery late by an hour or more; half for less. The next two likewise, each failure by itself."""
    spoilt: float = 0.12
    refund: float = 0.05
    failures_most: float = 0.20
    """What failed deliveries add at the most."""


WEIGHTS: Final = Weights()
"""The hand-set ones: no labelled escalations of live customers exist to learn them from (docs/models/escalation.md)."""


@dataclass(frozen=True, slots=True)
class Assessment:
    """The risk, 0 to 1, and its reasons, heaviest first; their weights add up to it."""

    risk: float
    reasons: tuple[Reason, ...]


def assess(state: Customer, now: datetime, w: Weights = WEIGHTS) -> Assessment:
    """The risk from the evidence as it stands; waiting is measured against the service clock `now`."""
    # Looked at for every event: what a customer has nothing of costs a look, and a reason is made only where it weighs something.
    found: list[Reason] = []
    if state.said:
        _of_words(state.said, w, found)
    moment = state.moment(now)
    if state.contacts or state.visits:
        _of_contacts(state, now, moment, w, found)
    if state.tickets and (again := sum([len(t.reopened) for t in state.tickets])) > w.reopened_ticket.low:
        found.append(_reason("reopened_ticket", w.reopened_ticket, again))
    if state.failures:
        found.append(_failures(state, w))
    _history(state, moment, w, found)
    reasons = sorted([r for r in found if r.weight > 0], key=_heaviest)
    total = sum([r.weight for r in reasons], 0.0)
    if total > 1:
        reasons = [Reason(r.code, r.weight / total, r.value) for r in reasons]
    return Assessment(min(1.0, total), tuple(reasons))


def _heaviest(reason: Reason) -> tuple[float, str]:
    return -reason.weight, reason.code


def silent_since(state: Customer) -> datetime | None:
    """When anything was last done for a customer with an open ticket, by event time; None where there is none."""
    open_now = [t.at for t in state.tickets if t.is_open]
    if not open_now:
        return None
    return max([*open_now, *(c.replied_at for c in state.contacts if c.replied_at)])


def reassignments(state: Customer) -> int:
    """Times that a contact came back from a seat, or went to another one."""
    served = {(h.contact_id, h.seat) for h in state.hands if h.seat}
    # Of each contact every seat but one was another one.
    return sum([not h.seat for h in state.hands]) + len(served) - len({contact for contact, _ in served})


def _of_contacts(state: Customer, now: datetime, moment: datetime, w: Weights, found: list[Reason]) -> None:
    """What follows from contacts: how many there were of late, waits, and those that the customer gave up."""
    contacts = len(state.contacts)
    if contacts > w.repeat_contact.low:
        found.append(_reason("repeat_contact", w.repeat_contact, contacts))
    if (waited := waiting_minutes(state, now)) > w.waiting.low:
        found.append(_reason("waiting", w.waiting, waited))
    if (gone := sum([c.abandoned for c in state.contacts])) > w.abandoned_contact.low:
        found.append(_reason("abandoned_contact", w.abandoned_contact, gone))
    if contacts > w.repeat_today.low:
        start = moment - DAY
        if (today := sum([c.at >= start for c in state.contacts])) > w.repeat_today.low:
            found.append(_reason("repeat_today", w.repeat_today, today))
    if contacts + len(state.visits) > w.long_history.low:
        start = moment - LONG
        names = {c.contact_id for c in state.contacts} | {v.contact_id for v in state.visits if v.at >= start}
        if len(names) > w.long_history.low:
            found.append(_reason("long_history", w.long_history, len(names)))


def _history(state: Customer, moment: datetime, w: Weights, found: list[Reason]) -> None:
    """Reasons beyond contacts and words; each is worked out only where there is anything of its kind, for most customers have
    little. moment: the customer's present."""
    if state.turns and (soured := _soured(state)) > w.turned_sour.low:
        found.append(_reason("turned_sour", w.turned_sour, soured))
    if state.hands and (moved := reassignments(state)) > w.reassigned.low:
        found.append(_reason("reassigned", w.reassigned, moved))
    if state.hands or state.failures:
        broken = sum([f.failure == "delayed" and f.delay_minutes >= 60 for f in state.failures])
        broken += sum([h.late for h in state.hands])
        if broken > w.broken_promise.low:
            found.append(_reason("broken_promise", w.broken_promise, broken))
    if state.tickets and (since := silent_since(state)):
        silent = max(0.0, (moment - since) / HOUR)
        if silent > w.silence.low:
            found.append(_reason("silence", w.silence, silent))
    if len(state.hits) > w.hot_cause.low:
        found.append(_reason("hot_cause", w.hot_cause, len(state.hits)))
    if state.orders:
        start = moment - LONG
        spent = sum([o.cents for o in state.orders if o.at >= start]) / 10_000
        if spent > w.value.low:
            found.append(_reason("value", w.value, spent))


def _soured(state: Customer) -> int:
    """Conversations that soured and have not brightened since."""
    brightened: dict[str, datetime] = {}
    for turn in state.turns:
        if not turn.soured:
            brightened[turn.contact_id] = max(turn.at, brightened.get(turn.contact_id, turn.at))
    return len({t.contact_id for t in state.turns if t.soured and brightened.get(t.contact_id, t.at) <= t.at})


def waiting_minutes(state: Customer, now: datetime) -> float:
    """How long the customer waits for an answer, in the contact where it is longest; 0 where in none."""
    since = [c.waiting_since for c in state.contacts if c.waiting_since]
    return max(0.0, (now - min(since)).total_seconds() / 60) if since else 0.0


def scored(state: Customer) -> list[float]:
    """Polarities of the messages that have a score, by the time they were said."""
    return [s.polarity for s in sorted(state.said, key=by_time) if s.polarity is not None]


by_time: Final[Callable[[Said], tuple[datetime, str]]] = attrgetter("at", "message")
"""Orders messages by when they were said, then by name."""


def _reason(code: str, ramp: Ramp, value: float) -> Reason:
    """A reason by its figure, which is above the ramp's low end."""
    return Reason(code, ramp(value), float(value))


def _of_words(said: tuple[Said, ...], w: Weights, found: list[Reason]) -> None:
    """What follows from messages and their scores: the recent mood, its fall, what was announced, how clearly it is a complaint."""
    ordered = sorted(said, key=by_time) if len(said) > 1 else said
    moods = [s.polarity for s in ordered if s.polarity is not None]
    if moods:
        recent = moods[: -RECENT - 1 : -1]
        mood = sum([f * p for f, p in zip(_FADING, recent, strict=False)]) / _MASS[len(recent)]
        if -mood > w.mood_low.low:
            found.append(Reason("mood_low", w.mood_low(-mood), mood))
        if len(moods) > 2:
            now = (moods[-2] + moods[-1]) / 2
            before = moods[:-2]
            # From delight to content is no fall to worry about: it counts to twice the depth below zero that it leads to.
            fall = max(0.0, min(sum(before) / len(before) - now, -2 * now))
            if fall > w.mood_falling.low:
                found.append(_reason("mood_falling", w.mood_falling, fall))
    words, kinds, complaint = 0.0, 0, 0.0
    for s in said:
        if s.words > words or (s.words == words and s.kinds > kinds):
            words, kinds = s.words, s.kinds
        complaint = max(complaint, s.complaint)
    if words > 0:
        found.append(Reason("complaint_words", words, float(kinds)))
    if complaint > w.complains.low:
        found.append(_reason("complains", w.complains, complaint))


def _failures(state: Customer, w: Weights) -> Reason:
    by_kind = {"delayed": w.delayed, "spoilt": w.spoilt, "refund": w.refund}
    weight = sum(
        by_kind[f.failure] * (0.5 if f.failure == "delayed" and f.delay_minutes < 60 else 1) for f in state.failures
    )
    return Reason("delivery_failed", min(w.failures_most, weight), float(len(state.failures)))
