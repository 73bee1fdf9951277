"""The generated day, played in simulated time against a small router of the test's own."""

from collections import Counter
from datetime import datetime, timedelta

import pytest

from services.cli.day.generator import generate
from services.cli.day.model import LOCAL, Day, Unreadable
from services.cli.day.story import ADVICE, COMPLAINT, FAULT, INSTALL_CALL, UNHAPPY, traceparent
from services.cli.day.world import Command, Fact, Send, Stayed, World

MIDNIGHT = datetime(2026, 6, 18, tzinfo=LOCAL)


class PlainRouter:
    """Bot unless the customer wants a human; humans first come, first served, over all seats that are signed in."""

    def __init__(self) -> None:
        self.queue: list[str] = []
        self.free: list[str] = []
        self.offers: dict[str, tuple[str, int]] = {}
        self.unanswered: dict[str, float] = {}
        self.over: set[str] = set()
        self.tokens = 0

    def take(self, action: Send | Command, at: float) -> list[tuple[float, Fact]]:
        if isinstance(action, Command):
            return self._command(action, at) + self._offer(at)
        kind, data = action.event["type"].split(".")[2], action.event["data"]
        contact = data.get("contactId", "")
        facts: list[tuple[float, Fact]] = []
        if action.repeat:
            return []
        if kind == "ContactRequested":
            human = data["wantsHuman"]
            facts.append((at, Fact("triaged", contact, "service" if human else "bot")))
            if human:
                self.queue.append(contact)
        elif kind == "HandoverRequested":
            facts.append((at, Fact("triaged", contact, "service")))
            self.queue.append(contact)
        elif kind in ("ContactEnded", "ContactAbandoned") and contact not in self.over:
            self.over.add(contact)
            if contact in self.queue:
                self.queue.remove(contact)
            facts.append((at, Fact("closed", contact, "bot", outcome="bot" if kind == "ContactEnded" else "abandoned")))
        elif kind == "SeatSignedIn":
            self.free.append(data["seatId"])
        elif kind == "SeatSignedOut" and data["seatId"] in self.free:
            self.free.remove(data["seatId"])
        return facts + self._offer(at)

    def _command(self, c: Command, at: float) -> list[tuple[float, Fact]]:
        if c.contact_id in self.over or self.offers.get(c.contact_id) != (c.seat_id, c.token):
            self.free.append(c.seat_id)
            return []
        self.unanswered.pop(c.contact_id, None)
        if c.method == "Accept":
            return [(at, Fact("accepted", c.contact_id, c.pool, c.seat_id, c.token))]
        self.free.append(c.seat_id)
        if c.method == "Decline":
            self.queue.insert(0, c.contact_id)
            return []
        self.over.add(c.contact_id)
        return [(at, Fact("closed", c.contact_id, c.pool, c.seat_id, c.token, "human"))]

    def tick(self, at: float) -> list[tuple[float, Fact]]:
        """Offers that nobody answered for half a minute go back to the front."""
        for contact in [c for c, since in self.unanswered.items() if at - since > 30]:
            del self.unanswered[contact]
            self.free.append(self.offers.pop(contact)[0])
            if contact not in self.over:
                self.queue.insert(0, contact)
        return self._offer(at)

    def _offer(self, at: float) -> list[tuple[float, Fact]]:
        facts = []
        while self.queue and self.free:
            contact, seat = self.queue.pop(0), self.free.pop(0)
            self.tokens += 1
            self.offers[contact], self.unanswered[contact] = (seat, self.tokens), at
            facts.append((at, Fact("offered", contact, "service", seat, self.tokens)))
        return facts


def play(day: Day) -> tuple[World, list[tuple[float, Send | Command | Unreadable]], list[Fact]]:
    """All that was done, with its time, and all that the router decided."""
    world, router = World(day), PlainRouter()
    done: list[tuple[float, Send | Command | Unreadable]] = []
    facts: list[Fact] = []
    while not world.finished and (now := world.due()) is not None and now < day.window.end + 3 * 3600:
        for action in world.step(now):
            assert not isinstance(action, Stayed), "nobody was quicker than the customer"
            done.append((now, action))
            decided = router.tick(now) + ([] if isinstance(action, Unreadable) else router.take(action, now))
            for at, fact in decided:
                facts.append(fact)
                world.observe(fact, at)
                world.observe(fact, at)  # told twice: nothing changes
    return world, done, facts


@pytest.fixture(scope="module", params=[(14.0, None), (1.0, None)], ids=["a day", "an hour"])
def played(
    request: pytest.FixtureRequest,
) -> tuple[Day, World, list[tuple[float, Send | Command | Unreadable]], list[Fact]]:
    day = generate(7, MIDNIGHT, hours=request.param[0], events=request.param[1])
    return (day, *play(day))


