"""Drivers from the boards in memory: the same counts as from the answers, whatever came in which order."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import permutations
from pathlib import Path

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from msgspec.json import encode
from touchline.sentiment.v1 import sentiment_pb2

from services.nps import codec, driving
from services.nps.domain.board import Board, hour_number
from services.nps.domain.figures import GROUP_INDEX
from services.nps.domain.live import Hours, weeks
from services.nps.domain.matters import Matters, about, begin
from services.nps.domain.remarks import COMPLAINS, CommentRead, Named, Remark, marks
from services.nps.domain.repeats import Contact, chain
from services.nps.domain.replies import Reply, count, strata_of
from services.nps.domain.span import span_of
from services.nps.domain.survey import (
    CommentKept,
    CustomerSurveys,
    RemarkCounted,
    SurveyAnswered,
    SurveyCorrected,
    SurveyRetracted,
    decide,
)
from services.runtime.records import Incoming, timestamp

SCHEMAS = Path(__file__).resolve().parents[2] / "docs/schemas"
MONDAY = datetime(2026, 11, 16, tzinfo=UTC)
STAGES = ("delivery.time", "goods.quality", "aftersales.refund")
replies = st.builds(
    Reply,
    st.just("s"),
    st.integers(-24 * 7, 24 * 7 - 1).map(lambda h: MONDAY + timedelta(hours=h)),
    st.integers(0, 10),
    st.fixed_dictionaries(
        {}, optional={"region": st.sampled_from("ab"), "channel": st.sampled_from("xy"), "store": st.sampled_from("12")}
    ).map(lambda d: tuple(sorted(d.items()))),
    st.sampled_from(["none", "unread", "other"]),
)


@st.composite
def told(draw) -> Reply:
    found = draw(replies)
    complains = tuple(draw(st.sets(st.sampled_from(STAGES))))
    praises = tuple(s for s in draw(st.sets(st.sampled_from(STAGES))) if s not in complains)
    return replace(found, reading="staged", complains=complains, praises=praises) if complains or praises else found


class Feed:
    """Boards as the service's feed fills them."""

    def __init__(self, given: list[Reply]) -> None:
        self.answers, self.remarks, self.matters = Board(3), Board(3), Board(3)
        slot = 0
        for n, r in enumerate(given):
            self.answers.put(n, r.time, r.segments, GROUP_INDEX[r.score])
            if r.reading == "none":
                continue
            named = (*(Named(s, True) for s in r.complains), *(Named(s, False) for s in r.praises))
            for mark in marks(Remark(r.time, "e", "s", r.reading, "zh", named)):
                slot += 1
                self.remarks.put(slot, r.time, (*r.segments, mark), GROUP_INDEX[r.score])


@given(st.lists(told(), max_size=40), st.sampled_from([{}, {"region": "a"}, {"region": "a", "store": "1"}]))
@settings(max_examples=60, deadline=None)
def test_weeks_of_the_boards_are_those_of_the_answers(given_: list[Reply], where: dict[str, str]) -> None:
    feed = Feed(given_)
    at = hour_number(MONDAY)
    spans = [Hours(at, at + 168), Hours(at - 168, at)]
    found = weeks(feed.answers, feed.remarks, spans, where, ("region", "channel"), "store")
    mine = [r for r in given_ if where.items() <= dict(r.segments).items()]
    # A dimension that no answer has is none of the strata; where it is there, all of them have it, if only as "".
    known = [d for d in ("region", "channel") if any(d in dict(r.segments) for r in given_)]
    strata = strata_of(mine, known)
    for week, span in zip(found, spans, strict=True):
        inside = [r for r in mine if span.first <= hour_number(r.time) < span.last]
        wanted = count(inside, ("store",), strata, known)
        assert (week.all, week.by, week.complaints, week.complaints_at) == (
            wanted.all, wanted.by, wanted.complaints, wanted.complaints_at,
        )  # fmt: skip
        assert +week.praises == +wanted.praises
        assert +week.readings == +wanted.readings
        assert week.answers.tolist() == wanted.answers.tolist()
        assert {s: c.tolist() for s, c in week.complaining.items()} == {s: c.tolist() for s, c in wanted.complaining.items()}  # fmt: skip


def week_of(n: int, late: int, start: datetime) -> list[Reply]:
    """n answers; `late` of them complain of delivery and are unhappy."""
    return [
        Reply(str(i), start + timedelta(minutes=5 * i), 2 if i < late else (10, 9, 8, 10, 3)[i % 5], (("region", "ab"[i % 2]),),
              "staged" if i < late else "none", ("delivery.time",) if i < late else ())
        for i in range(n)
    ]  # fmt: skip


def test_a_driver_tells_how_many_and_what_it_costs() -> None:
    feed = Feed([*week_of(500, 20, MONDAY - timedelta(days=7)), *week_of(500, 100, MONDAY)])
    span = span_of("week", MONDAY)
    answer = driving.told(driving.drivers(feed, span, {}, "region"), 0)  # type: ignore[arg-type]
    (one,) = answer.drivers
    assert (one.stage, one.name_zh, one.name_en) == ("delivery.time", "物流 · 配送时效", "delivery · delivery time")
    assert (one.share.of, one.share.n, one.before.of, one.before.n) == (100, 500, 20, 500)
    assert one.risen
    assert not one.few
    # 100 answers at −100; the other 400 are at +40 (3 promoters and 1 detractor of 5), so 140 points lower, a fifth of all.
    assert abs(one.cost.points + 140) < 1e-6
    assert abs(one.impact.points + 28) < 1e-6
    assert one.impact.low < -28 < one.impact.high < 0
    assert {s.place: (s.share.of, s.share.n) for s in one.spots} == {"a": (50, 250), "b": (50, 250)}
    assert "100 份抱怨" in one.zh
    assert "more than before" in one.en
    assert (answer.readings.none, answer.readings.staged) == (400, 100)
    assert not answer.HasField("repeats")
    rows = driving.rows(feed, span)  # type: ignore[arg-type]
    assert len(rows) == 28
    schema = json.loads((SCHEMAS / "metrics.nps_drivers.json").read_text("utf-8"))
    for row in rows:
        Draft202012Validator(schema).validate(row)


