"""Room on seats: which lines there is room for, and which seat is kept until it has room for who is first."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import islice
from typing import NamedTuple

from services.router.domain.draft import Draft
from services.router.domain.index import Group, Line, lacking
from services.router.domain.persistent import Ordered
from services.router.domain.pool import Place, Profile, Waiting

EPS = 1e-6
"""Weights are sums of decimals."""


class Kept(NamedTuple):
    """A seat with some room left, kept for a contact that needs more of it: nobody behind that contact gets the seat."""

    place: Place
    seat_id: str

    def bars(self, place: Place) -> bool:
        """Whether a contact at the place may not have the seat."""
        return place > self.place


def room_for(draft: Draft) -> tuple[list[Ordered[Place]], Kept | None]:
    """Return the lines of those whom some free seat can serve, and which seat is kept.

    A seat is kept for the first in the queue of those for whom it lacks nothing but room: else the lighter ones behind
    would fill up every seat again and again, and its turn would never come. It is the seat with the most room, so that
    it is the same one until there is enough.
    """
    most = _most(draft.free)
    open_: list[tuple[Line, Ordered[Place]]] = []
    short: list[tuple[Place, Line]] = []
    for key, line in draft.lines.items():
        need, weight = key
        fits = False
        for profile, room in most.items():
            if not lacking(need, profile):
                fits = True
                if room >= weight - EPS:
                    open_.append((key, line))
                    break
        else:
            if fits:
                short.append((line.first, key))
    kept = _kept(draft, sorted(short))
    if kept is not None:
        left = _most(draft.free, kept.seat_id)
        open_ = [(key, line) for key, line in open_ if not kept.bars(line.first) or has_room(left, key)]
    return [line for _, line in open_], kept


def has_room(most: Mapping[Profile, float], line: Line) -> bool:
    """Whether a free seat has the skills and the room for a line. most: profile → the most room that one has."""
    need, weight = line
    return any(room >= weight - EPS and not lacking(need, profile) for profile, room in most.items())


def most_room(draft: Draft) -> Mapping[Profile, float]:
    """Return profile → the most room that one of its free seats has, the seat left out that is kept."""
    _, kept = room_for(draft)
    return _most(draft.free, kept.seat_id if kept is not None else "")


def _most(free: Mapping[Group, Ordered[tuple[int, str]]], but: str = "") -> dict[Profile, float]:
    found: dict[Profile, float] = {}
    for (profile, room), seats in free.items():
        if room > found.get(profile, 0.0) and not (but and len(seats) == 1 and seats.first[1] == but):
            found[profile] = room
    return found


def _kept(draft: Draft, short: Iterable[tuple[Place, Line]]) -> Kept | None:
    for place, (need, weight) in short:
        contact = draft.waiting[place[2]]
        firsts = [
            (-room, *first)
            for (profile, room), seats in draft.free.items()
            if not lacking(need, profile)
            for first in islice((seat for seat in seats if _would(draft, seat[1], contact, weight)), 1)
        ]
        if firsts:
            return Kept(place, min(firsts)[2])
    return None


def _would(draft: Draft, seat_id: str, contact: Waiting, weight: float) -> bool:
    """Whether a seat has room for a contact once it is empty, and didn't decline it."""
    return draft.seats[seat_id].capacity >= weight - EPS and seat_id not in contact.declined_by
