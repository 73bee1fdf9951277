"""What a rush did to a pool, from the facts on the topics: the mode's turns, the debts, the waits, and who was lost."""

import math
from bisect import bisect_right
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from touchline.router.v1 import events_pb2

from services.router.domain.policy import Managed
from services.runtime.records import Record

_KINDS = {
    f"touchline.router.{kind.__name__}.v1".encode(): kind
    for kind in (
        events_pb2.ContactTriaged,
        events_pb2.ContactOffered,
        events_pb2.OfferReturned,
        events_pb2.ContactAccepted,
        events_pb2.ContactClosed,
        events_pb2.DebtIncurred,
        events_pb2.DebtCalled,
        events_pb2.DebtPaid,
        events_pb2.DebtReleased,
        events_pb2.DebtOverdue,
        events_pb2.ManagedModeEntered,
        events_pb2.ManagedModeLeft,
    )
}


def _seconds(stamp: Any) -> float:
    return float(stamp.ToNanoseconds()) / 1e9


@dataclass
class Course:
    """One pool's contacts, as its facts tell them. Times are epoch seconds of the system's clock."""

    pool: str
    queued: dict[str, float] = field(default_factory=dict)
    protected: set[str] = field(default_factory=set)
    accepted: dict[str, float] = field(default_factory=dict)
    waited: dict[str, float] = field(default_factory=dict)
    closed: dict[str, float] = field(default_factory=dict)
    abandoned: set[str] = field(default_factory=set)
    offered: dict[int, tuple[str, float]] = field(default_factory=dict)
    """By token: the contact and the moment."""
    returned: dict[int, float] = field(default_factory=dict)
    incurred: dict[str, float] = field(default_factory=dict)
    called: dict[str, float] = field(default_factory=dict)
    paid: dict[str, list[float]] = field(default_factory=dict)
    released: dict[str, float] = field(default_factory=dict)
    overdue: set[str] = field(default_factory=set)
    entered: list[float] = field(default_factory=list)
    left: list[float] = field(default_factory=list)

    def hear(self, records: Iterable[Record]) -> None:
        """Takes in what a topic tells of the pool; other records mean nothing here."""
        for record in records:
            kind = _KINDS.get(dict(record.headers).get("ce_type", b""))
            if kind is None:
                continue
            fact = kind.FromString(record.value or b"")
            if fact.pool == self.pool:
                _HEARD[kind.__name__](self, fact)

    @property
    def managed(self) -> bool:
        """Whether the bot keeps the line now."""
        return len(self.entered) > len(self.left)

    @property
    def open_debts(self) -> set[str]:
        """Debts that are neither paid nor released."""
        return self.incurred.keys() - self.paid.keys() - self.released.keys()

    @property
    def longest_turn_s(self) -> float:
        """The longest that a contact took a seat, from the offer to its end or return."""
        ends = [self.returned.get(token, self.closed.get(contact)) for token, (contact, _) in self.offered.items()]
        return max((end - at for (_, at), end in zip(self.offered.values(), ends, strict=True) if end), default=0.0)

    def bound_s(self, contact: str, terms: Managed, seats: int, turn_s: float) -> float:
        """The longest that a protected contact may wait (docs/adr/0013), in services of `turn_s`.

        Before it are those on the line when the mode began, the debts left when it ended, and protected ones who came
        earlier; an offer that came back while it waited took a seat for a turn as well.
        """
        came, taken = self.queued[contact], self.accepted[contact]
        ahead = max(terms.enter * seats, terms.least) + terms.leave * seats
        like = sum(self.queued[k] < came < self.accepted.get(k, math.inf) for k in self.protected)
        back = sum(came < at < taken for at in self.returned.values())
        return math.ceil((ahead + like + back + 1) / seats) * turn_s

    def curves(self, begin: float, end: float, every_s: float) -> dict[str, list[tuple[float, int]]]:
        """How many wait for a seat, are kept by the bot, and are owed a human, every so many seconds."""
        settled = {**{k: at[0] for k, at in self.paid.items()}, **self.released}
        over = {k: min(self.accepted.get(k, math.inf), self.closed.get(k, math.inf)) for k in self.queued}
        kept = _changes(
            self.incurred.values(), [min(self.called.get(k, math.inf), settled.get(k, math.inf)) for k in self.incurred]
        )
        owed = _changes(self.incurred.values(), settled.values())
        here = _changes(self.queued.values(), over.values())
        moments = [begin + i * every_s for i in range(int((end - begin) / every_s) + 1)]
        return {
            "waiting": [(t, here(t) - kept(t)) for t in moments],
            "kept": [(t, kept(t)) for t in moments],
            "debts": [(t, owed(t)) for t in moments],
        }


def _changes(up: Iterable[float], down: Iterable[float]) -> Callable[[float], int]:
    """How many began by a moment, less those that ended."""
    begins, ends = sorted(up), sorted(down)
    return lambda at: bisect_right(begins, at) - bisect_right(ends, at)


def _triaged(c: Course, f: Any) -> None:
    c.queued.setdefault(f.contact_id, _seconds(f.decided_at))
    if f.protected:
        c.protected.add(f.contact_id)


