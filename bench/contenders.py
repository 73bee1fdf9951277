"""Who runs: the bare ceiling, our runtime, our NPS service, stock Faust."""

from collections.abc import Sequence
from typing import Any

import asyncpg
import grpc.aio
from touchline.nps.v1 import nps_pb2, nps_pb2_grpc

from bench.contender import Bed, Contender, Process
from bench.load import Load
from bench.sink import Fact
from bench.workers.counting import PIPELINE
from deploy.embedded.layout import LOOPBACK, assign_ports
from services.runtime.admin import probe
from services.runtime.topics import NPS_CHANGED, TOUCHPOINT_EVENTS


class Bare(Process):
    """The bare ceiling: what two Python clients and a dictionary can do, with nothing kept."""

    name = "bare"
    source, sink = "bench.bare.events", "bench.bare.counts"
    # Fast enough that less would be over before it could be measured.
    share = 2.0
    settings = "aiokafka, acks=1, auto commit"

    def argv(self, bed: Bed) -> Sequence[str]:
        return ["bench.workers.bare", bed.bootstrap, self.source, self.sink]

    def read(self, record: Any) -> Fact:
        return record.key.decode(), int(record.value)


class Faust(Process):
    """Stock Faust with a table in memory and its changelog on Kafka."""

    name = "faust"
    source, sink = "bench.faust.events", "bench.faust.counts"
    share = 0.2
    settings = "as it comes: at least once, memory table"

    def argv(self, bed: Bed) -> Sequence[str]:
        return ["bench.workers.stock_faust", bed.bootstrap, self.source, self.sink]

    def read(self, record: Any) -> Fact:
        return record.key.decode(), int(record.value)


class _Service(Process):
    """One of our processes: asked over gRPC how far it is."""

    sink = NPS_CHANGED
    module, database = "", ""
    _address = ""

    def argv(self, bed: Bed) -> Sequence[str]:
        return [self.module]

    def environment(self, bed: Bed) -> dict[str, str]:
        port = assign_ports(bed.stack.layout, [f"bench.{self.name}"])[f"bench.{self.name}"]
        self._address = f"{LOOPBACK}:{port}"
        self.dsn = bed.stack.postgres.dsn(self.database)
        return {
            "KAFKA_BOOTSTRAP": bed.bootstrap,
            "DATABASE_URL": self.dsn,
            "GRPC_BIND": self._address,
            "OTEL_TRACES_EXPORTER": "none",
            "OTEL_SERVICE_NAME": self.name,
        }

    async def start(self, bed: Bed) -> None:
        await bed.stack.postgres.create_databases([self.database])
        await super().start(bed)

    async def done(self) -> bool:
        """No lag: nothing left to consume or to publish, counters too."""
        self.alive()
        status = await probe(self._address)
        return status is not None and status.healthy and status.lag == 0


class Runtime(_Service):
    """Our runtime, on the same counting as the others: ids checked, state and outbox in Postgres."""

    name = "runtime"
    source = "bench.runtime.events"
    module, database = "bench.workers.counting", "touchline_bench"
    settings = "as shipped: ids checked, state in Postgres, acks=all"

    def argv(self, bed: Bed) -> Sequence[str]:
        return [self.module, self.source]

    def read(self, record: Any) -> Fact:
        told = nps_pb2.NpsChanged.FromString(record.value)
        return told.customer_id, told.after

    async def wrong(self, load: Load) -> list[str]:
        db = await asyncpg.connect(self.dsn)
        try:
            rows = await db.fetch(
                "SELECT key, (body->>'events')::int FROM runtime.entity WHERE pipeline = $1", PIPELINE
            )
        finally:
            await db.close()
        kept = {r[0]: r[1] for r in rows}
        differ = sum(kept.get(c) != n for c, n in load.sent.items()) + len(kept.keys() - load.sent.keys())
        return [f"the counts of {differ} customers in Postgres differ"] if differ else []


class Nps(_Service):
    """Our NPS service on its real work: which answer stands, cells by segment and window, customers' last answers."""

    name = "nps"
    source = TOUCHPOINT_EVENTS
    module, database = "services.nps.main", "touchline_nps"
    settings = "as shipped; 3 dimensions, 3 windows"

    def read(self, record: Any) -> Fact:
        told = nps_pb2.NpsChanged.FromString(record.value)
        return told.customer_id, int(told.survey_id.rpartition("/")[2])

    async def wrong(self, load: Load) -> list[str]:
        async with grpc.aio.insecure_channel(self._address) as channel:
            answer = await nps_pb2_grpc.NpsServiceStub(channel).GetNps(nps_pb2.GetNpsRequest(), timeout=10)
        found = answer.all
        told = {name: getattr(found, name) for name in ("promoters", "passives", "detractors")}
        return [f"its figure is {told}, and should be {dict(load.groups)}"] if told != dict(load.groups) else []


ALL: tuple[type[Contender], ...] = (Bare, Runtime, Nps, Faust)
