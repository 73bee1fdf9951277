"""The live view: records in, rows out, in bounded memory, whatever the order of the topics."""

import asyncio
import itertools
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from google.protobuf.message import Message
from hypothesis import given
from hypothesis import strategies as st
from touchline.contact.v1 import events_pb2 as contact
from touchline.escalation.v1 import escalation_pb2 as escalation
from touchline.nps.v1 import nps_pb2 as nps
from touchline.router.v1 import events_pb2 as router
from touchline.seat.v1 import events_pb2 as seat
from touchline.sentiment.v1 import sentiment_pb2 as sentiment
from touchline.survey.v1 import events_pb2 as survey

from services.gateway.live import hub
from services.gateway.live.journeys import Journeys, Kept
from services.gateway.live.metrics import MetricBoard
from services.gateway.live.steps import _TELLERS, FIGURES, tell
from services.gateway.live.view import LiveView
from services.runtime import catalogue, records
from services.runtime.records import Record

T0 = datetime(2026, 11, 1, 9, tzinfo=UTC)
TRACE = "00-" + "a" * 32 + "-" + "b" * 16 + "-01"
NEVER_TOLD = {  # seats' events belong to no customer; counters and commands to no story
    "touchline.metrics.CounterChanged.v1",
    "touchline.nps.NpsShifted.v1",  # of a segment, as are actions
    "touchline.nps.ActionPromised.v1",
    "touchline.nps.ActionDone.v1",
    "touchline.nps.ActionDropped.v1",
    "touchline.nps.SegmentOwned.v1",
    "touchline.nps.SurveyRequested.v1",  # for channels; the answer is the step
    "touchline.escalation.FollowUpCloseRequested.v1",
    "touchline.escalation.FollowUpClaimRequested.v1",
    "touchline.escalation.FollowUpReleaseRequested.v1",
    "touchline.escalation.CaseChanged.v1",
    "touchline.escalation.CauseReported.v1",
    "touchline.escalation.CauseHeated.v1",
    "touchline.router.ContactWithdrawn.v1",
    "touchline.sentiment.AngerAbsorbed.v1",
    "touchline.router.ContactLine.v1",
    "touchline.router.TurnPassed.v1",
    "touchline.router.ManagedModeEntered.v1",
    "touchline.router.ManagedModeLeft.v1",
    "touchline.router.ModeRequested.v1",
    "touchline.router.AssignmentRequested.v1",
    "touchline.router.DrainRequested.v1",
    "touchline.router.SupervisorActed.v1",
}
count = itertools.count()


def record(message: Message, customer: str = "hu", at: int = 0, traceparent: str = "") -> Record:
    out = records.write(
        message,
        event_id=str(next(count)),
        source="t",
        subject=customer,
        time=T0 + timedelta(seconds=at),
        traceparent=traceparent,
    )
    return Record(out.topic, 0, 0, out.key, out.value, out.headers)


def rows(view: LiveView, kind: str) -> list[dict[str, Any]]:
    return [row for name, row in view.snapshot() if name == kind]


def story(c: str = "c1") -> list[Message]:
    """A contact's way through a pool, as its topics tell it."""
    common: dict[str, Any] = {"contact_id": c, "customer_id": "hu", "pool": "repair"}
    return [
        router.ContactTriaged(**common, priority=3, rule="mood", inputs=router.TriageInputs(channel="web", mood=-0.2)),
        router.ContactQueued(**common, queued_at=T0),
        router.ContactOffered(**common, seat_id="s1", token=1, queued_at=T0),
        router.OfferReturned(**common, seat_id="s1", token=1, reason="declined"),
        router.ContactOffered(**common, seat_id="s2", token=2, queued_at=T0),
        router.ContactAccepted(**common, seat_id="s2", token=2, waited_ms=9000),
        router.ContactClosed(**common, seat_id="s2", outcome=router.OUTCOME_HUMAN, waited_ms=9000),
    ]


def test_what_is_published_again_behind_newer_facts_changes_nothing() -> None:
    view = LiveView()
    told = [record(message) for message in story()]
    for one in told:
        view.apply(one)
    before = view.snapshot()
    view.take_changes()
    for one in told:
        view.apply(one)
    assert view.snapshot() == before and view.take_changes() == []


