"""How long GetNps takes with 6,000 stores and 28 stages: `python -m bench.nps_lookup [--answers N] [--seconds S] [--events R]`.

The service runs as it is deployed, on the embedded Kafka and Postgres; a year of answers lies in its table. Calls come at a
steady rate, whether or not those before them are answered, and are timed from the moment they were due. An empty call (the health check) is
asked in the same way in between: what a call takes beyond it is the lookup's.
"""

import argparse
import asyncio
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import asyncpg
import grpc.aio
import uvloop
from google.protobuf.timestamp_pb2 import Timestamp
from grpc_health.v1 import health_pb2, health_pb2_grpc
from touchline.nps.v1 import nps_pb2, nps_pb2_grpc
from touchline.survey.v1 import events_pb2 as survey_pb2

from bench.lookups import asked
from deploy.embedded.layout import assign_ports
from deploy.embedded.stack import Stack
from services.nps.domain.board import Board, hour_number
from services.nps.rpc import NpsAnswers
from services.runtime.admin import probe
from services.runtime.migrate import migrate
from services.runtime.publisher import Publisher
from services.runtime.records import write
from services.runtime.settings import KafkaSettings

ROOT = Path(__file__).resolve().parents[1]
STORES, STAGES, REGIONS = 6000, 28, 8

FILL = """
    INSERT INTO answer (customer_id, survey_id, score, answered_at, segments)
    SELECT 'c' || n, 's' || n, floor(random() * 11)::int, now() - random() * interval '365 days',
           jsonb_build_object('channel', (ARRAY['app', '微信', 'phone'])[1 + floor(random() * 3)::int], 'region', 'r' || store % $3::int,
                              'store', 'st' || store, 'touchpoint', 't' || floor(random() * $4::int)::int)
    FROM (SELECT n, floor(random() * $2::int)::int AS store FROM generate_series(1, $1::int) AS n) AS numbered"""


def requests(now: datetime, seed: int) -> dict[str, Callable[[], nps_pb2.GetNpsRequest]]:
    """What dashboards and desks ask for; every request names other segments and moments."""
    rnd = random.Random(seed)

    def at() -> Timestamp:
        made = Timestamp()
        made.FromDatetime(now - timedelta(hours=rnd.randrange(24 * 360)))
        return made

    def store() -> str:
        return f"st{rnd.randrange(STORES)}"

    def stage() -> str:
        return f"t{rnd.randrange(STAGES)}"

    def region() -> str:
        return f"r{rnd.randrange(REGIONS)}"

    def ask(**words: object) -> nps_pb2.GetNpsRequest:
        return nps_pb2.GetNpsRequest(**words)  # type: ignore[arg-type]

    days30 = {"window": nps_pb2.WINDOW_ROLLING, "days": 30}
    return {
        "a store's stage, all time": lambda: ask(where={"store": store(), "touchpoint": stage()}),
        "a store's stage, a month": lambda: ask(where={"store": store(), "touchpoint": stage()}, window=nps_pb2.WINDOW_MONTH, at=at()),
        "a store by stage, 30 days": lambda: ask(where={"store": store()}, dimensions=["touchpoint"], limit=28, at=at(), **days30),
        "a region's stage, a week": lambda: ask(where={"region": region(), "touchpoint": stage()}, window=nps_pb2.WINDOW_WEEK, at=at()),
        "all by stage, a day": lambda: ask(dimensions=["touchpoint"], limit=28, window=nps_pb2.WINDOW_DAY, at=at()),
        "all by region, all time": lambda: ask(dimensions=["region"], limit=8),
        "an hour": lambda: ask(where={"channel": "微信"}, window=nps_pb2.WINDOW_HOUR, at=at()),
    }  # fmt: skip