def _offered(c: Course, f: Any) -> None:
    c.offered.setdefault(f.token, (f.contact_id, _seconds(f.offered_at)))


def _accepted(c: Course, f: Any) -> None:
    c.accepted.setdefault(f.contact_id, _seconds(f.accepted_at))
    c.waited.setdefault(f.contact_id, f.waited_ms / 1000)


def _closed(c: Course, f: Any) -> None:
    c.closed.setdefault(f.contact_id, _seconds(f.closed_at))
    if f.outcome == events_pb2.OUTCOME_ABANDONED:
        c.abandoned.add(f.contact_id)


_HEARD: dict[str, Callable[[Course, Any], object]] = {
    "ContactTriaged": _triaged,
    "ContactOffered": _offered,
    "OfferReturned": lambda c, f: c.returned.setdefault(f.token, _seconds(f.returned_at)),
    "ContactAccepted": _accepted,
    "ContactClosed": _closed,
    "DebtIncurred": lambda c, f: c.incurred.setdefault(f.contact_id, _seconds(f.at)),
    "DebtCalled": lambda c, f: c.called.setdefault(f.contact_id, _seconds(f.at)),
    "DebtPaid": lambda c, f: c.paid.setdefault(f.contact_id, []).append(_seconds(f.at)),
    "DebtReleased": lambda c, f: c.released.setdefault(f.contact_id, _seconds(f.at)),
    "DebtOverdue": lambda c, f: c.overdue.add(f.contact_id),
    "ManagedModeEntered": lambda c, f: c.entered.append(_seconds(f.at)),
    "ManagedModeLeft": lambda c, f: c.left.append(_seconds(f.at)),
}


@dataclass(frozen=True, slots=True)
class Guarded:
    """A protected contact: when it came, how long it waited for a human, and how long it might have. Seconds."""

    came: float
    waited_s: float
    bound_s: float


def guarded(course: Course, terms: Managed, seats: int) -> list[Guarded]:
    """The protected contacts that a seat took, in the order in which they came."""
    turn_s = course.longest_turn_s
    found = [
        Guarded(course.queued[k], course.waited[k], course.bound_s(k, terms, seats, turn_s))
        for k in course.protected & course.accepted.keys()
    ]
    return sorted(found, key=lambda g: g.came)


def figures(course: Course, requested: set[str], terms: Managed, seats: int) -> dict[str, Any]:
    """The run as one row. requested: the contacts that the door accepted."""
    waits = guarded(course, terms, seats)
    tightest = max(waits, key=lambda g: g.waited_s / g.bound_s, default=Guarded(0, 0, 0))
    others = sorted(w for k, w in course.waited.items() if k not in course.protected)
    return {
        "contacts": len(requested),
        "protected": len(course.protected),
        "entered": len(course.entered),
        "left": len(course.left),
        "managed_min": round(sum(b - a for a, b in zip(course.entered, course.left, strict=False)) / 60, 1),
        "debts": len(course.incurred),
        "paid": sum(map(len, course.paid.values())),
        "paid_twice": sum(len(at) > 1 for at in course.paid.values()),
        "open_debts": len(course.open_debts),
        "overdue": len(course.overdue),
        "longest_debt_min": round(
            max((at[0] - course.incurred[k] for k, at in course.paid.items() if k in course.incurred), default=0) / 60,
            1,
        ),
        "protected_kept_by_bot": len(course.protected & course.incurred.keys()),
        "protected_not_served": len(course.protected - course.accepted.keys()),
        "protected_longest_wait_s": round(max((g.waited_s for g in waits), default=0.0), 1),
        "protected_nearest_bound": {"waited_s": round(tightest.waited_s, 1), "bound_s": round(tightest.bound_s, 1)},
        "protected_beyond_bound": sum(g.waited_s > g.bound_s for g in waits),
        "others_median_wait_s": round(others[len(others) // 2], 1) if others else None,
        "others_longest_wait_s": round(others[-1], 1) if others else None,
        "longest_seat_turn_s": round(course.longest_turn_s, 1),
        "offers_returned": len(course.returned),
        "abandoned": len(course.abandoned),
        "lost": len(requested - course.closed.keys()),
    }


def wrong(row: dict[str, Any]) -> list[str]:
    """What isn't as it should be, in words; empty where all is."""
    told = [
        (row["entered"] != 1, f"managed mode was entered {row['entered']} times, not once"),
        (row["left"] != 1, f"managed mode was left {row['left']} times, not once"),
        (row["debts"] == 0, "no debt was made: the rush was none"),
        (row["open_debts"] > 0, f"{row['open_debts']} debts were not paid"),
        (row["paid_twice"] > 0, f"{row['paid_twice']} debts were paid twice"),
        (row["lost"] > 0, f"{row['lost']} contacts were lost"),
        (row["protected"] == 0, "no protected customer came"),
        (row["protected_kept_by_bot"] > 0, f"the bot kept {row['protected_kept_by_bot']} protected customers"),
        (row["protected_not_served"] > 0, f"no human took {row['protected_not_served']} protected customers"),
        (
            row["protected_beyond_bound"] > 0,
            f"{row['protected_beyond_bound']} protected customers waited beyond the bound",
        ),
    ]
    return [what for is_so, what in told if is_so]
