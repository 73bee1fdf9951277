"""The escalation service: touchpoints and scores in, complaints about to escalate out, and their follow-ups."""

from datetime import timedelta
from functools import partial
from pathlib import Path

from services.escalation import causes_store, codec, counters, rpc, store
from services.escalation.domain import causes, followups
from services.escalation.domain import decide as customers
from services.escalation.domain.causes import Cause, CauseHeated, Reported
from services.escalation.domain.decide import Policy
from services.escalation.domain.events import Event
from services.escalation.domain.state import Customer
from services.escalation.domain.tasks import CaseFact, TeamEvent, TeamFact
from services.escalation.domain.team import FollowUpPolicy, Team
from services.escalation.policyfile import BadPolicyError
from services.escalation.reaching import tell
from services.escalation.settings import EscalationSettings
from services.runtime.beside import HOUR_S, again
from services.runtime.errors import Misconfigured
from services.runtime.pipeline import Pipeline
from services.runtime.service import House, Parts, serve
from services.runtime.settings import load
from services.runtime.topics import (
    CAUSE_EVENTS,
    ESCALATION_FLAGGED,
    OUTREACH_EVENTS,
    ROUTING_DECIDED,
    SENTIMENT_SCORED,
    SENTIMENT_SHIFTED,
    TEAM_EVENTS,
    TOUCHPOINT_EVENTS,
)


def case_pipeline(policy: Policy, teams: FollowUpPolicy) -> Pipeline[Customer, Event, CaseFact]:
    """By customer: what happens in, cases that compete for follow-ups out. It hears what became of them as well."""
    return Pipeline(
        name="escalation",
        topics=(
            TOUCHPOINT_EVENTS,
            SENTIMENT_SCORED,
            SENTIMENT_SHIFTED,
            ROUTING_DECIDED,
            ESCALATION_FLAGGED,
            OUTREACH_EVENTS,
        ),
        state_type=Customer,
        initial=Customer,
        read=codec.read,
        decide=partial(customers.decide, policy=policy, teams=teams),
        write=codec.write_case,
        tick=partial(customers.tick, policy=policy, teams=teams),
        due=partial(customers.due, teams=teams),
        project=store.project_cases,
        unhurried=True,
    )


def team_pipeline(teams: FollowUpPolicy) -> Pipeline[Team, TeamEvent, TeamFact]:
    """By team: cases and commands in, flags and what became of their follow-ups out."""
    return Pipeline(
        name="escalation.team",
        topics=(TEAM_EVENTS,),
        state_type=Team,
        initial=Team,
        read=codec.read_team,
        decide=lambda state, event, now: followups.decide(state, event, now, teams.terms_of(state.team)),
        write=codec.write_team,
        tick=lambda state, now: followups.tick(state, now, teams.terms_of(state.team)),
        due=lambda state: followups.due(state, teams.terms_of(state.team)),
        project=store.project_teams,
        count=counters.count,
        metric=counters.METRIC,
    )


def cause_pipeline() -> Pipeline[Cause, Reported, CauseHeated]:
    """By cause: customers' reports in, waves out."""
    return Pipeline(
        name="escalation.cause",
        topics=(CAUSE_EVENTS,),
        state_type=Cause,
        initial=Cause,
        read=codec.read_cause,
        decide=causes.decide,
        write=codec.write_wave,
        project=causes_store.project_waves,
    )


async def build(house: House) -> Parts:
    """The service's parts."""
    settings = load(EscalationSettings)
    try:
        teams = settings.follow_ups()
    except BadPolicyError as error:
        raise Misconfigured(f"ESCALATION_POLICY: {error}") from None
    cases = case_pipeline(settings.numbers(), teams)
    servicers = [rpc.servicer(house.pool, cases.name, house.commands(), house.clock, teams.credit, house.reader)]
    keep = timedelta(days=settings.keep_days)

    async def forget() -> None:
        await store.forget(house.pool, house.clock() - keep)
        await causes_store.forget(house.pool, house.clock() - keep)

    return Parts(
        pipelines=[cases, team_pipeline(teams), cause_pipeline()],
        servicers=servicers,
        tasks=[
            again(forget, HOUR_S, "old budgets, orders or waves could not be dropped"),
            again(lambda: tell(house, settings.outreach_per_s), 1.0, "outreach waits"),
        ],
    )


if __name__ == "__main__":
    serve("escalation", build, migrations=Path(__file__).parent)