def test_a_contacts_states() -> None:
    view, seen = LiveView(), []
    for message in story():
        view.apply(record(message, traceparent=TRACE))
        (row,) = rows(view, "contact")
        (pool,) = rows(view, "pool") or [{}]
        seen.append((row["state"], row["seat_id"], pool.get("waiting"), pool.get("offered"), pool.get("in_service")))
    assert seen == [
        ("queued", None, None, None, None),
        ("queued", None, 1, 0, 0),
        ("offered", "s1", 0, 1, 0),
        ("queued", None, 1, 0, 0),
        ("offered", "s2", 0, 1, 0),
        ("in_service", "s2", 0, 0, 1),
        ("served_by_human", "s2", 0, 0, 0),
    ]
    assert (row["trace_id"], row["waited_s"], row["mood"], row["rule"]) == ("a" * 32, 9.0, -0.2, "mood")


@pytest.mark.parametrize("place", [0, 1])
def test_a_mood_is_kept_whether_it_comes_before_its_contact_or_after(place: int) -> None:
    """Sentiment and routing are not ordered with each other either."""
    view = LiveView()
    messages = story()[:1]
    messages.insert(place, sentiment.MessageScored(contact_id="c1", customer_id="hu", contact_mood=-0.6))
    for message in messages:
        view.apply(record(message))
    assert rows(view, "contact")[0]["mood"] == pytest.approx(-0.6)


@given(st.integers(0, 6), st.integers(1, 7))
def test_a_pool_holds_no_contact_that_is_over_whenever_its_queueing_is_heard_of(place: int, upto: int) -> None:
    """pool.events and routing.decided are not ordered with each other."""
    messages = story()
    queued = messages.pop(1)
    messages = messages[:upto]
    messages.insert(min(place, len(messages)), queued)
    view = LiveView()
    for message in messages:
        view.apply(record(message))
    (pool,) = rows(view, "pool")
    closed = any(isinstance(m, router.ContactClosed) for m in messages)
    assert pool["waiting"] + pool["offered"] + pool["in_service"] == (0 if closed else 1)


def test_a_stale_return_changes_nothing() -> None:
    view = LiveView()
    for message in [*story()[:5], story()[3]]:
        view.apply(record(message))
    assert rows(view, "contact")[0]["state"] == "offered"


def test_who_waits_on_after_an_offer_has_waited_all_the_while() -> None:
    view = LiveView()
    common: dict[str, Any] = {"contact_id": "c1", "customer_id": "hu", "pool": "repair", "seat_id": "s1", "token": 1}
    view.apply(record(story()[1]))
    view.apply(record(router.ContactOffered(**common, queued_at=T0, offered_at=T0 + timedelta(minutes=19))))
    view.apply(record(router.OfferReturned(**common, reason="timeout", returned_at=T0 + timedelta(minutes=20))))
    (pool,) = rows(view, "pool")
    assert (pool["waiting"], pool["oldest_queued_at"]) == (1, "2026-11-01T09:00:00Z")


def test_a_bots_contact_is_in_no_pool_and_may_be_handed_over() -> None:
    view = LiveView()
    view.apply(record(router.ContactTriaged(contact_id="c1", customer_id="hu", pool="bot", rule="default")))
    assert rows(view, "contact")[0]["state"] == "bot"
    for message in story()[:2]:
        view.apply(record(message))
    assert (rows(view, "contact")[0]["state"], rows(view, "pool")[0]["waiting"]) == ("queued", 1)


def test_seats_are_those_that_the_router_has_whatever_their_events_say() -> None:
    view = LiveView()
    for message in (seat.SeatSignedIn(pool="p", seat_id="a"), seat.SeatResumed(pool="p", seat_id="never signed in")):
        view.apply(record(message))
    (pool,) = rows(view, "pool")
    assert (pool["seats_ready"], pool["seats_total"]) == (None, None), "nobody has told yet"
    view.seats("p", (1, 2))
    (pool,) = rows(view, "pool")
    assert (pool["seats_ready"], pool["seats_total"]) == (1, 2)
    assert [row for _, row in view.take_changes()] == [pool]
    view.seats("p", (1, 2))
    assert view.take_changes() == [], "what is known is not told again"