def test_every_contact_ends_once_and_then_the_day_is_over(played) -> None:  # type: ignore[no-untyped-def]
    day, world, _, facts = played
    closed = [f.contact_id for f in facts if f.kind == "closed"]
    coming = [c for c in day.contacts if c.doubt is None or c.doubt.alone]
    assert len(closed) == len(set(closed)) == len(coming) < len(day.contacts)
    assert world.finished
    assert played[2][-1][0] < day.window.end + 2400, "nobody stays for those who are served"
    outcomes = Counter(f.outcome for f in facts if f.kind == "closed")
    assert min(outcomes["bot"], outcomes["human"]) > 0.2 * len(day.contacts)


def test_the_announced_disturbances_are_there(played) -> None:  # type: ignore[no-untyped-def]
    day, _, done, _ = played
    sent = [(at, a) for at, a in done if isinstance(a, Send)]
    times = [
        (at, datetime.fromisoformat(a.event["time"]))
        for at, a in sent
        if not a.repeat and a.event["time"] != "yesterday"
    ]
    late = sum(happened < day.moment(at) - timedelta(minutes=5) for at, happened in times)
    bad = sum(isinstance(a, Unreadable) for _, a in done)
    assert sum(a.repeat for _, a in sent) >= 0.01 * len(sent)
    assert late >= 0.01 * len(sent)
    assert bad >= 0.001 * len(sent)


def test_repeats_are_the_same_events_and_nothing_else_shares_an_id(played) -> None:  # type: ignore[no-untyped-def]
    _, _, done, _ = played
    first: dict[tuple[str, str], dict[str, object]] = {}
    for _, action in done:
        if isinstance(action, Send):
            key = (action.event["source"], action.event["id"])
            assert action.repeat == (key in first)
            assert first.setdefault(key, action.event) == action.event


def test_about_as_many_events_as_were_asked_for() -> None:
    for wanted in (4000, 12000):
        _, done, _ = play(generate(3, MIDNIGHT, hours=14, events=wanted))
        assert abs(sum(isinstance(a, Send) for _, a in done) - wanted) < 0.15 * wanted


def test_corrections_and_retractions_come_with_the_surveys(played) -> None:  # type: ignore[no-untyped-def]
    _, _, done, _ = played
    kinds = Counter(a.event["type"].split(".")[2] for _, a in done if isinstance(a, Send) and not a.repeat)
    assert kinds["SurveyAnswered"] > 0.2 * kinds["ContactRequested"]
    if kinds["SurveyAnswered"] > 500:
        assert 0.02 < kinds["SurveyCorrected"] / kinds["SurveyAnswered"] < 0.06
        assert 0.008 < kinds["SurveyRetracted"] / kinds["SurveyAnswered"] < 0.035


def test_the_same_seed_plays_the_same_day_and_another_seed_another() -> None:
    def ids(seed: int) -> list[object]:
        return [a.event["id"] if isinstance(a, Send) else a for _, a in play(generate(seed, MIDNIGHT, hours=1))[1]]

    assert ids(5) == ids(5)
    assert ids(5) != ids(6)


def test_the_incident_makes_a_peak_of_about_four_times() -> None:
    day = generate(1, MIDNIGHT, hours=14, events=60_000)
    assert day.window.incident is not None
    start, end = day.window.incident
    during = sum(start <= c.at < end for c in day.contacts) / (end - start)
    before = sum(start - 3600 <= c.at < start for c in day.contacts) / 3600
    assert 3.2 < during / before < 5.0


def test_mrs_hu_tells_her_story_in_order_and_in_one_trace(played) -> None:  # type: ignore[no-untyped-def]
    day, _, done, facts = played
    hers = [a.event for _, a in done if isinstance(a, Send) and a.event["subject"] == "hu" and not a.repeat]
    assert {e["traceparent"] for e in hers} == {traceparent(day.seed)}
    assert traceparent(day.seed).endswith("-01")
    requested = [e["data"]["contactId"] for e in hers if e["type"] == "touchline.contact.ContactRequested.v1"]
    assert requested == [ADVICE, INSTALL_CALL, FAULT, UNHAPPY, COMPLAINT]
    closed = [f for f in facts if f.kind == "closed" and f.contact_id in requested]
    assert [f.contact_id for f in closed] == requested
    assert [f.outcome for f in closed] == ["bot", "human", "human", "human", "human"]
    kinds = [e["type"].split(".")[2] for e in hers]
    assert kinds.index("OrderPlaced") < kinds.index("TicketOpened")
    assert kinds.count("SurveyAnswered") == 5
    reopened = next(i for i, e in enumerate(hers) if e["data"].get("status") == "TICKET_STATUS_REOPENED")
    complains = next(i for i, e in enumerate(hers) if e["data"].get("contactId") == COMPLAINT)
    assert reopened < complains, "the signs come before the complaint"


def test_hours_out_of_range_are_refused() -> None:
    with pytest.raises(ValueError, match="hours"):
        generate(1, MIDNIGHT, hours=25)