def heavy(now: datetime, seed: int = 1) -> dict[str, Callable[[], nps_pb2.GetNpsRequest]]:
    """What touches very many answers or stores: told apart from what is asked all day. Each names another region or stage."""
    at, rnd = Timestamp(), random.Random(seed)
    at.FromDatetime(now)

    def year(**words: object) -> nps_pb2.GetNpsRequest:
        return nps_pb2.GetNpsRequest(window=nps_pb2.WINDOW_ROLLING, days=365, at=at, **words)  # type: ignore[arg-type]

    return {
        "a region's channel, a year": lambda: year(where={"region": f"r{rnd.randrange(REGIONS)}", "channel": "app"}),
        "a stage by region, a year": lambda: year(where={"touchpoint": f"t{rnd.randrange(STAGES)}"}, dimensions=["region"], limit=8),
        "all 6,000 stores, all time": lambda: nps_pb2.GetNpsRequest(dimensions=["store"]),
    }  # fmt: skip


async def run(args: argparse.Namespace, stack: Stack) -> None:
    """Fills the table, starts the service, asks."""
    dsn, now = stack.dsn("nps"), datetime.now(UTC)
    await migrate(dsn, ROOT / "services/nps")
    connection = await asyncpg.connect(dsn)
    await connection.execute(FILL, args.answers, STORES, REGIONS, STAGES)
    await connection.execute("ANALYZE")
    await connection.close()
    address = f"127.0.0.1:{assign_ports(stack.layout, ['bench.nps'])['bench.nps']}"
    env = {
        **os.environ, "KAFKA_BOOTSTRAP": stack.bootstrap, "DATABASE_URL": dsn, "GRPC_BIND": address, "OTEL_TRACES_EXPORTER": "none",
    }  # fmt: skip
    process = subprocess.Popen([sys.executable, "-m", "services.nps.main"], env=env, cwd=ROOT)  # noqa: ASYNC220 (a moment)
    publisher = Publisher(KafkaSettings(bootstrap=stack.bootstrap))
    await publisher.start()
    try:
        async with asyncio.timeout(300):
            while (found := await probe(address)) is None or not found.healthy or found.lag:  # noqa: ASYNC110 (asked over the network)
                await asyncio.sleep(0.5)
            channel = grpc.aio.insecure_channel(address)
            stub, health = nps_pb2_grpc.NpsServiceStub(channel), health_pb2_grpc.HealthStub(channel)
            began = time.perf_counter()
            while True:
                try:
                    n = (await stub.GetNps(nps_pb2.GetNpsRequest(where={"region": "r1"}), timeout=10)).all.n
                    break
                except grpc.aio.AioRpcError:
                    await asyncio.sleep(1)
        print(json.dumps({"answers": args.answers, "read_within_s": round(time.perf_counter() - began, 1), "of_r1": n}))
        stopping = asyncio.Event()
        feeding = asyncio.create_task(_feed(publisher, args.events, stopping))
        mix = requests(now, args.seed)
        calls = [(name, made) for name, made in mix.items() for _ in range(3)]
        random.Random(args.seed).shuffle(calls)
        for name, made in {**mix, **heavy(now, args.seed)}.items():
            await _measure(stub.GetNps, name, [made], args.rate / 4, max(args.seconds / 3, 3))
        await _measure(health.Check, "an empty call", [health_pb2.HealthCheckRequest], args.rate, args.seconds)
        await _measure(stub.GetNps, "the mix", [made for _, made in calls], args.rate, args.seconds)
        await _measure(health.Check, "an empty call again", [health_pb2.HealthCheckRequest], args.rate, args.seconds)
        stopping.set()
        await feeding
    finally:
        await publisher.stop()
        process.terminate()
        process.wait(20)


async def _measure(
    call: Callable[..., Awaitable[object]],
    name: str,
    calls: Sequence[Callable[[], object]],
    rate: float,
    seconds: float,
) -> None:
    requests = [
        calls[n % len(calls)]() for n in range(int(rate * seconds))
    ]  # made beforehand: no part of what is timed
    row = await asked(name, lambda n: call(requests[n], timeout=10), len(requests), rate)
    told = {"calls": name, "n": row.events, "calls_per_s": rate, "p50_ms": row.p50_ms, "p99_ms": row.p99_ms}
    print(json.dumps({**told, **({"errors": row.errors} if row.errors else {})}, ensure_ascii=False), flush=True)


