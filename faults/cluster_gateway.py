"""The gateway's promise: what it answered with 202 is on the topic, whichever broker dies meanwhile."""

import asyncio
import json
import time
from collections import Counter
from datetime import UTC, datetime
from random import Random
from typing import Any
from uuid import UUID

import httpx

from deploy.embedded.cluster import replicas, until_in_sync
from deploy.embedded.layout import LOOPBACK, assign_ports
from faults.bed import Bed
from faults.cluster_harm import dies_ahead
from faults.schedule import kind
from services.runtime.topics import TOUCHPOINT_EVENTS

KEY = "k" * 24
CHANNELS = 4
PUBLISH_LIMIT_S = 5
TAKES_AGAIN_S = 90.0
BATCH = "application/cloudevents-batch+json"


class Channels:
    """Channels that send batches at the same time, each sending one again until it is taken."""

    def __init__(self, url: str, rng: Random) -> None:
        self._url, self._rng = url, rng
        self.taken: dict[str, str] = {}  # id → customer, of the events that were answered with 202
        self.answers: Counter[int] = Counter()
        self.stopping = asyncio.Event()

    def _event(self) -> dict[str, Any]:
        return {
            "specversion": "1.0",
            "id": UUID(int=self._rng.getrandbits(128)).hex,
            "source": "faults",
            "type": "touchline.survey.SurveyAnswered.v1",
            "subject": f"customer-{self._rng.randrange(50)}",
            "time": datetime.now(UTC).isoformat(),
            "datacontenttype": "application/json",
            "data": {"surveyId": "s1", "score": 9, "segments": {"channel": "app"}},
        }

    async def send(self) -> None:
        """One channel, until `stopping`."""
        headers = {"authorization": f"Bearer {KEY}", "content-type": BATCH}
        async with httpx.AsyncClient(base_url=self._url, headers=headers, timeout=4 * PUBLISH_LIMIT_S) as client:
            while not self.stopping.is_set():
                batch = [self._event() for _ in range(self._rng.randint(1, 20))]
                content = json.dumps(batch)
                while not self.stopping.is_set():
                    answer = await client.post("/v1/events", content=content)
                    self.answers[answer.status_code] += 1
                    if answer.status_code == httpx.codes.ACCEPTED:
                        if answer.json()["accepted"] == len(batch):
                            self.taken.update({e["id"]: e["subject"] for e in batch})
                        break
                    await asyncio.sleep(0.2)
                await asyncio.sleep(0.02)

    async def more_taken(self, within_s: float) -> float:
        """Waits until more is taken than now; gives the seconds it took. Raises RuntimeError where nothing is in time."""
        before, began = len(self.taken), time.monotonic()
        while len(self.taken) <= before:
            if time.monotonic() - began > within_s:
                raise RuntimeError(f"the gateway took nothing within {within_s:.0f} s; answers: {dict(self.answers)}")
            await asyncio.sleep(0.05)
        return time.monotonic() - began


@kind("cluster.gateway", bed="cluster", limit_s=180)
async def gateway_keeps_its_word(bed: Bed, rng: Random) -> list[str]:
    """A leader of the gateway's topic, ahead of its followers, is killed: every event answered with 202 is on the topic."""
    begin = await bed.client.ends([TOUCHPOINT_EVENTS])
    keys = bed.folder / "gateway-keys.json"
    keys.write_text(json.dumps({"channels": [{"name": "app", "key": KEY, "rate_per_s": None}]}))
    port = assign_ports(bed.stack.layout, ["faults.http"])["faults.http"]
    settings = {
        "HTTP_BIND": f"{LOOPBACK}:{port}",
        "GATEWAY_KEYS_FILE": str(keys),
        "GATEWAY_PUBLISH_TIMEOUT_S": str(PUBLISH_LIMIT_S),
        "GATEWAY_LIVE_HISTORY": "false",
    }
    await bed.start("gateway", ["services.gateway.main"], settings).ready()
    channels = Channels(f"http://{LOOPBACK}:{port}", rng)
    async with asyncio.TaskGroup() as group:
        for _ in range(CHANNELS):
            group.create_task(channels.send())
        await channels.more_taken(TAKES_AGAIN_S)
        await asyncio.sleep(rng.uniform(0, 2))
        led = [r.leader for r in await replicas(bed.bootstrap, [TOUCHPOINT_EVENTS])]
        part = bed.stack.part_of(rng.choice(led))
        await dies_ahead(bed, part, rng.uniform(0.5, 1.5))
        # The other leaders' partitions are still taken, so that a batch for all of them tells.
        await asyncio.sleep(rng.uniform(1, 3))
        again = await channels.more_taken(TAKES_AGAIN_S)
        bed.tell(f"{part} killed; more taken after {again:.1f} s more")
        await asyncio.sleep(rng.uniform(0, 3))
        await bed.stack.start(part)
        await until_in_sync(bed.bootstrap, [TOUCHPOINT_EVENTS])
        await channels.more_taken(TAKES_AGAIN_S)
        channels.stopping.set()
    bed.tell(f"{len(channels.taken)} events taken, answers {dict(channels.answers)}")
    found: dict[str, str] = {}
    for record in (await bed.client.since(begin))[TOUCHPOINT_EVENTS]:
        found[dict(record.headers)["ce_id"].decode()] = (record.key or b"").decode()
    lost = [event for event in channels.taken if event not in found]
    elsewhere = [event for event, customer in channels.taken.items() if found.get(event, customer) != customer]
    wrong = [f"{len(lost)} events answered with 202 are not on the topic"] if lost else []
    wrong += [f"{len(elsewhere)} events lie under another customer's key"] if elsewhere else []
    odd = set(channels.answers) - {202, 429, 503}
    return wrong + ([f"the gateway answered {sorted(odd)}"] if odd else [])
