"""The people who follow up in the generated day, and the customers whom it keeps from complaining."""

from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from google.protobuf.message import Message
from touchline.escalation.v1 import escalation_pb2 as pb

from services.cli.day.crew import FORGETS, MEMBERS, NO_ANSWER, Called, Crew, Errand, Notice
from services.cli.day.desk import notice_of, told_of
from services.cli.day.generator import generate, population
from services.cli.day.grievances import ALONE, PLANTED, REACHED, grievances
from services.cli.day.model import LOCAL, Day, window_of
from services.cli.day.policy import FOLLOW_UPS, follow_ups_for_speed
from services.cli.day.story import COMPLAINT
from services.cli.day.world import Stayed, World
from services.escalation.policyfile import parse
from services.runtime.records import Record, timestamp, write

MIDNIGHT = datetime(2026, 6, 18, tzinfo=LOCAL)
DUE, REMIND, OVERFLOW = 1800.0, 1200.0, 2400.0


class Office:
    """A service of the test's own: it grants each claim of what is free, and tells what falls due by the clock."""

    def __init__(self, crew: Crew, flags: dict[str, tuple[float, str]]) -> None:
        self.crew, self.flags = crew, flags
        self.owner: dict[str, str] = {}
        self.closed: dict[str, tuple[float, str, bool]] = {}
        self.called: dict[str, float] = {}

    def run(self, until: float) -> None:
        for now in range(0, int(until), 30):
            for name, (at, customer) in self.flags.items():
                since = now - at
                if name in self.closed or since < 0:
                    continue
                self._say(Notice("flagged", name, customer, at + DUE), now)
                if since >= REMIND:
                    self._say(Notice("reminded", name), now)
                if since >= OVERFLOW:
                    self._say(Notice("overflowed", name, owner="boss"), now)
            for deed in self.crew.step(float(now)):
                if isinstance(deed, Called):
                    self.called[deed.customer_id] = now
                else:
                    self.crew.answered(deed, self._grant(deed, now), float(now))

    def _say(self, notice: Notice, now: float) -> None:
        self.crew.observe(notice, now)

    def _grant(self, errand: Errand, now: float) -> bool:
        if errand.follow_up_id in self.closed:
            return False
        if errand.method == "ClaimFollowUp":
            if errand.follow_up_id in self.owner and errand.owner != "boss":
                return False
            self.owner[errand.follow_up_id] = errand.owner
            return True
        assert self.owner[errand.follow_up_id] == errand.owner
        self.closed[errand.follow_up_id] = (now, errand.owner, errand.failed)
        self.crew.observe(Notice("closed", errand.follow_up_id), now)
        return True


def test_everybody_is_seen_to_some_late_some_in_vain_and_what_is_forgotten_goes_to_the_supervisor() -> None:
    crew = Crew(5)
    office = Office(crew, {f"f{i}": (60.0 * 4 * i, f"c{i}") for i in range(300)})
    office.run(300 * 240 + 6000)
    assert len(office.closed) == 300 and crew.open == 0
    late = sum(at > office.flags[name][0] + DUE for name, (at, _, _) in office.closed.items())
    by = Counter(owner for _, owner, _ in office.closed.values())
    assert 0.02 * 300 < by["boss"] < FORGETS * 300 and by["boss"] <= late < 0.25 * 300
    assert set(by) == {*MEMBERS, "boss"}
    vain = sum(failed for _, _, failed in office.closed.values())
    assert 0.03 * 300 < vain < 2 * NO_ANSWER * 300
    assert len(office.called) == 300 - vain, "who was spoken to, and nobody else"


def test_nobody_calls_mrs_hu_until_it_goes_to_the_supervisor() -> None:
    office = Office(Crew(1), {"f": (0.0, "hu")})
    office.run(5000)
    at, owner, _ = office.closed["f"]
    assert owner == "boss" and at > OVERFLOW
    assert office.owner["f"] == "boss"


def test_what_is_over_or_another_has_is_left_alone() -> None:
    crew = Crew(1, ("a",))
    crew.observe(Notice("flagged", "f", "c", 10), 0)
    crew.observe(Notice("flagged", "g", "d", 20), 0)
    (claim,) = crew.step(0)
    assert isinstance(claim, Errand) and claim.follow_up_id == "f"
    crew.answered(claim, False, 1)
    (claim,) = crew.step(1)
    assert isinstance(claim, Errand) and claim.follow_up_id == "g"
    crew.answered(claim, True, 2)
    crew.observe(Notice("closed", "g"), 3)  # the ticket was resolved meanwhile
    assert crew.step(5000) == [] and crew.open == 0
    crew.observe(Notice("flagged", "g", "d", 20), 6000)
    assert crew.step(6000) == [], "told again, it is no other"


