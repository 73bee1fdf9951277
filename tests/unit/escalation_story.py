"""A customer's story played through both owners: the customer's, who raises cases, and the team's, who flags them."""

from datetime import UTC, datetime, timedelta

from services.escalation.domain import decide as customers
from services.escalation.domain import followups
from services.escalation.domain.events import (
    ContactOver,
    ContactRequested,
    CustomerSaid,
    Event,
    FollowUpBegun,
    FollowUpOver,
    MessageScored,
    Replied,
    TicketMoved,
)
from services.escalation.domain.followups import HELD_OUT
from services.escalation.domain.state import Customer
from services.escalation.domain.tasks import (
    CaseChanged,
    CaseFact,
    ClaimRequested,
    CloseRequested,
    ComplaintFlagged,
    Escalated,
    FollowUpClosed,
    TeamEvent,
    TeamFact,
    ThresholdMoved,
)
from services.escalation.domain.team import Team, Terms

START = datetime(2026, 11, 20, 8, tzinfo=UTC)


class Story:
    """Plays a customer's events; event time and service clock run together unless told otherwise."""

    def __init__(self, terms: Terms | None = None) -> None:
        self.terms = terms or Terms()
        self.state = Customer("hu")
        self.team = Team("care")
        self.now = START
        self.count = 0
        self.cases: list[CaseChanged] = []
        self.escalated: list[Escalated] = []

    def base(self) -> dict[str, object]:
        self.count += 1
        return {"source": "s", "event_id": str(self.count), "customer_id": "hu", "time": self.now}

    def play(self, event: Event) -> list[TeamFact]:
        self.state, cases = customers.decide(self.state, event, self.now)
        return self._told(cases)

    def ask(self, event: TeamEvent) -> list[TeamFact]:
        self.team, facts = followups.decide(self.team, event, self.now, self.terms)
        return self._heard(facts)

    def _told(self, facts: tuple[CaseFact, ...]) -> list[TeamFact]:
        cases = [fact for fact in facts if isinstance(fact, CaseChanged)]
        self.cases += cases
        self.escalated += [fact for fact in facts if isinstance(fact, Escalated)]
        return [fact for case in cases for fact in self.ask(case)]

    def _heard(self, facts: tuple[TeamFact, ...]) -> list[TeamFact]:
        """What the team's owner says comes back to the customer's."""
        for fact in facts:
            if isinstance(fact, ComplaintFlagged):
                told = {"source": "s", "event_id": fact.follow_up_id, "customer_id": "hu", "time": self.now}
                begun = FollowUpBegun(**told, case_id=fact.case_id, seen=fact.arm != HELD_OUT)  # type: ignore[arg-type]
                self.state, cases = customers.decide(self.state, begun, self.now)
                assert not cases
            elif isinstance(fact, FollowUpClosed):
                over = fact.result in ("done", "failed") or fact.outcome == HELD_OUT
                b = self.base()
                event = FollowUpOver(**b, case_id=fact.case_id, case_over=over)  # type: ignore[arg-type]
                self.state, cases = customers.decide(self.state, event, self.now)
                assert not cases
        return [f for f in facts if not isinstance(f, ThresholdMoved)]

    def due(self) -> datetime | None:
        moments = [customers.due(self.state), followups.due(self.team, self.terms)]
        return min((m for m in moments if m is not None), default=None)

    def after(self, **by: float) -> list[TeamFact]:
        """Lets time pass, with a tick whenever one is due."""
        until, facts = self.now + timedelta(**by), list[TeamFact]()
        while (at := self.due()) is not None and at <= until:
            assert at > self.now or not facts
            self.now = max(self.now, at)
            self.state, cases = customers.tick(self.state, self.now)
            facts += self._told(cases)
            self.team, said = followups.tick(self.team, self.now, self.terms)
            facts += self._heard(said)
            assert (again := self.due()) is None or again > self.now
        self.now = until
        return facts

    def asks(self, contact: str, touchpoint: str = "repair", **more: object) -> list[TeamFact]:
        return self.play(ContactRequested(**self.base(), contact_id=contact, touchpoint=touchpoint, **more))  # type: ignore[arg-type]

    def says(self, contact: str, text: str, polarity: float, touchpoint: str = "repair") -> list[TeamFact]:
        """A message and its score, a minute after the last."""
        facts = self.after(minutes=1)
        about = {"contact_id": contact, "touchpoint": touchpoint}
        b = self.base()
        score = {
            **self.base(),
            "source": "m",
            "message": f"s {b['event_id']}",
            "said_at": self.now,
            "polarity": polarity,
        }
        facts += self.play(CustomerSaid(**b, **about, text=text))  # type: ignore[arg-type]
        return facts + self.play(MessageScored(**score, **about))  # type: ignore[arg-type]

    def reply(self, contact: str) -> list[TeamFact]:
        return self.play(Replied(**self.base(), contact_id=contact))  # type: ignore[arg-type]

    def over(self, contact: str) -> list[TeamFact]:
        return self.play(ContactOver(**self.base(), contact_id=contact, abandoned=False))  # type: ignore[arg-type]

    def ticket(self, ticket: str, status: str) -> list[TeamFact]:
        return self.play(TicketMoved(**self.base(), ticket_id=ticket, status=status))  # type: ignore[arg-type]

    def claim(self, follow_up: str, owner: str = "li") -> list[TeamFact]:
        self.count += 1
        return self.ask(ClaimRequested(source="s", event_id=str(self.count), follow_up_id=follow_up, owner=owner))

    def close(self, follow_up: str, outcome: str = "contacted") -> list[TeamFact]:
        self.count += 1
        return self.ask(CloseRequested(source="s", event_id=str(self.count), follow_up_id=follow_up, outcome=outcome))
