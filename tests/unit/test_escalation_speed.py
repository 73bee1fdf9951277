"""What makes a decision quick changes nothing: copies are what `replace` makes; and the bench's customers are open, its records read."""

from collections.abc import Iterator
from dataclasses import FrozenInstanceError, fields, replace
from datetime import timedelta
from itertools import pairwise
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.escalation_floor import NOW, Floor
from bench.escalation_speed import measure
from services.escalation.domain import state as kept
from services.escalation.domain.decide import due, tick
from services.escalation.domain.risk import Ramp, Weights
from services.escalation.domain.state import Customer, changed

KINDS = (kept.Contact, kept.Said, kept.Ticket, kept.OpenCase, kept.Traits, kept.Reach, Customer)


def examples() -> Iterator[Any]:
    floor = Floor(50, histories=50)
    for n in range(50):
        state = floor.state(n)
        yield state
        yield from (*state.contacts, *state.said, *state.tickets, state.traits, state.reach)
        if state.case:
            yield state.case


def test_a_changed_copy_is_what_replace_makes() -> None:
    met = set()
    for one in examples():
        met.add(type(one))
        name = fields(one)[-1].name
        first = fields(one)[0].name
        given_now = {name: getattr(one, name), first: "another" if isinstance(getattr(one, first), str) else True}
        copy = changed(one, **given_now)
        assert copy == replace(one, **given_now) and type(copy) is type(one)
        assert copy != one and msgspec.json.decode(msgspec.json.encode(copy), type=type(one)) == copy
        with pytest.raises(FrozenInstanceError):
            setattr(copy, first, "third")
    assert met >= set(KINDS) - {kept.OpenCase}


def test_a_field_that_is_unknown_is_refused() -> None:
    with pytest.raises(AttributeError, match="nothing"):
        changed(Customer("hu"), nothing=1)


@given(st.floats(-10, 200), st.floats(-10, 200), st.sampled_from([f.name for f in fields(Weights)]))
def test_a_ramp_never_falls_and_stays_within_its_most(one: float, other: float, name: str) -> None:
    ramp = getattr(Weights(), name)
    if isinstance(ramp, Ramp):
        low, high = sorted((ramp(min(one, other)), ramp(max(one, other))))
        assert (low, high) == (ramp(min(one, other)), ramp(max(one, other)))
        assert 0 <= low <= high <= ramp.most
        assert ramp(ramp.low) == 0 and ramp(ramp.high) == ramp.most


def test_the_floors_customers_are_open_and_time_goes_on() -> None:
    floor = Floor(500, histories=40)
    for n in range(40):
        state = floor.state(n)
        assert state.customer_id == floor.name(n) and state.contacts
        assert due(state) is not None
        assert any(c.over_at is None for c in state.contacts)
    records = floor.records(200)
    assert len({r.key for r in records}) > 50
    assert len({dict(r.headers)["ce_id"] for r in records}) == 200
    assert all(a.offset < b.offset for a, b in pairwise(records))


def test_the_bench_decides_what_the_service_decides() -> None:
    found = measure(Floor(1000, histories=20), count=300, rounds=1, sample=20)
    assert [row.events for row in found["rows"]] == [300, 300, 300]
    assert all(row.us > 0 for row in found["rows"])
    quiet = found["silence"]
    # A customer who waits is looked at every ten minutes of the first hour, and again as evidence grows old.
    assert quiet.ticks > quiet.first_hour > 0
    assert 0 < quiet.core < quiet.core_first_hour


def test_silence_ends_with_nothing_kept() -> None:
    state = Floor(20, histories=20).state(3)
    for _ in range(60):
        at = due(state)
        if at is None:
            break
        state, _ = tick(state, max(at, NOW) + timedelta(seconds=1))
    assert due(state) is None and state.risk == 0 and not state.contacts
