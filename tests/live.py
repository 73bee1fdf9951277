"""The whole system for tests: every service, on the embedded Kafka, Postgres and Zipkin, on a clock that runs fast.

A real second is a minute of the system's: a day's story is told in half a minute, and waits and due times mean what
they mean in life. Channels that talk to it live on the same clock, which is what `clock_of` is for.
"""

import asyncio
import json
import time
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import grpc
import pytest

from deploy.embedded import control, state
from deploy.embedded.layout import Layout
from deploy.embedded.status import gather
from services.cli.day.model import LOCAL
from services.cli.day.policy import for_speed
from services.cli.day.run import Stack
from services.router.policyfile import DEFAULT
from services.runtime.clock import Clock, clock_from
from services.runtime.errors import Unreadable
from services.runtime.records import Incoming, read
from services.runtime.rpc import channel
from services.runtime.settings import KafkaSettings
from services.runtime.tail import read_all

# Simulated seconds a second.
PACE = 60.0
BATCH = "application/cloudevents-batch+json"
Live = dict[str, Any]


@contextmanager
def whole_system(data: Path) -> Iterator[Live]:
    """Starts everything in that folder, waits until all is healthy, gives its status and `data`, and ends it."""
    data.mkdir(parents=True, exist_ok=True)
    policy = data / "policy.toml"
    policy.write_text(for_speed(DEFAULT.read_text("utf-8"), PACE), "utf-8")
    morning = datetime.now(LOCAL).replace(hour=8, minute=0, second=0, microsecond=0)
    clock = f"scaled:{time.time():.3f}:{morning.timestamp():.3f}:{PACE:g}"
    with pytest.MonkeyPatch.context() as given:
        given.setenv("ROUTER_POLICY", str(policy))
        # Other tests are at work beside it, and no lookup shall be late for that.
        given.setenv("ROUTER_LOOKUP_MS", "2000")
        try:
            found = asyncio.run(Stack(data).up(clock))
            yield {**found, "data": str(data)}
        finally:
            control.stop(Layout.of(data))


def clock_of(live: Live) -> Clock:
    """The system's clock."""
    return clock_from(live["clock"])


def stamp(moment: datetime) -> str:
    """RFC 3339 in UTC with milliseconds."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def event(live: Live, kind: str, subject: str, data: dict[str, Any], **more: Any) -> dict[str, Any]:
    """A CloudEvent of now; `kind` such as "contact.ContactRequested"."""
    return {
        "specversion": "1.0",
        "id": str(uuid4()),
        "source": "/tests",
        "type": f"touchline.{kind}.v1",
        "subject": subject,
        "time": stamp(clock_of(live)()),
        "datacontenttype": "application/json",
        "data": data,
        **more,
    }


def fetch(url: str, body: bytes | None = None, headers: dict[str, str] | None = None) -> tuple[int, bytes]:
    """One request, and its answer whatever the status is."""
    try:
        with urllib.request.urlopen(urllib.request.Request(url, body, headers or {}), timeout=30) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as refusal:
        return refusal.code, refusal.read()


def get(url: str) -> Any:
    """JSON from a page that must be there."""
    status, body = fetch(url)
    assert status == 200, (url, status, body[:300])
    return json.loads(body)


def post(live: Live, events: list[dict[str, Any]], **headers: str) -> tuple[int, dict[str, Any]]:
    """Events to the gateway as a batch."""
    gateway = live["gateway"]
    told = {"authorization": f"Bearer {gateway['api_key']}", "content-type": BATCH, **headers}
    status, body = fetch(f"{gateway['url']}/v1/events", json.dumps(events, ensure_ascii=False).encode(), told)
    return status, json.loads(body)


def accepted(live: Live, *events: dict[str, Any], **headers: str) -> None:
    """Events that the gateway must take, all of them."""
    status, answer = post(live, list(events), **headers)
    assert (status, answer["accepted"], answer["rejected"]) == (202, len(events), [])


async def until(what: str, probe: Callable[[], Any], within_s: float = 45.0, every_s: float = 0.15) -> Any:
    """The first answer of the probe that is true in a boolean sense. Fails where there is none within the time."""
    limit = time.monotonic() + within_s
    while True:
        found = probe()
        found = await found if isinstance(found, Awaitable) else found
        if found:
            return found
        assert time.monotonic() < limit, f"{what}: not within {within_s:.0f} s"
        await asyncio.sleep(every_s)


async def status_of(live: Live) -> dict[str, Any]:
    """How it is now, as `touchline status --json` tells it."""
    return await gather(Layout.of(live["data"]))


async def settled(live: Live, within_s: float = 60.0) -> None:
    """Until all is healthy and nothing is left to consume or to publish, twice in a row."""
    quiet = 0
    limit = time.monotonic() + within_s
    while quiet < 2:
        now = await status_of(live)
        lags = {name: service["lag"] for name, service in now["services"].items()}
        quiet = quiet + 1 if now["state"] == "healthy" and not any(lag != 0 for lag in lags.values()) else 0
        assert time.monotonic() < limit, f"not settled within {within_s:.0f} s: {now['state']}, {lags}"
        await asyncio.sleep(0.2)


def address(live: Live, service: str) -> str:
    """Where a service answers gRPC calls."""
    now = state.read(Layout.of(live["data"]))
    assert now is not None
    return now.grpc[service]


def metrics_address(live: Live, service: str) -> str:
    """Where a service shows its metrics."""
    ports = json.loads(Layout.of(live["data"]).ports.read_text())
    return f"127.0.0.1:{ports[f'{service}.metrics']}"


@asynccontextmanager
async def calls(live: Live, service: str) -> AsyncIterator[grpc.aio.Channel]:
    """A channel to a service."""
    async with channel(address(live, service)) as made:
        yield made


async def history(live: Live, topic: str) -> list[Incoming]:
    """The events that a topic holds now, those that can be read, by partition and offset."""
    found = []
    for record in await read_all(KafkaSettings(bootstrap=live["kafka"]["bootstrap"]), topic):
        with suppress(Unreadable):
            found.append(read(record, datetime.now(UTC)))
    return found