async def test_the_router_is_asked_for_the_seats_while_somebody_watches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub, "SEATS_S", 0.001)
    asked: list[str] = []

    async def count(pool: str) -> tuple[int, int] | None:
        asked.append(pool)
        return None if len(asked) == 2 else (0, 0) if len(asked) > 2 else (1, 1)

    async def status() -> dict[str, Any]:
        return {}

    async def seen(total: int) -> None:
        async with asyncio.timeout(5):
            while rows(made.view, "pool")[0]["seats_total"] != total:  # noqa: ASYNC110 (the view has no event for it)
                await asyncio.sleep(0.001)

    made = hub.Hub(LiveView(), status, count)
    made.view.apply(record(seat.SeatSignedIn(pool="p", seat_id="a")))
    asking = asyncio.create_task(made.ask_seats())
    try:
        await asyncio.sleep(0.02)
        assert asked == [], "nobody watches"
        made.watch()
        await seen(1)
        await seen(0)  # drained: no event of the seat tells it
        assert set(asked) == {"p"}
    finally:
        asking.cancel()


def test_flags() -> None:
    view = LiveView()
    flagged = escalation.ComplaintFlagged(
        follow_up_id="f", customer_id="hu", risk=0.8, reasons=[escalation.Reason(code="waiting", weight=0.5, value=90)]
    )
    view.apply(record(flagged, traceparent=TRACE))
    view.apply(record(escalation.FollowUpOverdue(follow_up_id="f", customer_id="hu")))
    view.apply(record(escalation.FollowUpClosed(follow_up_id="f", customer_id="hu", outcome="contacted")))
    (flag,) = rows(view, "flag")
    assert (flag["overdue"], flag["outcome"], flag["contact_id"], flag["trace_id"]) == (
        True,
        "contacted",
        None,
        "a" * 32,
    )
    assert flag["reasons"] == [{"code": "waiting", "weight": 0.5, "value": 90.0}]


def test_changes_are_taken_once_each_as_they_stand() -> None:
    view = LiveView()
    for message in story():
        view.apply(record(message))
    changes = view.take_changes()
    assert sorted(kind for kind, _ in changes) == ["contact", "pool"]
    assert view.take_changes() == []


UNWRITABLE = (rb'"\ud800"', b"NaN", b"9" * 5000)


def test_rubbish_changes_nothing() -> None:
    view = LiveView()
    good = record(story()[0])
    for bad in (
        Record("routing.decided", 0, 0, None, None, ()),
        Record("routing.decided", 0, 0, b"\xff", b"\xff", good.headers),
        Record("routing.decided", 0, 0, b"hu", b"\xff\xff", good.headers),
        Record("routing.decided", 0, 0, b"hu", b"", [("ce_type", b"\xff")]),
        *(
            Record("metrics.nps", 0, 0, b"k", value, ())
            for value in (None, b"", b"{", b"[]", b"{}", b'{"segment": {}}')
        ),
        # What can be read but not written again would end the stream, and the gateway with it.
        *(Record("metrics.nps", 0, 0, b"k", metric(1, 1).replace(b'"n": 1', b'"n": ' + n), ()) for n in UNWRITABLE),
    ):
        view.apply(bad)
    assert view.snapshot() == []


def test_memory_stays_bounded() -> None:
    view = LiveView()
    for n in range(1000):
        view.apply(record(router.ContactTriaged(contact_id=f"c{n}", customer_id="hu", pool="bot")))
        view.apply(record(escalation.ComplaintFlagged(follow_up_id=f"f{n}", customer_id="hu")))
    assert [r["contact_id"] for r in rows(view, "contact")] == [f"c{n}" for n in range(700, 1000)]
    assert [r["follow_up_id"] for r in rows(view, "flag")] == [f"f{n}" for n in range(800, 1000)]
    told = view.journeys.tell("hu")
    assert told is not None and len(told["steps"]) == 200


def metric(minute: int, n: int, segment: str = "华东") -> bytes:
    value = {
        "metric": "nps",
        "segment": {"region": segment},
        "window": "PT1M",
        "start": f"2026-11-01T{minute // 60:02}:{minute % 60:02}:00Z",
    }
    return json.dumps({**value, "counts": {"promoters": n}, "n": n}).encode()


@given(st.lists(st.integers(0, 200), min_size=1, max_size=300))
def test_metric_rows_stand_as_last_told_and_the_latest_windows_are_kept(minutes: list[int]) -> None:
    board = MetricBoard(20)
    last = {}
    for n, minute in enumerate(minutes):
        assert board.put("metrics.nps", metric(minute, n)) is not None
        last[f"2026-11-01T{minute // 60:02}:{minute % 60:02}:00Z"] = n
    got = {row["start"]: row["n"] for row in board.rows()}
    assert len(got) <= 22
    assert all(last[start] == n for start, n in got.items())
    if len(last) <= 20:
        assert got == last