def record(message: Message) -> Record:
    out = write(message, event_id="1", source="/escalation", subject="c", time=datetime(2026, 6, 18, tzinfo=UTC))
    return Record(out.topic, 0, 0, out.key, out.value, out.headers)


def test_the_desk_sees_what_people_may_see() -> None:
    flag = pb.ComplaintFlagged(
        follow_up_id="f", customer_id="c", due_at=timestamp(MIDNIGHT + timedelta(hours=9)), arm="treated"
    )
    assert notice_of(record(flag), MIDNIGHT) == Notice("flagged", "f", "c", 9 * 3600.0)
    flag.arm = "held_out"
    assert notice_of(record(flag), MIDNIGHT) is None
    assert notice_of(record(pb.FollowUpOverflowed(follow_up_id="f", customer_id="c", supervisor="boss")), MIDNIGHT) == (
        Notice("overflowed", "f", owner="boss")
    )
    assert told_of(record(pb.OutreachStarted(customer_id="c", kind="message"))) == "c"
    assert told_of(record(pb.OutreachStarted(customer_id="c", withheld="opted_out"))) is None


def come(seed: int, reached: str) -> tuple[int, int, int]:
    """How many customers with a grievance there are, ask for the complaint desk, and stay away, where all or none are reached."""
    window = window_of(14)
    day = Day(seed, MIDNIGHT, window, (), (), (), ())
    plans = grievances(day, population(seed, 250))
    day = replace(day, contacts=tuple(c for c in plans if c.doubt is not None))
    world = World(day)
    desk = {c.contact_id for c in day.contacts}
    for contact in day.contacts:
        if reached and contact.contact_id in desk:
            world.reached(contact.shopper.id, reached)  # type: ignore[arg-type]
    stayed = 0
    while (at := world.due()) is not None and at < day.window.end:
        stayed += sum(isinstance(a, Stayed) and a.contact_id in desk for a in world.step(at))
    return len(desk), len(desk & world.live.keys()), stayed


def test_the_planted_effect_is_what_the_day_plays() -> None:
    n, left_alone, none = come(4, "")
    assert n > 100 and none == 0
    assert left_alone / n == pytest.approx(ALONE, abs=0.08)
    _, still, stayed = come(4, "follow_up")
    assert still / n == pytest.approx(REACHED, abs=0.08) and still + stayed == left_alone
    assert come(4, "outreach")[1:] == (left_alone, 0), "a message about something else spares no complaint"
    assert PLANTED["follow_up"] == {"alone": ALONE, "reached": REACHED}


def test_some_of_whom_the_incident_hits_want_no_messages_and_mrs_hu_comes_for_certain() -> None:
    day = generate(3, MIDNIGHT, hours=2, events=6000)
    hit = {c.shopper.id for c in day.contacts if c.doubt is not None and c.doubt.moved_by == "outreach"}
    kinds = Counter(o.event["type"].split(".")[2] for o in day.outside if o.event["subject"] in hit)
    wishes = {o.event["subject"] for o in day.outside if o.event["type"].endswith("OutreachOptedOut.v1")}
    assert wishes < hit and 0 < len(wishes) < 0.3 * len(hit)
    assert kinds["OrderPlaced"] >= len(hit), "the shop knows who bought of the batch"
    batches = {o.event["data"].get("batch") for o in day.outside if o.event["type"].endswith("OrderPlaced.v1")}
    assert batches == {None, "LL-0618"}
    assert next(c for c in day.contacts if c.contact_id == COMPLAINT).doubt is None


def test_the_demo_s_policy_is_one_and_a_fast_day_gives_more_time() -> None:
    text = FOLLOW_UPS.read_text(encoding="utf-8")
    usual, fast = (parse(follow_ups_for_speed(text, factor)).teams["care"] for factor in (100, 1000))
    assert usual.due_in == timedelta(minutes=30) and usual.holdout == 0.25
    assert fast.due_in == timedelta(minutes=200)
