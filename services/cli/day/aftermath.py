"""What follows when a contact is over: its survey, the customer's second thoughts, and its ticket. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from services.cli.day import events
from services.cli.day.model import ContactPlan


@dataclass(frozen=True, slots=True)
class Followup:
    """One event to come, `at` seconds after midnight."""

    at: float
    kind: str
    origin: str
    name: str
    data: dict[str, Any]


# A seat is better liked than the bot, and giving up worse than anything; in points of the 0 to 10 score.
_BY_OUTCOME = {"human": 1.0, "abandoned": -3.0}
_WAIT_PER_POINT_S = 240.0


def score_after(plan: ContactPlan, outcome: str, waited_s: float) -> int:
    """The answer to the survey, 0 to 10, given how the contact went. Raises ValueError where no survey is planned."""
    if plan.survey is None:
        raise ValueError(f"{plan.contact_id} has no survey")
    if plan.survey.fixed:
        return plan.survey.score
    moved = _BY_OUTCOME.get(outcome, 0.0) - min(3.0, waited_s / _WAIT_PER_POINT_S)
    return min(10, max(0, round(plan.survey.score + moved)))


def survey(plan: ContactPlan, outcome: str, waited_s: float, now: float, closing: float) -> Iterator[Followup]:
    """The survey's answer, and where planned its correction or retraction; all by closing time, or shortly after `now`."""
    asked = plan.survey
    if asked is None:
        return
    at = min(now + asked.delay_s, max(now + 30, closing - 30))
    data = events.answered(plan, asked.survey_id, score_after(plan, outcome, waited_s), asked.comment)
    yield Followup(at, "survey.SurveyAnswered", "survey", asked.survey_id, data)
    after = min(at + 0.5 * asked.delay_s + 10, max(at + 10, closing - 10))
    if asked.corrected is not None:
        data = {"surveyId": asked.survey_id, "score": asked.corrected}
        yield Followup(after, "survey.SurveyCorrected", "survey", asked.survey_id, data)
    if asked.retracted:
        yield Followup(after, "survey.SurveyRetracted", "survey", asked.survey_id, {"surveyId": asked.survey_id})


def ticket(plan: ContactPlan, outcome: str, now: float, closing: float) -> Iterator[Followup]:
    """The ticket that a human seat opened and what becomes of it; nobody works on tickets after closing time."""
    case = plan.ticket
    if case is None or outcome != "human":
        return
    name = case.ticket_id
    data = {"ticketId": name, "contactId": plan.contact_id, "topic": case.topic, "priority": case.priority}
    yield Followup(now, "ticket.TicketOpened", "desk", name, data)
    steps = ["resolved"] if case.resolved else ["TICKET_STATUS_IN_PROGRESS"]
    if case.resolved and case.reopened:
        steps += ["TICKET_STATUS_REOPENED", "resolved"]
    for i, step in enumerate(steps):
        at = now + case.resolve_s * (i + 1) / len(steps)
        if at > closing - 30:
            return
        if step == "resolved":
            yield Followup(at, "ticket.TicketResolved", "desk", f"{name}/{i}", {"ticketId": name})
        else:
            yield Followup(at, "ticket.TicketUpdated", "desk", f"{name}/{i}", {"ticketId": name, "status": step})
