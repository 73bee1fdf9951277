"""The gateway under more than it can do: `python -m bench.overload`.

A gateway of its own on a Kafka of its own, on loopback. First as many connections as find its capacity, each sending
its next batch when the last one is answered; then batches at a steady rate, `--factor` times that capacity, whether
answered or not. It prints how many were accepted and shed, the time that answers took, and what of the accepted is
missing from Kafka; exit status 1 where anything is, where nothing was shed, or where a refusal did not say when to
come back.
"""

import argparse
import asyncio
import json
import os
import signal
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

from deploy.embedded.layout import assign_ports
from deploy.embedded.stack import Stack
from services.runtime.settings import KafkaSettings
from services.runtime.tail import read_all

ROOT = Path(__file__).resolve().parents[1]
KEY = "overload-key-0123456789"
TOPIC = "touchpoint.events"
_EVENT = (
    '{"specversion":"1.0","id":"%s","source":"/bench/overload","type":"touchline.survey.SurveyAnswered.v1","subject":"c%d",'
    '"time":"2026-11-01T09:00:00Z","datacontenttype":"application/json","data":{"surveyId":"s1","score":9,'
    '"segments":{"region":"华东"}}}'
)


@dataclass
class Tally:
    """What became of the batches. ids: of the events that were accepted. seconds: of each accepted batch's answer."""

    batch: int
    accepted: set[str] = field(default_factory=set)
    seconds: list[float] = field(default_factory=list)
    statuses: dict[int, int] = field(default_factory=dict)
    reasons: dict[str, int] = field(default_factory=dict)
    cut: int = 0
    no_retry_after: int = 0

    @property
    def shed(self) -> int:
        return self.statuses.get(429, 0) + self.statuses.get(503, 0)

    def quantile(self, q: float) -> float:
        """Milliseconds."""
        found = sorted(self.seconds)
        return 1000 * found[min(len(found) - 1, int(q * len(found)))] if found else 0.0

    def told(self, status: int, headers: bytes, body: bytes, ids: list[str], seconds: float) -> None:
        """Counts one answer."""
        self.statuses[status] = self.statuses.get(status, 0) + 1
        if status == 202:
            # The door takes all of a request, or the channel is told what not: here nothing is wrong with any event.
            assert json.loads(body)["accepted"] == len(ids), body
            self.accepted.update(ids)
            self.seconds.append(seconds)
        elif status in (429, 503):
            reason = str(json.loads(body)["rejected"][0]["reason"])
            self.reasons[reason] = self.reasons.get(reason, 0) + 1
            self.no_retry_after += b"retry-after:" not in headers.lower()


