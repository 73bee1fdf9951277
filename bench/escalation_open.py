"""A million open customers in the real database: `python -m bench.escalation_open [--customers 1000000] [--seconds 60] [--json FILE]`.

The service as shipped, alone on the embedded Kafka and Postgres, with every customer's state and risk as it would have left them. Nothing
happens to any of them: what its process and Postgres take is what silence costs, polling included. Then `GetRisk` is asked for 100 of
them at a time, drawn evenly, which no cache likes; and an empty call (the health check) in the same way, which is what a call takes at all.
"""

import argparse
import asyncio
import json
import random
import shutil
import sys
import tempfile
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import asyncpg
import grpc.aio
import msgspec
import uvloop
from grpc_health.v1 import health_pb2, health_pb2_grpc
from touchline.escalation.v1 import escalation_pb2, escalation_pb2_grpc

from bench.contender import Bed
from bench.escalation_floor import NAMELESS, Floor
from bench.fresh import PARTITIONS, fresh
from bench.lookups import MANY, asked
from bench.meter import Meter
from bench.own_contenders import Escalation
from bench.plan import POSTGRES
from bench.session import say
from deploy.embedded.process import StartError
from deploy.embedded.stack import Stack
from services.escalation.domain.decide import due, tick
from services.escalation.domain.state import Customer

_AT_ONCE = 100_000
# A tick that is late is only late, one that is early is none: the histories repeat, and their ticks are spread over an hour.
_STATES = """INSERT INTO runtime.entity (pipeline, key, partition, version, due_at, body)
             SELECT 'escalation', c.key, c.n % $4, 1, h.due + random() * interval '1 hour', replace(h.body, $1, c.key)::jsonb
             FROM (SELECT n, 'customer-' || lpad(n::text, 11, '0') AS key FROM generate_series($2::int, $3::int) AS n) AS c
             JOIN bench_history h ON h.n = c.n % $5 ON CONFLICT DO NOTHING"""
_RISKS = """INSERT INTO customer_risk (customer_id, risk, reasons, flagged)
            SELECT 'customer-' || lpad(c::text, 11, '0'), h.risk, h.reasons::jsonb, false
            FROM generate_series($1::int, $2::int) AS c JOIN bench_history h ON h.n = c % $3 WHERE h.risk > 0
            ON CONFLICT DO NOTHING"""


@dataclass(frozen=True, slots=True)
class Found:
    """What was measured. core, postgres_core: shares of a core over those seconds; ticks_per_s: customers looked at again."""

    customers: int
    seconds: float
    ticks_per_s: float
    core: float
    postgres_core: float
    rss_mb: float
    p50_ms: float
    p99_ms: float
    calls_per_s: float
    empty_p50_ms: float
    empty_p99_ms: float
    failed: list[str]


def caught_up(state: Customer, now: datetime) -> Customer:
    """The state as the ticks until now have left it."""
    while (at := due(state)) is not None and at <= now:
        state, _ = tick(state, at)
    return state


async def populate(db: Any, floor: Floor) -> None:
    """Every customer's state and risk, made by SQL from the histories."""
    await db.execute("CREATE TABLE bench_history (n int, body text, due timestamptz, risk float8, reasons text)")
    states = [caught_up(msgspec.json.decode(body, type=Customer), floor.now) for body in floor.histories]
    await db.copy_records_to_table(
        "bench_history",
        records=[
            (n, msgspec.json.encode(s).decode(), due(s), float(s.risk), msgspec.json.encode(s.reasons).decode())
            for n, s in enumerate(states)
        ],
    )
    kinds = len(states)
    for begin in range(0, floor.customers, _AT_ONCE):
        last = min(begin + _AT_ONCE, floor.customers) - 1
        await db.execute(_STATES, NAMELESS, begin, last, PARTITIONS, kinds)
        await db.execute(_RISKS, begin, last, kinds)
    # What loading leaves to be tidied up is no cost of silence.
    await db.execute("VACUUM (ANALYZE) runtime.entity")
    await db.execute("VACUUM (ANALYZE) customer_risk")
    await db.execute("CHECKPOINT")


async def silence(bed: Bed, service: Escalation, db: Any, seconds: float) -> tuple[float, float, float, float]:
    """Ticks a second, the shares of a core that the service and Postgres take, and the service's memory in MB."""
    versions = "SELECT coalesce(sum(version), 0)::bigint FROM runtime.entity WHERE pipeline = 'escalation'"
    meter = Meter(bed, [service.process()])
    before = await db.fetchval(versions)
    meter.sample(0)
    await asyncio.sleep(seconds)
    meter.sample(1)
    ticks = await db.fetchval(versions) - before
    first, last = meter.samples
    took = last.at - first.at
    own, postgres = ((last.cpu[part] - first.cpu[part]) / took for part in ("own", "postgres"))
    return ticks / took, own, postgres, meter.rss_mb or 0.0


