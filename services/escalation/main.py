"""The escalation service: touchpoints and scores in, complaints about to escalate out, and their follow-ups."""

from functools import partial
from pathlib import Path

from services.escalation import codec, counters, rpc, store
from services.escalation.domain.decide import Policy, decide, due, tick
from services.escalation.domain.events import Event, Fact
from services.escalation.domain.state import Customer
from services.escalation.settings import EscalationSettings
from services.runtime.pipeline import Pipeline
from services.runtime.service import House, Parts, serve
from services.runtime.settings import load
from services.runtime.topics import SENTIMENT_SCORED, TOUCHPOINT_EVENTS


def pipeline(policy: Policy) -> Pipeline[Customer, Event, Fact]:
    """The service's one pipeline."""
    return Pipeline(
        name="escalation",
        topics=(TOUCHPOINT_EVENTS, SENTIMENT_SCORED),
        state_type=Customer,
        initial=Customer,
        read=codec.read,
        decide=partial(decide, policy=policy),
        write=codec.write,
        tick=partial(tick, policy=policy),
        due=due,
        project=store.project,
        count=counters.count,
        metric=counters.METRIC,
    )


async def build(house: House) -> Parts:
    """The service's parts."""
    policy = load(EscalationSettings).policy()
    servicers = [rpc.servicer(house.pool, house.commands(), house.clock)]
    return Parts(pipelines=[pipeline(policy)], servicers=servicers)


if __name__ == "__main__":
    serve("escalation", build, migrations=Path(__file__).parent)
