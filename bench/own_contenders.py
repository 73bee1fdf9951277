"""Ours: the runtime on the same counting as the others, and each service on its real work."""

import os
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import grpc.aio
from touchline.escalation.v1 import escalation_pb2, escalation_pb2_grpc
from touchline.nps.v1 import nps_pb2, nps_pb2_grpc
from touchline.router.v1 import events_pb2 as router_pb2
from touchline.sentiment.v1 import sentiment_pb2

from bench.contender import Bed, Contender, worker
from bench.kinds import Cases, Contacts, Messages
from bench.load import Fact, Load, Sender
from deploy.embedded.layout import LOOPBACK, assign_ports
from services.runtime.admin import probe
from services.runtime.topics import (
    ESCALATION_FLAGGED,
    NPS_CHANGED,
    ROUTING_DECIDED,
    SENTIMENT_SCORED,
    TOUCHPOINT_EVENTS,
)


class Service(Contender):
    """One of our processes: asked over gRPC how far it is."""

    module, database = "", ""
    source = TOUCHPOINT_EVENTS
    ids = True
    address = ""
    traces_url = ""
    extra: Mapping[str, str] = {}

    def command(self, bed: Bed) -> Sequence[str]:
        return [sys.executable, "-m", self.module]

    def environment(self, bed: Bed) -> Mapping[str, str]:
        port = assign_ports(bed.stack.layout, [f"bench.{self.name}"])[f"bench.{self.name}"]
        self.address = f"{LOOPBACK}:{port}"
        traces = {"OTEL_TRACES_EXPORTER": "none"}
        if self.traces_url:
            traces = {
                "OTEL_TRACES_EXPORTER": "zipkin",
                "OTEL_EXPORTER_ZIPKIN_ENDPOINT": f"{self.traces_url}/api/v2/spans",
            }
        return {
            "KAFKA_BOOTSTRAP": bed.bootstrap,
            "DATABASE_URL": bed.stack.postgres.dsn(self.database),
            "GRPC_BIND": self.address,
            "OTEL_SERVICE_NAME": self.name,
            # As the embedded stack starts it: the same name after a crash has its partitions back at once.
            "BATCH_MEMBER": f"{self.name}-1",
            **traces,
            **self.extra,
        }

    async def prepare(self, bed: Bed, load: Load) -> None:
        await bed.stack.postgres.create_databases([self.database])

    async def behind(self) -> int | None:
        """Its lag: nothing left to consume or to publish where it is 0."""
        self.alive()
        status = await probe(self.address)
        return status.lag if status is not None and status.healthy and status.lag >= 0 else None


class Runtime(Service):
    """Our runtime, on the same counting as the others."""

    name = "runtime"
    source = "bench.runtime.events"
    module, database = "bench.workers.counting", "touchline_bench"
    settings = "as shipped: duplicates dropped by id, state and outbox in Postgres, acks=all"
    crash = f"as shipped: static membership; session timeout {os.environ.get('BATCH_SESSION_TIMEOUT_MS', '10000')} ms"
    sink = NPS_CHANGED
    recovers = True

    def command(self, bed: Bed) -> Sequence[str]:
        return worker("counting", self.source)

    def read(self, record: Any) -> Fact | None:
        told = nps_pb2.NpsChanged.FromString(record.value)
        return told.customer_id, told.after


class Traced(Runtime):
    """The same with tracing on, as shipped: the gateway begins a trace for 2 % of the events."""

    name = "runtime-traced"
    settings = "as runtime, with 2 % of the events traced to Zipkin, as shipped"
    recovers = False

    def load(self, seed: int = 1) -> Load:
        return Load(self.source, seed, traced=True)


