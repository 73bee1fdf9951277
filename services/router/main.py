"""The router: triage by customer, assignment by pool."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

from services.router import balance, codec, counters, rpc, store
from services.router.domain import assignment, triage
from services.router.domain.events import CustomerEvent, PoolEvent
from services.router.domain.facts import PoolFact, TriageFact
from services.router.domain.policy import Policy
from services.router.domain.pool import Pool
from services.router.domain.triage import Customer
from services.router.lookups import Lookups
from services.router.parts import IN_PARTS
from services.router.policybox import PolicyBox
from services.router.settings import PeerSettings, RouterSettings
from services.runtime.beside import HOUR_S, again
from services.runtime.pipeline import Pipeline
from services.runtime.service import House, Parts, serve
from services.runtime.settings import load as settings_of
from services.runtime.topics import POOL_EVENTS, TOUCHPOINT_EVENTS


def _in_force(policy: Policy | Callable[[], Policy]) -> Callable[[], Policy]:
    return (lambda: policy) if isinstance(policy, Policy) else policy


def triage_pipeline(
    policy: Policy | Callable[[], Policy], lookups: Lookups
) -> Pipeline[Customer, CustomerEvent, TriageFact]:
    """Customers' events in; who goes where, and who waits in which pool, out. policy: one, or what tells it now."""
    now_in_force = _in_force(policy)
    return Pipeline(
        name="router.triage",
        topics=(TOUCHPOINT_EVENTS,),
        state_type=Customer,
        initial=Customer,
        read=codec.to_triage,
        enrich=lookups.enrich,
        decide=lambda state, event, now: triage.decide(state, event, now, now_in_force()),
        write=codec.from_fact,
        project=store.project_triage,
        count=counters.count,
        metric=counters.ROUTING,
    )


def assignment_pipeline(policy: Policy | Callable[[], Policy]) -> Pipeline[Pool, PoolEvent, PoolFact]:
    """A pool's events in; offers and what became of them out. policy: one, or what tells it now."""
    now_in_force = _in_force(policy)
    return Pipeline(
        name="router.assignment",
        topics=(POOL_EVENTS,),
        state_type=Pool,
        initial=Pool,
        read=codec.to_assignment,
        decide=lambda state, event, now: assignment.decide(state, event, now, now_in_force().terms(state.pool)),
        tick=lambda state, now: assignment.tick(state, now, now_in_force().terms(state.pool)),
        due=assignment.due,
        parts=IN_PARTS,
        write=codec.from_fact,
        project=store.project_assignment,
        count=counters.count,
        metric=counters.ROUTING,
    )


async def build(house: House) -> Parts:
    """The service's parts."""
    settings, peers = settings_of(RouterSettings), settings_of(PeerSettings)
    policy, keep = PolicyBox(settings.policy), timedelta(days=settings.keep_days)

    def peer(address: str) -> Any:
        return house.peer(address) if address else None

    lookups = Lookups(
        sentiment=peer(peers.sentiment_addr),
        nps=peer(peers.nps_addr),
        escalation=peer(peers.escalation_addr),
        deadline_s=settings.lookup_ms / 1000,
    )
    assigning = assignment_pipeline(lambda: policy.now)
    answers = rpc.servicer(
        house.pool,
        assigning.name,
        house.commands(),
        house.clock,
        settings.command_ms / 1000,
        house.reader,
        lambda: policy.now.pools,
    )
    return Parts(
        pipelines=[triage_pipeline(lambda: policy.now, lookups), assigning],
        servicers=[answers],
        tasks=[
            again(lambda: store.forget(house.pool, house.clock() - keep), HOUR_S, "old decisions could not be dropped"),
            policy.watch,
            balance.watching(house.pool, assigning.name, house.clock, settings.balance_s, lambda: policy.now.pools),
        ],
    )


if __name__ == "__main__":
    serve("router", build, migrations=Path(__file__).parent)