async def _feed(publisher: Publisher, rate: int, stopping: asyncio.Event) -> None:
    """Answers that come in meanwhile, `rate` a second in ten parts."""
    n = 0
    while rate and not stopping.is_set():
        records = []
        for _ in range(max(1, rate // 10)):
            n += 1
            segments = {"region": "r1", "store": f"st{n % STORES}", "touchpoint": f"t{n % STAGES}", "channel": "app"}
            message = survey_pb2.SurveyAnswered(survey_id=f"live{n}", score=n % 11, segments=segments)
            records.append(
                write(message, event_id=f"live{n}", source="bench", subject=f"live{n % 9973}", time=datetime.now(UTC))
            )
        await publisher.publish(records)
        await asyncio.sleep(0.1)


class _Still:
    """A feed whose boards are filled here, and never change."""

    def __init__(self, answers: int, seed: int) -> None:
        self.answers, self.requests = Board(3), Board(2)
        rnd = random.Random(seed)
        last = hour_number(datetime.now(UTC))
        kept: dict[tuple[int, int, str], tuple[tuple[str, str], ...]] = {}
        for first in range(0, answers, 50_000):
            many = range(first, min(first + 50_000, answers))
            segments = []
            for _ in many:
                store, stage, channel = (
                    rnd.randrange(STORES),
                    rnd.randrange(STAGES),
                    rnd.choice(("app", "微信", "phone")),
                )
                told = (
                    ("channel", channel),
                    ("region", f"r{store % REGIONS}"),
                    ("store", f"st{store}"),
                    ("touchpoint", f"t{stage}"),
                )
                segments.append(kept.setdefault((store, stage, channel), told))
            hours = [last - rnd.randrange(24 * 365) for _ in many]
            self.answers.put_all(many, hours, segments, [rnd.randrange(3) for _ in many])

    async def refresh(self) -> None:
        """Nothing comes."""


async def inside(args: argparse.Namespace) -> None:
    """The processor time of the call itself, answers and message made: what remains on a machine that has other work."""
    now, began = datetime.now(UTC), time.process_time()
    feed = _Still(args.answers, args.seed)
    print(json.dumps({"answers": args.answers, "filled_in_cpu_s": round(time.process_time() - began, 1)}))
    servicer = NpsAnswers(None, feed, None, None, None, None, UTC)  # type: ignore[arg-type]
    mix = requests(now, args.seed)
    for name, calls in {
        "the mix": list(mix.values()),
        **{n: [c] for n, c in {**mix, **heavy(now, args.seed)}.items()},
    }.items():
        took = []
        for n in range(700 if len(calls) > 1 else 100):
            request = calls[n % len(calls)]()
            start = time.process_time()
            (await servicer.GetNps(request, None)).SerializeToString()
            took.append(time.process_time() - start)
        took.sort()
        quantiles = {
            f"p{q}_cpu_ms": round(1000 * took[min(len(took) - 1, int(len(took) * q / 100))], 2) for q in (50, 99)
        }
        print(json.dumps({"calls": name, "n": len(took), **quantiles}, ensure_ascii=False), flush=True)


def main() -> None:
    """Prints one line of JSON a measurement."""
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--answers", type=int, default=1_000_000)
    p.add_argument("--seconds", type=float, default=15)
    p.add_argument("--rate", type=float, default=100, help="calls a second")
    p.add_argument("--events", type=int, default=0, help="answers a second that come in meanwhile")
    p.add_argument("--seed", type=int, default=1)
    p.add_argument(
        "--inside", action="store_true", help="the call alone, in processor time, without Kafka and Postgres"
    )
    args = p.parse_args()
    if args.inside:
        uvloop.run(inside(args))
        return
    with tempfile.TemporaryDirectory(prefix="touchline-") as folder, Stack(folder) as stack:
        uvloop.run(run(args, stack))


if __name__ == "__main__":
    main()
