"""A pool being changed by one decision: every change goes this way, and keeps what follows from it right."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, TypeVar

from services.router.domain.copying import changed
from services.router.domain.index import (
    Index,
    build,
    debt_timers,
    group_of,
    line_of,
    need_of,
    seat_timers,
    timers_of,
)
from services.router.domain.persistent import Latest, Ordered, PMap
from services.router.domain.policy import Terms
from services.router.domain.pool import (
    CLOSED_KEPT,
    HAND_S,
    READY,
    Debt,
    Offer,
    Parked,
    Place,
    Pool,
    Seat,
    Service,
    Tally,
    Waiting,
    micros,
    place_of,
    profile_of,
    standing,
)

PACE_HALF_S = 600.0
"""Seconds of queueing in which what is known of the pace counts half."""
LAST_SEATS_KEPT = 5_000
GONE_KEPT = 20_000
"""Contacts given to other pools that are remembered: of more, the half that went first is forgotten."""
MAPS = ("seats", "waiting", "offers", "serving", "debts", "parked", "last_seats", "gone_to")
"""The parts of a pool that are shared between its versions."""

K = TypeVar("K")


def live(pool: Pool) -> Pool:
    """Return the pool as decisions work on it: shared maps, and an index. Places of a stored state are computed anew."""
    if pool.index is not None:
        return pool
    weight = pool.terms.weight
    waiting = {}
    for key, contact in pool.waiting.items():
        place = place_of(pool.terms, contact.priority, contact.queued_at, key)
        waiting[key] = changed(contact, place=place, need=need_of(contact.skills, contact.language))
    held: dict[str, float] = {key: offer.contact.weight for key, offer in pool.offers.items()}
    held |= {key: service.weight for key, service in pool.serving.items()}
    seats = {}
    for key, seat in pool.seats.items():
        used = round(sum((held.get(k, weight("")) for k in seat.holds), 0.0), 6)
        rank = seat.rank_us or micros(seat.idle_since) + round(1e6 * HAND_S * used)
        seats[key] = changed(seat, used=used, rank_us=rank, profile=profile_of(seat.languages, seat.skills))
    made = changed(
        pool,
        seats=PMap(seats),
        waiting=PMap(waiting),
        offers=PMap(pool.offers),
        serving=PMap(pool.serving),
        early=dict(pool.early),
        debts=PMap(pool.debts),
        parked=PMap(pool.parked),
        last_seats=PMap(pool.last_seats),
        gone_to=PMap(pool.gone_to),
        closed=Latest(pool.closed, most=CLOSED_KEPT),
        tally=pool.tally or Tally(arrived=standing(pool)["arrived"]),
    )
    return changed(made, index=build(made))


def stored(pool: Pool) -> Pool:
    """Return the pool as it is stored: plain maps and sequences, no index."""
    plain = {name: dict(getattr(pool, name)) for name in MAPS}
    return changed(pool, index=None, closed=tuple(pool.closed), **plain)


class Draft:
    """Every part is what it was until it is changed, and what it was is never changed."""

    def __init__(self, pool: Pool, now: datetime, *, record: bool = True) -> None:
        """Begin with the pool as it is. record: facts say who else was considered, and waits are foretold."""
        was = live(pool)
        self.now = now
        self.record = record
        self.pool = was.pool
        self.terms = was.terms
        self.seats: PMap[Seat] = was.seats  # type: ignore[assignment]
        self.waiting: PMap[Waiting] = was.waiting  # type: ignore[assignment]
        self.offers: PMap[Offer] = was.offers  # type: ignore[assignment]
        self.serving: PMap[Service] = was.serving  # type: ignore[assignment]
        self.debts: PMap[Debt] = was.debts  # type: ignore[assignment]
        self.parked: PMap[Parked] = was.parked  # type: ignore[assignment]
        self.last_seats: PMap[tuple[str, datetime]] = was.last_seats  # type: ignore[assignment]
        self.early = was.early
        self.gone_to: PMap[tuple[str, datetime]] = was.gone_to  # type: ignore[assignment]
        self.closed: Any = was.closed  # a Latest
        self.gather_until = was.gather_until
        self.touched: set[str] = set()
        """Seats that this decision changed."""
        self.token = was.token
        self.mode = was.mode
        self.pace = was.pace
        self.tally = was.tally or Tally()
        index: Index = was.index
        self.lines = index.lines
        self.free = index.free
        self.ready = index.ready
        self.timers = index.timers
        self.held = index.held
        self.called = index.called
        self.names = index.names
        self.queue = index.queue
        self.stands = index.stands

    # -- seats ----------------------------------------------------------------------------------------------------

    def put_seat(self, seat: Seat) -> None:
        """Set a seat as it is now; its rank follows."""
        self.touched.add(seat.seat_id)
        terms = self.terms
        used = round(sum(self._weight(contact_id) for contact_id in seat.holds), 6) if seat.holds else 0.0
        bears = terms.load_s * seat.anger_now(self.now)
        rank = micros(seat.idle_since) + round(1e6 * (HAND_S * used + bears))
        if (used, rank) != (seat.used, seat.rank_us):
            seat = changed(seat, used=used, rank_us=rank)
        before = self.seats.get(seat.seat_id)
        if before is None:
            self.names = self.names.add((seat.seat_id,))
        else:
            self._unlist(before)
        self._count_ready(before, seat)
        self.seats = self.seats.put(seat.seat_id, seat)
        group = group_of(seat)
        if group is not None:
            self.free = _grown(self.free, group, (seat.rank_us, seat.seat_id))
        for timer in seat_timers(seat):
            self.timers = self.timers.add(timer)

    def drop_seat(self, seat_id: str) -> None:
        """Remove a seat."""
        self.touched.add(seat_id)
        self._unlist(self.seats[seat_id])
        self._count_ready(self.seats[seat_id], None)
        self.names = self.names.remove((seat_id,))
        self.seats = self.seats.drop(seat_id)

    def _unlist(self, seat: Seat) -> None:
        group = group_of(seat)
        if group is not None:
            self.free = _shrunk(self.free, group, (seat.rank_us, seat.seat_id))
        for timer in seat_timers(seat):
            self.timers = self.timers.remove(timer)

    def _count_ready(self, before: Seat | None, seat: Seat | None) -> None:
        was = before.profile if before is not None and before.state is READY else None
        now = seat.profile if seat is not None and seat.state is READY else None
        if was == now:
            return
        ready = dict(self.ready)
        if was is not None:
            ready[was] -= 1
            if not ready[was]:
                del ready[was]
        if now is not None:
            ready[now] = ready.get(now, 0) + 1
        self.ready, self.stands = ready, {}

    def _weight(self, contact_id: str) -> float:
        service = self.serving.get(contact_id)
        if service is not None:
            return float(service.weight)
        offer = self.offers.get(contact_id)
        return float(offer.contact.weight) if offer is not None else 0.0

    @property
    def ready_seats(self) -> int:
        """How many seats are ready, free or not."""
        return sum(self.ready.values())

    # -- contacts that wait ---------------------------------------------------------------------------------------

    def enqueue(self, contact: Waiting) -> None:
        """Let a contact wait, at the place that its priority and its waiting give it."""
        place = place_of(self.terms, contact.priority, contact.queued_at, contact.contact_id)
        if place != contact.place:
            contact = changed(contact, place=place)
        self.waiting = self.waiting.put(contact.contact_id, contact)
        self.lines = _grown(self.lines, line_of(contact), place)
        self.queue = self.queue.add(place)
        for timer in timers_of(self.terms, contact):
            self.timers = self.timers.add(timer)
        if self.pace.at is None:
            self.pace = changed(self.pace, at=self.now)

    def dequeue(self, contact_id: str) -> Waiting:
        """Take a contact out of the queue."""
        contact = self.waiting[contact_id]
        self.lines = _shrunk(self.lines, line_of(contact), contact.place)
        self.queue = self.queue.remove(contact.place)
        self.waiting = self.waiting.drop(contact_id)
        for timer in timers_of(self.terms, contact):
            self.timers = self.timers.remove(timer)
        return contact

    def park(self, contact: Waiting, why: str, until: datetime, held_until: datetime | None = None) -> None:
        """Let a contact keep its place, and offer it to nobody for now."""
        self.parked = self.parked.put(contact.contact_id, Parked(contact, why, until, held_until))
        self.timers = self.timers.add((micros(until), "parked", contact.contact_id))

    def unpark(self, contact_id: str) -> Waiting:
        """Take a contact out of where it was parked."""
        parked = self.parked[contact_id]
        self.parked = self.parked.drop(contact_id)
        self.timers = self.timers.remove((micros(parked.until), "parked", contact_id))
        return parked.contact

    def first(self, n: int) -> list[str]:
        """Return the first n of the queue, over all needs."""
        return [place[2] for place in self.queue.head(n)]

    def ahead_of(self, place: Place) -> int:
        """Return how many wait before a place."""
        return self.queue.rank(place)

    def left_queue(self) -> None:
        """Count one who no longer waits, for the pace; call it when the contact has gone."""
        pace = self.pace
        passed = (self.now - pace.at).total_seconds() if pace.at is not None else 0.0
        fade = 0.5 ** (max(0.0, passed) / PACE_HALF_S)
        some = len(self.waiting) or len(self.offers) or len(self.parked)
        self.pace = changed(
            pace,
            exits=pace.exits * fade + 1,
            busy_s=pace.busy_s * fade + max(0.0, passed),
            at=self.now if some else None,
        )

    # -- offers, services -----------------------------------------------------------------------------------------

    def put_offer(self, offer: Offer) -> None:
        """Set an offer; the seat is told by `put_seat`."""
        self.offers = self.offers.put(offer.contact.contact_id, offer)
        self.timers = self.timers.add((micros(offer.expires_at), "offer", offer.contact.contact_id))

    def drop_offer(self, contact_id: str) -> None:
        """Remove an offer."""
        offer = self.offers[contact_id]
        self.offers = self.offers.drop(contact_id)
        self.timers = self.timers.remove((micros(offer.expires_at), "offer", contact_id))

    def put_service(self, service: Service) -> None:
        """Set a service."""
        self.serving = self.serving.put(service.contact_id, service)

    def drop_service(self, contact_id: str) -> None:
        """Remove a service."""
        self.serving = self.serving.drop(contact_id)

    # -- debts ----------------------------------------------------------------------------------------------------

    def put_debt(self, debt: Debt) -> None:
        """Set a debt as it is now."""
        contact_id = debt.contact.contact_id
        self._unlist_debt(self.debts.get(contact_id))
        self.debts = self.debts.put(contact_id, debt)
        for timer in debt_timers(self.terms, debt):
            self.timers = self.timers.add(timer)
        if debt.called_at is None:
            self.held = _grown(self.held, line_of(debt.contact), (micros(debt.contact.queued_at), contact_id))
        elif debt.kind == "managed":
            self.called |= {contact_id}

    def drop_debt(self, contact_id: str) -> None:
        """Remove a debt."""
        self._unlist_debt(self.debts.get(contact_id))
        self.debts = self.debts.drop(contact_id)

    def _unlist_debt(self, debt: Debt | None) -> None:
        if debt is None:
            return
        contact_id = debt.contact.contact_id
        for timer in debt_timers(self.terms, debt):
            self.timers = self.timers.remove(timer)
        if debt.called_at is None:
            self.held = _shrunk(self.held, line_of(debt.contact), (micros(debt.contact.queued_at), contact_id))
        self.called -= {contact_id}

    @property
    def owed(self) -> int:
        """How many debts the bot keeps the line for."""
        return sum(len(line) for line in self.held.values())

    # -- the rest -------------------------------------------------------------------------------------------------

    def close(self, contact_id: str) -> None:
        """Remember that a contact is over here."""
        self.closed = self.closed.add(contact_id)

    def count(self, what: str) -> None:
        """Count a contact that came, or is over here."""
        self.tally = changed(self.tally, **{what: getattr(self.tally, what) + 1})

    def forward(self, contact_id: str, pool: str) -> None:
        """Remember the pool to which a contact went, for what is still said of it here."""
        if len(self.gone_to) >= GONE_KEPT and contact_id not in self.gone_to:
            self.gone_to = _later_half(self.gone_to)
        self.gone_to = self.gone_to.put(contact_id, (pool, self.now))

    def went_to(self, contact_id: str) -> str:
        """The pool to which a contact went; empty where it went to none, or so long ago that it is forgotten."""
        pool, _ = self.gone_to.get(contact_id) or ("", self.now)
        return pool

    def remember_seat(self, customer_id: str, seat_id: str) -> None:
        """Remember who served a customer, as long as that counts."""
        if self.terms.last_seat_s <= 0:
            return
        if len(self.last_seats) >= LAST_SEATS_KEPT and customer_id not in self.last_seats:
            self.last_seats = _later_half(self.last_seats)
        until = self.now + timedelta(seconds=self.terms.last_seat_s)
        self.last_seats = self.last_seats.put(customer_id, (seat_id, until))

    def under(self, terms: Terms) -> None:
        """Take on the pool's terms; where they changed, what follows from them is computed anew."""
        if terms is self.terms:
            return
        if terms == self.terms:
            self.terms = terms  # the same to look at from now on
            return
        before, self.terms = self.terms, terms
        if changed(before, version="") == changed(terms, version=""):
            return
        again = live(stored(self.freeze()))
        index: Index = again.index
        self.waiting, self.seats = again.waiting, again.seats  # type: ignore[assignment]
        self.lines, self.free, self.ready, self.timers = index.lines, index.free, index.ready, index.timers
        self.queue, self.stands, self.held = index.queue, index.stands, index.held

    def freeze(self) -> Pool:
        """Return the pool as it is now."""
        index = Index(
            self.lines, self.free, self.ready, self.timers, self.held, self.called, self.names, self.queue, self.stands
        )
        return Pool(
            self.pool, self.terms, self.seats, self.waiting, self.offers, self.serving, self.token, self.closed,
            self.early, self.debts, self.parked, self.mode, self.pace, self.tally, self.last_seats, self.gone_to,
            self.gather_until, index,
        )  # fmt: skip


def _later_half(known: PMap[tuple[str, datetime]]) -> PMap[tuple[str, datetime]]:
    """Of what is known by time, the later half."""
    return PMap(dict(sorted(known.items(), key=lambda item: (item[1][1], item[0]))[-(len(known) // 2) :]))


def _grown(
    lines: Mapping[K, Ordered[tuple[Any, ...]]], key: K, item: tuple[Any, ...]
) -> Mapping[K, Ordered[tuple[Any, ...]]]:
    line = lines.get(key)
    return {**lines, key: line.add(item) if line is not None else Ordered((item,))}


def _shrunk(
    lines: Mapping[K, Ordered[tuple[Any, ...]]], key: K, item: tuple[Any, ...]
) -> Mapping[K, Ordered[tuple[Any, ...]]]:
    line = lines.get(key)
    if line is None:
        return lines
    left = line.remove(item)
    changed = {**lines, key: left}
    if not len(left):
        del changed[key]
    return changed