def test_a_story_is_told_oldest_first_and_once() -> None:
    view = LiveView()
    said = record(contact.MessageReceived(contact_id="c1", speaker=contact.SPEAKER_CUSTOMER, text="还是不制冷"), at=5)
    for one in (
        record(
            sentiment.MessageScored(
                customer_id="hu",
                contact_id="c1",
                customer_mood=-0.4,
                score=sentiment.Score(polarity=-0.8, label=sentiment.LABEL_NEGATIVE),
            ),
            at=6,
        ),
        said,
        said,
        record(contact.ContactRequested(contact_id="c1", channel="web"), at=1),
        record(survey.SurveyAnswered(survey_id="s", score=3, comment="不满意"), at=90),
        record(nps.NpsChanged(customer_id="hu", survey_id="s", after=3), at=91),
        record(router.ContactQueued(contact_id="c1", customer_id="hu", pool="repair"), at=3),
        record(escalation.ComplaintFlagged(follow_up_id="f", customer_id="hu", risk=0.9), at=92),
    ):
        view.apply(one)
    told = view.journeys.tell("hu")
    assert told is not None
    assert [s["kind"] for s in told["steps"]] == ["requested", "queued", "said", "scored", "survey", "flagged"]
    assert (told["mood"], told["nps"], told["risk"]) == (-0.4, 3, 0.9)
    assert told["steps"][3]["polarity"] == -0.8
    assert told["steps"][0]["names"] == (("channel", "web"), ("touch", ""))
    assert told["steps"][1]["names"] == (("pool", "repair"),)
    assert [s["label"] for s in told["steps"]] == [None, None, None, "negative", None, None]
    assert [s["speaker"] for s in told["steps"]] == [None, None, "customer", None, None, None]
    # What the request told holds for all of its contact, and for nothing else.
    assert [s["channel"] for s in told["steps"]] == ["web"] * 4 + [None] * 2
    assert view.journeys.tell("nobody") is None


def test_a_handover_is_a_step_of_its_own_and_steps_know_their_touchpoint() -> None:
    view = LiveView()
    for at, message in enumerate((
        contact.ContactRequested(contact_id="c1", channel="app", touchpoint="after_sales.repair"),
        contact.MessageReceived(contact_id="c1", speaker=contact.SPEAKER_BOT, text="您好"),
        contact.HandoverRequested(contact_id="c1", reason="mood"),
        contact.MessageReceived(contact_id="c1", speaker=contact.SPEAKER_SEAT, text="我来帮您"),
    )):  # fmt: skip
        view.apply(record(message, at=at))
    told = view.journeys.tell("hu")
    assert told is not None
    assert [(s["kind"], s["speaker"]) for s in told["steps"]] == [
        ("requested", None), ("said", "bot"), ("handover", None), ("said", "seat")
    ]  # fmt: skip
    assert {(s["channel"], s["touchpoint"]) for s in told["steps"]} == {("app", "after_sales.repair")}


def test_stories_are_bounded_by_customers_and_by_weight() -> None:
    def kept(n: int) -> Kept:
        return Kept(
            ("t", str(n)),
            "touchline.contact.ContactAbandoned.v1",
            T0.isoformat(),
            "application/protobuf",
            b"x" * 600,
            "",
        )

    few = Journeys(customers=10)
    light = Journeys(weight=10_000)
    for n in range(1000):
        few.add(f"c{n % 50}", kept(n))
        light.add(f"c{n % 50}", kept(n))
    assert sum(few.tell(f"c{n}") is not None for n in range(50)) == 10
    assert sum(light.tell(f"c{n}") is not None for n in range(50)) <= 10
    assert light._weight == sum(e.weight for s in light._stories.values() for e in s.events) <= 10_000


@pytest.mark.parametrize(
    "event",
    [e for e in catalogue.by_name().values() if not e.name.startswith("touchline.seat.") and e.name not in NEVER_TOLD],
)
def test_every_customer_event_tells_a_step_in_both_languages(event: catalogue.EventType) -> None:
    if event.message in FIGURES:
        assert tell(event.message()) is None
        return
    assert event.message in _TELLERS
    step = tell(event.message())
    assert step is not None and step.zh and step.en
