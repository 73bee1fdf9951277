"""A reopened contact goes to someone who is there: to its customer's last seat where that is ready, else to another at once."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from services.router import policyfile
from services.router.domain import assignment, events, facts, triage
from services.router.domain.draft import live
from services.router.domain.policy import Terms
from services.router.domain.pool import Pool, imbalance

T0 = datetime(2026, 3, 2, 2, 0, tzinfo=UTC)
HOLDS = Terms(last_seat_s=86_400, last_seat_hold_s=300, reconnect_s=60)


class Desk:
    """Two seats; the first has served customer c, whose contact is then reopened by another."""

    def __init__(self, terms: Terms = HOLDS) -> None:
        self.terms, self.state, self.now, self.n = terms, live(Pool("care")), T0, 0
        self.send(events.SeatSignedIn, seat_id="first", skills={}, capacity=1)
        self.queued("k1", "c")
        self.takes("first", "k1")
        self.send(events.ServiceFinished, seat_id="first", contact_id="k1", token=self.state.token)
        self.send(events.SeatSignedIn, seat_id="other", skills={}, capacity=1)

    def send(self, kind: type[events.PoolEvent], **more: Any) -> list[facts.PoolFact]:
        self.n, self.now = self.n + 1, self.now + timedelta(seconds=1)
        event = kind(event_id=str(self.n), source="t", time=self.now, pool="care", **more)
        self.state, made = assignment.decide(self.state, event, self.now, self.terms)
        assert imbalance(self.state) == 0
        return list(made)

    def queued(self, contact: str, customer: str) -> list[facts.PoolFact]:
        return self.send(events.ContactQueued, contact_id=contact, customer_id=customer, queued_at=self.now)

    def takes(self, seat: str, contact: str) -> None:
        self.send(events.OfferAccepted, seat_id=seat, contact_id=contact, token=self.state.token)

    def offered(self, contact: str) -> str:
        return self.state.offers[contact].seat_id if contact in self.state.offers else ""

    def busy(self) -> None:
        """The last seat is busy with another customer, and the other free."""
        self.send(events.SeatPaused, seat_id="other")
        self.queued("k2", "d")
        self.takes("first", "k2")
        self.send(events.SeatResumed, seat_id="other")


def test_it_goes_to_the_last_seat_where_that_is_free() -> None:
    desk = Desk()
    desk.queued("k1-again", "c")
    assert desk.offered("k1-again") == "first"


@pytest.mark.parametrize(
    "gone", [events.SeatSignedOut, events.SeatPaused, events.SeatDisconnected, events.DrainRequested]
)
def test_it_goes_to_another_at_once_where_the_last_seat_is_not_there(gone: type[events.PoolEvent]) -> None:
    desk = Desk()
    by = {"by": "王", "reason": ""} if gone is events.DrainRequested else {}
    desk.send(gone, seat_id="first", **by)
    desk.queued("k1-again", "c")
    assert desk.offered("k1-again") == "other"


@pytest.mark.parametrize(
    "goes", [events.SeatSignedOut, events.SeatPaused, events.SeatDisconnected, events.DrainRequested]
)
def test_where_it_waits_for_a_busy_seat_and_that_leaves_it_goes_to_another_at_once(
    goes: type[events.PoolEvent],
) -> None:
    desk = Desk()
    desk.busy()
    desk.queued("k1-again", "c")
    assert "k1-again" in desk.state.parked, "its last seat is there, and soon free"
    by = {"by": "王", "reason": ""} if goes is events.DrainRequested else {}
    desk.send(goes, seat_id="first", **by)
    assert desk.offered("k1-again") == "other"


def test_it_waits_for_a_busy_seat_no_longer_than_the_policy_says() -> None:
    desk = Desk()
    desk.busy()
    desk.queued("k1-again", "c")
    since = desk.now
    due = assignment.due(desk.state)
    assert due is not None and due <= since + timedelta(seconds=HOLDS.last_seat_hold_s)
    while "k1-again" in desk.state.parked:
        due = assignment.due(desk.state)
        assert due is not None
        desk.now = due
        desk.state, _ = assignment.tick(desk.state, due, desk.terms)
    assert desk.now == since + timedelta(seconds=HOLDS.last_seat_hold_s) and desk.offered("k1-again") == "other"


def test_whose_line_breaks_while_it_waits_for_its_last_seat_rings_none() -> None:
    desk = Desk()
    desk.send(events.SeatPaused, seat_id="other")
    desk.queued("k2", "d")
    desk.takes("first", "k2")
    desk.queued("k3", "c")
    assert desk.state.parked["k3"].why == "last_seat"
    desk.send(events.ContactLine, contact_id="k3", customer_id="c", what="cut_off")
    desk.send(events.ServiceFinished, seat_id="first", contact_id="k2", token=desk.state.token)
    assert desk.offered("k3") == "", "nobody is on the line"
    assert desk.state.seats["first"].takes
    desk.now += timedelta(seconds=HOLDS.reconnect_s)
    desk.state, made = assignment.tick(desk.state, desk.now, desk.terms)
    assert [f.outcome for f in made if isinstance(f, facts.ContactClosed)] == [facts.Outcome.ABANDONED]


@pytest.mark.parametrize(("after_s", "still"), [(30, True), (400, False)])
def test_whose_line_is_there_again_waits_for_its_last_seat_as_long_as_it_would_have(
    after_s: float, still: bool
) -> None:
    desk = Desk(Terms(last_seat_s=86_400, last_seat_hold_s=300, reconnect_s=600))
    desk.queued("k2", "d")
    desk.takes("first", "k2")
    desk.queued("k3", "c")
    until = desk.state.parked["k3"].until
    desk.send(events.ContactLine, contact_id="k3", customer_id="c", what="cut_off")
    desk.now += timedelta(seconds=after_s)
    desk.send(events.ContactLine, contact_id="k3", customer_id="c", what="connected")
    if still:
        assert (desk.state.parked["k3"].why, desk.state.parked["k3"].until) == ("last_seat", until)
        desk.send(events.ServiceFinished, seat_id="first", contact_id="k2", token=desk.state.token)
        assert desk.offered("k3") == "first"
    else:
        assert desk.offered("k3") == "other"


def test_where_the_last_seat_does_not_answer_it_rings_another() -> None:
    desk = Desk()
    desk.queued("k1-again", "c")
    due = assignment.due(desk.state)
    assert due is not None
    desk.now = due
    desk.state, made = assignment.tick(desk.state, due, desk.terms)
    assert [type(f) for f in made] == [facts.OfferReturned, facts.ContactOffered]
    assert desk.offered("k1-again") == "other"


def test_a_rule_can_send_the_reopened_to_a_human_at_once(tmp_path: Any) -> None:
    text = policyfile.DEFAULT.read_text(encoding="utf-8")
    path = tmp_path / "policy.toml"
    path.write_text(
        text.replace(
            '[[rules]]\nname = "vip"',
            '[[rules]]\nname = "again"\nwhen = { reopened = true }\npool = "care"\npriority = 60\n\n[[rules]]\nname = "vip"',
        ),
        encoding="utf-8",
    )
    policy = policyfile.load(path)
    asked = {
        "event_id": "e",
        "source": "s",
        "time": T0,
        "customer_id": "c",
        "channel": "app",
        "topic": "advice",
        "language": "zh",
    }
    for reopens, pool in (("k1", "care"), ("", facts.BOT)):
        event = events.ContactRequested(**asked, contact_id=f"k-{reopens}", reopens=reopens)  # type: ignore[arg-type]
        _, made = triage.decide(triage.Customer("c"), event, T0, policy)
        decided = next(f for f in made if isinstance(f, facts.ContactTriaged))
        assert decided.pool == pool