async def run(folder: Path, customers: int, seconds: float, calls: int, rate: float) -> Found:
    """Starts everything, fills it, and measures. Raises StartError where it does not start."""
    async with Stack(folder, topics=False, postgres=POSTGRES) as stack:
        bed, service = Bed(stack), Escalation()
        await fresh(bed, service.source, service.sink)
        await service.prepare(bed, service.load())
        try:
            await service.start(bed)  # makes the tables
            await _quiet(service)
            await service.stop()
            say(f"{customers:,} customers are laid ready")
            db = await asyncpg.connect(stack.postgres.dsn(service.database), statement_cache_size=0)
            await populate(db, Floor(customers, now=datetime.now(UTC) - timedelta(minutes=61)))
            service.state = None
            await service.start(bed)
            await _quiet(service)
            await _worked_off(db)
            say(f"silence: {seconds:.0f} s")
            ticks, own, postgres, rss = await silence(bed, service, db, seconds)
            say(f"GetRisk for {MANY} customers: {rate:.0f} calls/s, {calls} calls")
            draw = random.Random(1)
            async with grpc.aio.insecure_channel(service.address) as channel:
                stub = escalation_pb2_grpc.EscalationServiceStub(channel)

                async def call(_: int) -> object:
                    names = [f"customer-{draw.randrange(customers):011d}" for _ in range(MANY)]
                    return await stub.GetRisk(escalation_pb2.GetRiskRequest(customer_ids=names), timeout=5)

                health = health_pb2_grpc.HealthStub(channel)
                check = health_pb2.HealthCheckRequest()
                empty = await asked("an empty call", lambda _: health.Check(check, timeout=5), calls, rate)
                made = await asked("escalation.GetRisk", call, calls, rate)
            await db.close()
        finally:
            await service.stop()
    return Found(
        customers=customers,
        seconds=seconds,
        ticks_per_s=ticks,
        core=own,
        postgres_core=postgres,
        rss_mb=rss,
        p50_ms=made.p50_ms or 0.0,
        p99_ms=made.p99_ms or 0.0,
        calls_per_s=rate,
        empty_p50_ms=empty.p50_ms or 0.0,
        empty_p99_ms=empty.p99_ms or 0.0,
        failed=[*made.errors, *empty.errors],
    )


async def _worked_off(db: Any) -> None:
    """Until the ticks that came due while it was filled are done."""
    late = "SELECT count(*) FROM runtime.entity WHERE pipeline = 'escalation' AND due_at < now() - interval '2 seconds'"
    async with asyncio.timeout(300):
        while await db.fetchval(late) > 0:  # noqa: ASYNC110, asked over the network
            await asyncio.sleep(1)


async def _quiet(service: Escalation) -> None:
    async with asyncio.timeout(300):
        while (await service.behind()) != 0:  # noqa: ASYNC110, asked over the network
            await asyncio.sleep(0.2)


def main() -> int:
    """Measures, prints, and writes it where asked."""
    parser = argparse.ArgumentParser(prog="python -m bench.escalation_open", description=__doc__)
    parser.add_argument("--customers", type=int, default=1_000_000)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--calls", type=int, default=1000)
    parser.add_argument("--rate", type=float, default=50.0, help="calls a second")
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="touchline-bench-"))
    try:
        found = uvloop.run(run(folder, args.customers, args.seconds, args.calls, args.rate))
    except StartError as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    print(
        f"{found.customers:,} open customers, silent for {found.seconds:.0f} s: {found.ticks_per_s:.1f} looked at again a second, "
        f"{found.core:.3f} of a core, Postgres {found.postgres_core:.3f}; {found.rss_mb:.0f} MB\n"
        f"GetRisk for {MANY} customers at {found.calls_per_s:.0f} calls/s: p50 {found.p50_ms:.1f} ms, p99 {found.p99_ms:.1f} ms; "
        f"an empty call: p50 {found.empty_p50_ms:.1f} ms, p99 {found.empty_p99_ms:.1f} ms"
        + "".join(f"\nnot as it should be: {e}" for e in found.failed)
    )
    if args.json:
        args.json.write_text(json.dumps(asdict(found), indent=1) + "\n", encoding="utf-8")
    return 1 if found.failed else 0


if __name__ == "__main__":
    sys.exit(main())
