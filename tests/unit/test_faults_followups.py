"""The faults' oracle of a team with more to follow up than it can: it passes what the team's owner decides, and finds what is lost or doubled."""

from collections import defaultdict
from datetime import UTC, datetime, timedelta
from random import Random
from types import SimpleNamespace
from typing import Any

import pytest
from touchline.escalation.v1 import escalation_pb2 as pb

from faults.followups import amiss
from services.cli.audit.ledger import Evidence, Ledger
from services.escalation.codec import write_team
from services.escalation.domain.events import Reason
from services.escalation.domain.followups import decide
from services.escalation.domain.tasks import CaseChanged, ClaimRequested, CloseRequested, TeamEvent
from services.escalation.domain.team import Team, Terms
from services.runtime.pipeline import Publish

NOW = datetime(2026, 11, 23, 9, tzinfo=UTC)
CAPACITY = 5
TERMS = Terms(capacity=CAPACITY, shifts=(0,))


class Course:
    """What a team's owner decides of angry customers and of people who ask, some of them twice."""

    def __init__(self, seed: int) -> None:
        self.roll, self.team, self.now = Random(seed), Team("x"), NOW
        self.messages: list[Any] = []
        self.asked: dict[str, str] = {}
        self.customers = {f"x-a-{i}" for i in range(12)}
        for customer in sorted(self.customers):
            self.take(self.case(customer))
            if self.roll.random() < 0.5:
                self.work()

    def case(self, customer: str) -> CaseChanged:
        risk = self.roll.uniform(0.6, 1.0)
        return CaseChanged(
            team="x", case_id=customer, customer_id=customer, group="", contact_id="", touchpoint="x", risk=risk,
            reasons=(Reason("waiting", risk, 1.0),), at=self.now, cause="c",
        )  # fmt: skip

    def take(self, event: TeamEvent) -> None:
        self.now += timedelta(seconds=1)
        self.team, facts = decide(self.team, event, self.now, TERMS)
        for fact in facts:
            self.messages += [p.message for p in write_team(fact) if isinstance(p, Publish)]

    def work(self) -> None:
        seen = [m.follow_up_id for m in self.messages if isinstance(m, pb.ComplaintFlagged)]
        over = {m.follow_up_id for m in self.messages if isinstance(m, pb.FollowUpClosed)}
        free = [name for name in seen if name not in self.asked and name not in over]
        if not free:
            return
        name = self.roll.choice(free)
        first, rival = self.roll.sample(("li", "wang"), 2)
        self.asked[name] = first
        for owner in (first, first, rival):
            self.take(ClaimRequested(source="s", event_id=f"{name}{owner}", follow_up_id=name, owner=owner))
        for owner in (rival, first, first):
            self.take(
                CloseRequested(source="s", event_id=f"{name}{owner}-", follow_up_id=name, owner=owner, outcome="tried")
            )

    def wrong(self, messages: list[Any] | None = None) -> list[str]:
        ledger = Ledger(Evidence(None, {}, 0))
        ledger.facts = defaultdict(list)
        for message in self.messages if messages is None else messages:
            ledger.facts[type(message).__name__].append(SimpleNamespace(message=message))  # type: ignore[arg-type]
        return amiss(ledger, self.customers, self.asked, CAPACITY)


@pytest.mark.parametrize("seed", range(40))
def test_what_the_owner_decides_is_clean(seed: int) -> None:
    assert Course(seed).wrong() == []


def test_the_courses_show_what_they_are_to_show() -> None:
    facts = [m for seed in range(40) for m in Course(seed).messages]
    ends = [m.result for m in facts if isinstance(m, pb.FollowUpClosed)]
    assert ends.count(pb.RESULT_DISPLACED) > 20 and ends.count(pb.RESULT_DONE) > 20


@pytest.mark.parametrize("kind", [pb.ComplaintFlagged, pb.FollowUpClaimed, pb.FollowUpClosed])
def test_a_fact_that_is_lost_or_doubled_is_found(kind: Any) -> None:
    found = {"lost": 0, "doubled": 0}
    for seed in range(20):
        course = Course(seed)
        places = [i for i, m in enumerate(course.messages) if isinstance(m, kind)]
        if not places:
            continue
        i = course.roll.choice(places)
        message = course.messages[i]
        found["lost"] += bool(course.wrong(course.messages[:i] + course.messages[i + 1 :]))
        if kind is not pb.ComplaintFlagged:  # a flag that comes twice shows by its name, in `sound`
            found["doubled"] += bool(course.wrong([*course.messages[:i], message, *course.messages[i:]]))
    assert found["lost"] >= 15 and (kind is pb.ComplaintFlagged or found["doubled"] >= 15), found