def answered(event: str, minute: int, comment: str = "慢", score: int = 3) -> SurveyAnswered:
    return SurveyAnswered(
        "s", event, "c", "q", MONDAY + timedelta(minutes=minute), score, (("region", "a"),), "", comment
    )


def read(event: str, minute: int, *stages: str) -> CommentRead:
    at = MONDAY + timedelta(minutes=minute)
    remark = Remark(at, event, "s", "staged", "zh", tuple(Named(s, True, ("慢",)) for s in stages))
    return CommentRead("sentiment", f"r-{event}", "c", "q", at, remark)


def last(state: CustomerSurveys, events) -> tuple[CustomerSurveys, dict[type, object]]:
    told: dict[type, object] = {}
    for event in events:
        state, facts = decide(state, event, MONDAY)
        told |= {type(f): f for f in facts}
    return state, told


def test_a_comment_counts_with_the_answer_that_stands_whatever_came_first() -> None:
    events = [answered("a1", 0), read("a1", 0, "delivery.time"), answered("a2", 5, "坏了"), read("a2", 5, "goods.quality"),
              SurveyCorrected("s", "k", "c", "q", MONDAY + timedelta(minutes=6), 9)]  # fmt: skip
    states = set()
    for order in permutations(events):
        state, told = last(CustomerSurveys("c"), order)
        fact = told[RemarkCounted]
        assert isinstance(fact, RemarkCounted)
        assert fact.stands is not None and fact.remark is not None
        assert (fact.stands.score, fact.remark.named[0].stage) == (9, "goods.quality")
        kept = told[CommentKept]
        assert isinstance(kept, CommentKept)
        assert kept.text == "坏了"
        states.add(repr(state.surveys["q"]))
        assert msgspec.json.decode(encode(state), type=CustomerSurveys) == state
    assert len(states) == 1
    _, told = last(state, [SurveyRetracted("s", "x", "c", "q", MONDAY)])
    assert told[RemarkCounted] == RemarkCounted("c", "q", None, None)
    assert told[CommentKept] == CommentKept("c", "q", MONDAY, "")


def test_a_comment_that_is_not_read_yet_says_so() -> None:
    _, told = last(CustomerSurveys("c"), [answered("a1", 0)])
    fact = told[RemarkCounted]
    assert isinstance(fact, RemarkCounted)
    assert fact.remark is not None
    assert fact.remark.reading == "unread"
    # A later answer without a comment takes the earlier one's away.
    _, told = last(CustomerSurveys("c"), [answered("a1", 0), read("a1", 0, "delivery.time"), answered("a2", 5, "")])
    assert told[RemarkCounted].remark is None  # type: ignore[attr-defined]
    assert told[CommentKept].text == ""  # type: ignore[attr-defined]


def test_a_comment_is_read_from_the_wire() -> None:
    message = sentiment_pb2.CommentRead(
        customer_id="c", survey_id="q", answer_id="a1", answer_source="s", answered_at=timestamp(MONDAY),
        reading=sentiment_pb2.READING_STAGED, language="zh",
        named=[sentiment_pb2.Named(stage="delivery.time", complains=True, words=["慢"])],
    )  # fmt: skip
    found = codec.read(Incoming("r-a1", "sentiment", "", "c", "c", MONDAY, message, ""))
    assert found == read("a1", 0, "delivery.time")
    assert marks(found.remark)[1] == (COMPLAINS, "delivery.time")  # type: ignore[union-attr]


steps = st.lists(
    st.tuples(st.integers(0, 5), st.integers(0, 13), st.sampled_from([*STAGES, "aftersales.response", ""])), max_size=10
)


@given(steps, st.randoms())
@settings(max_examples=60, deadline=None)
def test_contacts_are_judged_as_if_all_were_known_at_once(given_, rnd) -> None:
    days = {n: day for n, day, _ in given_}
    contacts = [(f"k{n}", MONDAY + timedelta(days=day), tuple(s for m, _, s in given_ if m == n and s)) for n, day in days.items()]  # fmt: skip
    heard = [("begin", c) for c in contacts] + [("about", c) for c in contacts if c[2]]
    rnd.shuffle(heard)
    known: Matters = {}
    rows = {}
    for what, (name, at, stages) in heard:
        known, facts = begin("c", known, name, at, (), "") if what == "begin" else about("c", known, name, at, stages)
        rows |= {f.contact_id: (f.kind, f.cause) for f in facts}
    wanted = chain(Contact(name, "c", at, tuple(dict.fromkeys(stages))) for name, at, stages in contacts)
    last_at = max((at for _, at, _ in contacts), default=MONDAY)
    # What lies back more than a week may have been settled before all of it was known.
    if not contacts or last_at - min(at for _, at, _ in contacts) <= timedelta(days=7):
        assert rows == {c.contact.contact_id: (c.kind, c.cause) for c in wanted}
    assert set(rows) == {c.contact.contact_id for c in wanted}
