"""Gathers the evidence from a running system: its topics, its answers over gRPC, and the player's journal."""

import asyncio
import os
import time
import tomllib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

from touchline.escalation.v1 import escalation_pb2, escalation_pb2_grpc
from touchline.nps.v1 import nps_pb2_grpc
from touchline.router.v1 import router_pb2, router_pb2_grpc

from deploy.embedded.layout import Layout
from deploy.embedded.state import State, is_held
from deploy.embedded.state import read as read_state
from services.cli.audit.ledger import ALL_TOPICS, FACT_TOPICS, Evidence, load_journal
from services.cli.audit.report import Check, Findings
from services.cli.audit.uplift import HORIZON_H
from services.cli.audit.wire import POOLS, SECOND, Record
from services.cli.calls import all_pages
from services.runtime.admin import probe
from services.runtime.clock import clock_from
from services.runtime.rpc import LookupFailed, channel
from services.runtime.settings import KafkaSettings
from services.runtime.tail import read_all

POLICY = Path(__file__).parents[2] / "router" / "policy.toml"
DEADLINE_S = 10.0
MOST_LISTED = 1000
SETTLE_S = 120.0
PROBE_S = 5.0
ATTEMPTS = 6
MOVING = (POOLS, *FACT_TOPICS)
"""Topics on which something may appear although nobody sends anything: time alone decides too."""

Progress = Callable[[str], None]


class NotRunning(Exception):
    """There is no system to audit."""


def running(data_dir: Path) -> State:
    """The state of the system on the data folder. Raises NotRunning, also where its supervisor was killed and left its state."""
    layout = Layout.of(data_dir)
    state = read_state(layout) if is_held(layout) else None
    if state is None or not state.bootstrap:
        raise NotRunning(f"{data_dir}: nothing is up there")
    return state


async def settled(state: State, limit_s: float = SETTLE_S) -> Check:
    """Waits until every service has done all that is on its topics; what is left after the limit is a finding."""
    findings = Findings()
    until = time.monotonic() + limit_s
    calm = 0
    while True:
        answers = await asyncio.gather(*(probe(address, PROBE_S) for address in state.grpc.values()))
        lags = {name: a.lag if a else None for name, a in zip(state.grpc, answers, strict=True)}
        # Twice in a row: what one service has just finished may be another's work that it has not seen yet.
        calm = calm + 1 if all(lag == 0 for lag in lags.values()) else 0
        if calm >= 2 or time.monotonic() > until:
            break
        await asyncio.sleep(0.5)
    for name, lag in lags.items():
        if lag != 0:
            findings.add(f"{name}: " + ("does not answer" if lag is None else f"{lag} records behind"))
    return findings.check("全部处理完毕", "nothing left to process", 0, sum(lag or 0 for lag in lags.values()))


async def collect(data_dir: Path, state: State, journal: Path | None, progress: Progress) -> Evidence:
    """All the evidence, of one moment: where a clock runs on and the services decide meanwhile, it is gathered again.

    Raises ValueError where the journal can't be read, KafkaError where Kafka is away.
    """
    lines = await asyncio.to_thread(load_journal, journal) if journal is not None else None
    kafka = KafkaSettings(bootstrap=state.bootstrap)
    for _ in range(ATTEMPTS):
        records = {topic: await _topic(kafka, topic, progress) for topic in ALL_TOPICS}
        progress("asking the services")
        evidence = await _ask_all(data_dir, state, lines, records)
        again = {topic: await _topic(kafka, topic, progress) for topic in MOVING}
        if all(len(again[topic]) == len(records[topic]) for topic in MOVING):
            break
        progress("the services went on meanwhile; gathering again")
        await settled(state)
    return evidence


async def _topic(kafka: KafkaSettings, topic: str, progress: Progress) -> Sequence[Record]:
    progress(f"reading {topic}")
    return await read_all(kafka, topic)


async def _ask_all(
    data_dir: Path, state: State, journal: Sequence[Mapping[str, Any]] | None, records: Mapping[str, Sequence[Record]]
) -> Evidence:
    pools = {(r.key or b"").decode(errors="replace") for r in records[POOLS]}
    customers = sorted({(r.key or b"").decode(errors="replace") for r in records["escalation.flagged"]})
    follow_ups, all_listed = await _follow_ups(state, customers)
    clock = clock_from(state.clock)
    asked = clock()
    uplift = await _uplift(state)
    return Evidence(
        journal=journal,
        records=records,
        now=int(clock().timestamp() * SECOND),
        nps=await _nps(state),
        follow_ups=follow_ups,
        all_listed=all_listed,
        uplift=uplift,
        uplift_asked=(int(asked.timestamp() * SECOND), int(clock().timestamp() * SECOND)),
        pools=await _pools(state, sorted(pools)),
        policy=policy(_policy_text(data_dir)),
    )


def _policy_text(data_dir: Path) -> str:
    """The file that the router was told of: by ROUTER_POLICY, else the demo's in the data folder, else its own."""
    demo = data_dir / "policy.toml"
    return Path(os.environ.get("ROUTER_POLICY") or (demo if demo.is_file() else POLICY)).read_text(encoding="utf-8")


def policy(text: str) -> dict[str, Any]:
    """The triage policy; its version is the declared one and a hash of the text, as decisions name it."""
    parsed = tomllib.loads(text)
    return {**parsed, "version": f"{parsed['version']}+{sha256(text.encode()).hexdigest()[:12]}"}


async def _ask(call: Awaitable[Any]) -> Any:
    """A service's answer, or None: the checks say what is missing then."""
    try:
        return await call
    except LookupFailed:
        return None


async def _nps(state: State) -> Any:
    async with channel(state.grpc["nps"]) as to:
        return await _ask(all_pages(nps_pb2_grpc.NpsServiceStub(to), DEADLINE_S))


async def _uplift(state: State) -> Any:
    async with channel(state.grpc["escalation"]) as to:
        request = escalation_pb2.GetUpliftRequest(horizon_hours=HORIZON_H)
        return await _ask(escalation_pb2_grpc.EscalationServiceStub(to).GetUplift(request, timeout=DEADLINE_S))


async def _pools(state: State, names: Sequence[str]) -> dict[str, Any]:
    async with channel(state.grpc["router"]) as to:
        stub = router_pb2_grpc.RouterServiceStub(to)
        answers = [await _ask(stub.GetPool(router_pb2.GetPoolRequest(pool=name), timeout=DEADLINE_S)) for name in names]
    return {name: a for name, a in zip(names, answers, strict=True) if a is not None}


async def _follow_ups(state: State, customers: Sequence[str]) -> tuple[list[Any], bool]:
    """Every follow-up; customer by customer where one answer can't hold them all, and then only of those who were flagged."""
    async with channel(state.grpc["escalation"]) as to:
        stub = escalation_pb2_grpc.EscalationServiceStub(to)

        async def ask(customer: str = "") -> list[Any]:
            request = escalation_pb2.ListFollowUpsRequest(include_closed=True, limit=MOST_LISTED, customer_id=customer)
            answer = await _ask(stub.ListFollowUps(request, timeout=DEADLINE_S))
            return list(answer.follow_ups) if answer else []

        first = await ask()
        if len(first) < MOST_LISTED:
            return first, True
        found = {f.follow_up_id: f for f in first}
        for customer in customers:
            found |= {f.follow_up_id: f for f in await ask(customer)}
        return list(found.values()), False
