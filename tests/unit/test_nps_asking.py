"""Who is asked when: never twice in the set period, never in quiet hours, and small stores are reached."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

from hypothesis import given, settings
from hypothesis import strategies as st

from services.nps.contacts import Volumes
from services.nps.domain.asking import Plan, chance, drawn, is_quiet, not_quiet
from services.nps.domain.service import Answered, Began, Over, Request, Service, decide, due, tick

AT = datetime(2026, 3, 1, tzinfo=UTC)
ZONE = ZoneInfo("Asia/Shanghai")
STORE = (("region", "华东"), ("store", "s1"), ("touchpoint", "time"))

plans = st.builds(
    Plan,
    every_days=st.integers(1, 120),
    per_store=st.integers(1, 60),
    quiet_from=st.integers(0, 23),
    quiet_until=st.integers(0, 23),
    after_minutes=st.integers(0, 600),
    within_hours=st.integers(1, 60),
)


def passes(state: Service, now: datetime, until: datetime, plan: Plan) -> tuple[Service, list[Request]]:
    """Time alone, up to a moment: ticks come when they are due, or a little later."""
    sent = []
    while (at := due(state)) is not None and at <= until:
        now = max(now, at)
        state, facts = tick(state, now, plan, ZONE)
        sent += [f for f in facts if isinstance(f, Request)]
    return state, sent


@settings(max_examples=200, deadline=None)
@given(
    plans,
    st.lists(
        st.tuples(st.integers(0, 6000), st.integers(0, 300), st.sampled_from(["app", "微信", "phone"]), st.booleans()),
        max_size=40,
    ),
    st.integers(0, 1000),
)
def test_nobody_is_asked_twice_in_the_period_nor_in_quiet_hours_whatever_the_channel(plan, contacts, late) -> None:
    state, sent, answered = Service("c"), [], []
    now = AT
    for n, (hour, minutes, channel, answers) in enumerate(sorted(contacts)):
        begin = AT + timedelta(hours=hour)
        end = begin + timedelta(minutes=minutes)
        state, more = passes(state, now, end, plan)
        sent += more
        # The service may come to its events late.
        now = max(now, end + timedelta(minutes=late))
        for event in (Began(begin, f"k{n}", channel, "zh", "", STORE, 1), Over(end, f"k{n}", abandoned=False)):
            state, facts = decide(state, event, now, plan, ZONE)
            assert not any(isinstance(f, Request) for f in facts)
        if answers:
            answered.append(end)
            state, _ = decide(state, Answered(end, f"theirs{n}", 9, f"k{n}"), now, plan, ZONE)
    _, more = passes(state, now, now + timedelta(days=60), plan)
    sent += more
    moments = sorted(r.at for r in sent)
    period = timedelta(days=plan.every_days)
    assert all(b - a >= period for a, b in pairwise(moments))
    # Who was asked by another system, and answered, isn't asked by ours.
    assert all(r.at - a >= period for r in sent for a in answered if a <= r.waiting.ended_at)
    for r in sent:
        assert not is_quiet(plan, r.at, ZONE)
        assert r.waiting.ended_at + timedelta(minutes=plan.after_minutes) <= r.at
        assert r.at <= r.waiting.ended_at + timedelta(hours=plan.within_hours)
    assert len({r.survey_id for r in sent}) == len(sent)


def test_after_a_contact_its_customer_is_asked_with_the_segments_of_the_contact() -> None:
    plan, end = Plan(), AT + timedelta(hours=3)  # 11 in the morning there
    state, _ = decide(Service("c"), Began(AT, "k", "微信", "zh", "", STORE, 12), AT, plan, ZONE)
    state, _ = decide(state, Over(end, "k", abandoned=False), end, plan, ZONE)
    assert due(state) == end + timedelta(minutes=10)
    state, (asked,) = passes(state, end, end + timedelta(hours=1), plan)
    assert (asked.survey_id, asked.waiting.channel, asked.waiting.segments) == ("nps-k", "微信", STORE)
    assert asked.waiting.chance == 1.0
    assert state.asked_at == asked.at
    # In the evening it waits until nine.
    night = AT + timedelta(hours=14)
    state, _ = decide(Service("d"), Began(AT, "k", "app", "zh", "", STORE, 12), AT, plan, ZONE)
    state, _ = decide(state, Over(night, "k", abandoned=False), night, plan, ZONE)
    _, (asked,) = passes(state, night, night + timedelta(days=1), plan)
    assert asked.at.astimezone(ZONE).hour == 9


def test_who_abandoned_is_not_asked_nor_is_anybody_where_asking_is_off_or_the_volume_is_not_known() -> None:
    for plan, volume, abandoned in ((Plan(), 1, True), (replace(Plan(), asks=False), 1, False), (Plan(), None, False)):
        state, _ = decide(Service("c"), Began(AT, "k", "app", "zh", "", STORE, volume), AT, plan, ZONE)
        state, _ = decide(state, Over(AT, "k", abandoned=abandoned), AT, plan, ZONE)
        assert state.waiting is None


def test_small_stores_are_reached() -> None:
    plan = Plan(per_store=40)
    for volume in (1, 5, 40, 400, 20_000):
        share = chance(plan, volume)
        sent = sum(drawn(f"{volume}/{n}", share) for n in range(volume))
        if volume <= plan.per_store:
            assert sent == volume
        else:
            # 40 on average: six standard deviations to each side.
            assert 40 - 6 * 40**0.5 <= sent <= 40 + 6 * 40**0.5


@given(
    plans, st.datetimes(datetime(2026, 1, 1), datetime(2027, 1, 1)), st.sampled_from(["Asia/Shanghai", "Europe/Berlin"])
)
def test_quiet_hours_end(plan, moment, zone) -> None:
    at, tz = moment.replace(tzinfo=UTC), ZoneInfo(zone)
    later = not_quiet(plan, at, tz)
    assert at <= later <= at + timedelta(hours=25)
    assert not is_quiet(plan, later, tz)


async def test_a_contact_of_no_store_is_asked_as_those_of_a_store_that_has_them_all() -> None:
    class Pool:
        async def fetch(self, _: str, *args: Any) -> list[tuple[str, int]]:
            counted = {"{}": 900, '{"store":"s1"}': 7}
            return [(segment, counted[segment]) for segment in args[-1]]

    volumes = Volumes(Pool(), lambda: AT, ZONE)
    begun = [Began(AT, k, "app", "zh", "", segments) for k, segments in (("a", ()), ("b", (("store", "s1"),)))]
    assert [e.volume for e in await volumes.enrich(begun) if isinstance(e, Began)] == [900, 7]