class Nps(Service):
    """Our NPS service: which answer stands, cells by segment and window, customers' last answers."""

    name = "nps"
    module, database, sink = "services.nps.main", "touchline_nps", NPS_CHANGED
    settings = "its real work: answers that stand, 12 counter cells an answer, read model"
    crash = "as shipped: static membership; session timeout 10 s"
    share = 0.4

    def read(self, record: Any) -> Fact | None:
        told = nps_pb2.NpsChanged.FromString(record.value)
        return told.customer_id, int(told.survey_id.rpartition("/")[2])

    async def wrong(self, load: Load) -> list[str]:
        async with grpc.aio.insecure_channel(self.address) as channel:
            answer = await nps_pb2_grpc.NpsServiceStub(channel).GetNps(nps_pb2.GetNpsRequest(), timeout=10)
        found = answer.all
        told = {name: getattr(found, name) for name in ("promoters", "passives", "detractors")}
        return [f"its figure is {told}, and should be {dict(load.groups)}"] if told != dict(load.groups) else []


class Sentiment(Service):
    """Our sentiment service: every message scored by the model, running moods."""

    name = "sentiment"
    module, database, sink = "services.sentiment.main", "touchline_sentiment", SENTIMENT_SCORED
    settings = "its real work: a message scored, moods of contact and customer, counters"
    share = 0.25

    def load(self, seed: int = 1) -> Load:
        self._messages = Messages(self.source, seed)
        return self._messages

    def read(self, record: Any) -> Fact | None:
        told = sentiment_pb2.MessageScored.FromString(record.value)
        return self._messages.by_id.get(told.message_id, (told.customer_id, 0))


class Router(Service):
    """Our router: triage by customer, assignment by pool, with seats signed in."""

    name = "router"
    module, database, sink = "services.router.main", "touchline_router", ROUTING_DECIDED
    settings = "its real work: requests and ends of contacts, triage and assignment; no peers to look up from"
    share = 0.25
    by_lag = True

    def load(self, seed: int = 1) -> Load:
        return Contacts(self.source, seed)

    async def prepare(self, bed: Bed, load: Load) -> None:
        await super().prepare(bed, load)
        assert isinstance(load, Contacts)
        sender = Sender(bed.bootstrap)
        for seat in load.seats(datetime.now(UTC)):
            sender.send(seat)
        sender.flush()

    def read(self, record: Any) -> Fact | None:
        if dict(record.headers).get("ce_type") != b"touchline.router.ContactTriaged.v1":
            return None
        told = router_pb2.ContactTriaged.FromString(record.value)
        return told.customer_id, int(told.contact_id.rpartition("/")[2])


class Escalation(Service):
    """Our escalation service: messages and scores joined, risk, flags."""

    name = "escalation"
    module, database, sink = "services.escalation.main", "touchline_escalation", ESCALATION_FLAGGED
    settings = "its real work: messages and their scores from two topics joined, risk, cases, a team that flags"
    share = 0.15
    one_to_one, by_lag = False, True

    extra: Mapping[str, str] = {"ESCALATION_POLICY": str(Path(__file__).with_name("followups.toml"))}

    def load(self, seed: int = 1) -> Load:
        self._cases = Cases(self.source, seed)
        return self._cases

    def read(self, record: Any) -> Fact | None:
        if dict(record.headers).get("ce_type") != b"touchline.escalation.ComplaintFlagged.v1":
            return None
        told = escalation_pb2.ComplaintFlagged.FromString(record.value)
        return self._cases.by_name.get(told.cause.rpartition(" ")[2])

    async def wrong(self, load: Load) -> list[str]:
        """A customer's contacts are four messages each, and the risk names how many there were, as far as it keeps them."""
        some = sorted(load.sent)[:500]
        async with grpc.aio.insecure_channel(self.address) as channel:
            stub = escalation_pb2_grpc.EscalationServiceStub(channel)
            answer = await stub.GetRisk(escalation_pb2.GetRiskRequest(customer_ids=some), timeout=10)
        differ = 0
        for customer in some:
            contacts = min(64, load.sent[customer] // 4 + 1)
            told = next((r.value for r in answer.customers[customer].reasons if r.code == "repeat_contact"), 1)
            differ += contacts > 1 and told != contacts
        return [f"the risk of {differ} of {len(some)} customers rests on other contacts than theirs"] if differ else []