class Connection:
    """One HTTP/1.1 connection that is kept: as thin as can be, since the client shares the machine with what it measures."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def post(self, body: bytes) -> tuple[int, bytes, bytes]:
        """Status, headers, body. Raises OSError or IncompleteReadError where the connection is cut."""
        if self._streams is None:
            self._streams = await asyncio.open_connection("127.0.0.1", self._port)
        reader, writer = self._streams
        try:
            writer.write(
                b"POST /v1/events HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/cloudevents-batch+json\r\n"
                b"authorization: Bearer %b\r\ncontent-length: %d\r\n\r\n%b" % (KEY.encode(), len(body), body)
            )
            head = await reader.readuntil(b"\r\n\r\n")
            length = next(int(line[15:]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:"))
            answer = await reader.readexactly(length)
        except BaseException:
            self.close()
            raise
        if b"connection: close" in head.lower():
            self.close()
        return int(head[9:12]), head, answer

    def close(self) -> None:
        if self._streams is not None:
            self._streams[1].close()
            self._streams = None


def batches(prefix: str, size: int) -> Iterator[tuple[list[str], bytes]]:
    """Batches without end: their events' ids, and the request's body."""
    for n in count():
        ids = [f"{prefix}-{n}-{i}" for i in range(size)]
        yield ids, ("[" + ",".join(_EVENT % (one, hash(one) % 10_000) for one in ids) + "]").encode()


async def _one(connection: Connection, ids: list[str], body: bytes, tally: Tally, since: float) -> None:
    try:
        status, head, answer = await connection.post(body)
    except (OSError, asyncio.IncompleteReadError):
        tally.cut += 1  # nothing was answered, so nothing was promised
        return
    tally.told(status, head, answer, ids, time.monotonic() - since)


async def closed(port: int, size: int, connections: int, seconds: float, prefix: str) -> Tally:
    """Each connection sends its next batch when its last one is answered."""
    tally, made, end = Tally(size), batches(prefix, size), time.monotonic() + seconds

    async def work() -> None:
        connection = Connection(port)
        while (now := time.monotonic()) < end:
            ids, body = next(made)
            await _one(connection, ids, body, tally, now)
        connection.close()

    await asyncio.gather(*(work() for _ in range(connections)))
    return tally


async def steady(port: int, size: int, per_s: float, seconds: float, prefix: str, most: int = 512) -> tuple[Tally, int]:
    """So many batches a second, answered or not. The second figure: batches that found `most` connections all waiting."""
    tally, made, idle = Tally(size), batches(prefix, size), [Connection(port) for _ in range(most)]
    asked: set[asyncio.Task[None]] = set()
    unsent, began = 0, time.monotonic()

    async def work(connection: Connection, since: float) -> None:
        ids, body = next(made)
        await _one(connection, ids, body, tally, since)
        idle.append(connection)

    for n in range(int(per_s * seconds)):
        due = began + n / per_s
        if (wait := due - time.monotonic()) > 0:
            await asyncio.sleep(wait)
        elif n % 16 == 0:
            await asyncio.sleep(0)
        if not idle:
            unsent += 1
            continue
        task = asyncio.create_task(work(idle.pop(), time.monotonic()))
        asked.add(task)
        task.add_done_callback(asked.discard)
    await asyncio.gather(*asked)
    for connection in idle:
        connection.close()
    return tally, unsent


@asynccontextmanager
async def gateway(stack: Stack, folder: Path, **env: str) -> AsyncIterator[int]:
    """A gateway on that Kafka: its port, once it takes events."""
    keys = folder / "keys.json"
    keys.write_text(json.dumps({"channels": [{"name": "load", "key": KEY, "rate_per_s": None}]}))
    ports = assign_ports(stack.layout, ["overload.http", "overload.grpc"])
    told = {
        **os.environ,
        "KAFKA_BOOTSTRAP": stack.bootstrap,
        "HTTP_BIND": f"127.0.0.1:{ports['overload.http']}",
        "GRPC_BIND": f"127.0.0.1:{ports['overload.grpc']}",
        "GATEWAY_KEYS_FILE": str(keys),
        "GATEWAY_LIVE_HISTORY": "false",
        "OTEL_TRACES_EXPORTER": "none",
        **env,
    }
    with (folder / "gateway.log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "services.gateway.main", cwd=ROOT, env=told, stderr=log, stdout=log
        )
    try:
        await _up(ports["overload.http"], process, folder)
        yield ports["overload.http"]
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGTERM)
            await asyncio.wait_for(process.wait(), 15)


async def _up(port: int, process: asyncio.subprocess.Process, folder: Path) -> None:
    for _ in range(300):
        connection = Connection(port)
        try:
            status, _, _ = await connection.post(b"[]")
            if status == 202:
                return
        except OSError:
            pass
        finally:
            connection.close()
        if process.returncode is not None:
            break
        await asyncio.sleep(0.1)
    raise RuntimeError(f"the gateway did not come up: {(folder / 'gateway.log').read_text()[-2000:]}")


async def missing(bootstrap: str, accepted: set[str]) -> set[str]:
    """What of the accepted is not on Kafka."""
    found = await read_all(KafkaSettings(bootstrap=bootstrap), TOPIC)
    return accepted - {dict(record.headers)["ce_id"].decode() for record in found}


async def measure(args: argparse.Namespace) -> dict[str, Any]:
    """The run, as one row of figures."""
    with tempfile.TemporaryDirectory(prefix="touchline-overload-") as name:
        folder = Path(name)
        async with Stack(folder / "stack", parts=["kafka"]) as stack, gateway(stack, folder) as port:
            await closed(port, args.batch, 8, 1.0, "warm")
            finding = await closed(port, args.batch, args.connections, args.seconds, "find")
            capacity = len(finding.accepted) / args.seconds
            rate = args.factor * capacity / args.batch
            over, unsent = await steady(port, args.batch, rate, args.seconds, "over")
            lost = await missing(stack.bootstrap, finding.accepted | over.accepted)
        batches_sent = sum(over.statuses.values()) + over.cut + unsent
        return {
            "capacity_events_per_s": round(capacity),
            "capacity_p99_ms": round(finding.quantile(0.99), 1),
            "capacity_shed": finding.reasons,
            "offered_events_per_s": round(batches_sent * args.batch / args.seconds),
            "accepted_events_per_s": round(len(over.accepted) / args.seconds),
            "accepted": len(over.accepted),
            "shed_batches": over.shed,
            "shed_reasons": over.reasons,
            "statuses": {str(k): v for k, v in sorted(over.statuses.items())},
            "cut": over.cut,
            "not_sent": unsent,
            "no_retry_after": over.no_retry_after,
            "p50_ms": round(over.quantile(0.5), 1),
            "p99_ms": round(over.quantile(0.99), 1),
            "lost": len(lost),
        }


def main() -> None:
    """Prints the row; says on standard error what is wrong with it."""
    parser = argparse.ArgumentParser(prog="python -m bench.overload", description=__doc__)
    parser.add_argument("--factor", type=float, default=2.0, help="of the capacity that is offered (2)")
    parser.add_argument("--seconds", type=float, default=10.0, help="of each of the two parts (10)")
    parser.add_argument("--batch", type=int, default=50, help="events in a request (50)")
    parser.add_argument("--connections", type=int, default=16, help="that find the capacity (16)")
    args = parser.parse_args()
    row = asyncio.run(measure(args))
    print(json.dumps(row))
    wrong = [
        (row["lost"] > 0, f"{row['lost']} events that were answered with success are not on Kafka"),
        (row["no_retry_after"] > 0, f"{row['no_retry_after']} refusals did not say when to come back"),
        (row["shed_batches"] == 0, "nothing was shed: the load was no overload"),
        (row["accepted"] == 0, "nothing was accepted"),
    ]
    for is_so, what in wrong:
        if is_so:
            print(f"overload: {what}", file=sys.stderr)
    sys.exit(any(is_so for is_so, _ in wrong))


if __name__ == "__main__":
    main()
