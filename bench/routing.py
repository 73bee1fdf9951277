"""A routing decision with its three lookups: how long it takes at several rates, and what a contact costs each process."""

import time
from collections.abc import Mapping, Sequence
from typing import Any

import psutil
from touchline.router.v1 import events_pb2 as router_pb2

from bench import measure
from bench.contender import Bed
from bench.load import Fact, Load
from bench.meter import Parts, processor, shared
from bench.own_contenders import Router, Service
from bench.results import Result
from bench.session import say
from bench.sink import Sink

# Contacts a second. Each is two events: it is requested, and it ends.
RATES = (100, 200, 300, 500)
EVENTS = 2
ALONE = "who answers does nothing else"
_OFFERED = b"touchline.router.ContactOffered.v1"


class Routed(Router):
    """The router, whose offers are timed beside its decisions."""

    def __init__(self) -> None:
        super().__init__()
        self.offered: dict[Fact, float] = {}

    def read(self, record: Any) -> Fact | None:
        if dict(record.headers).get("ce_type") == _OFFERED:
            customer, _, number = router_pb2.ContactOffered.FromString(record.value).contact_id.rpartition("/")
            if number.isdigit():
                self.offered.setdefault((customer, int(number)), time.perf_counter())
            return None
        return super().read(record)


def name_at(rate: int, alone: bool = False) -> str:
    """The row's name."""
    at = [] if rate == max(RATES) else [f"{rate} contacts/s"]
    return ", ".join(["router, with lookups", *([ALONE] if alone else []), *at])


async def at_rate(
    bed: Bed,
    router: Routed,
    peers: Sequence[Service],
    load: Load,
    sink: Sink,
    rate: int,
    seconds: int,
    trip: Result | None,
    alone: bool = False,
) -> Result:
    """Contacts at this rate; `trip` is the bare round trip of the same run. alone: the others answer, and follow no events meanwhile."""
    say(f"routing: {rate} contacts/s for {seconds} s, looked up from three services")
    counted: dict[Fact, float] = {}
    router.offered.clear()
    parts: Parts = {s.name: [p] for s in (router, *peers) if (p := s.process()) is not None}
    parts |= {**shared(bed), "bench": [psutil.Process()]}
    before, known = _used(parts), load.sent.total()
    made = await measure.latency(
        bed,
        name_at(rate, alone),
        f"{rate} contacts/s, each requested and ended: from its request to triage's published decision, with moods, answers "
        f"and risks looked up; {'the three others only answer' if alone else 'four services at work'}",
        load,
        sink,
        seconds,
        rate=rate * EVENTS,
        counted=counted,
    )
    made.workload, made.doubled = "routing", 0
    contacts = load.sent.total() - known
    after = _used(parts)
    offers = sorted(at - counted[fact] for fact, at in router.offered.items() if fact in counted)
    made.more["contacts_per_s"] = rate
    made.more["alone"] = alone
    made.more["offers"] = len(offers)
    made.more["offer_p50_ms"], made.more["offer_p99_ms"] = (measure.quantile(offers, q) for q in (0.5, 0.99))
    if trip is not None and trip.p99_ms:
        made.more["round_trip_p99_ms"] = trip.p99_ms
        for what, value in (("to_round_trip", made.p99_ms), ("offer_to_round_trip", made.more["offer_p99_ms"])):
            made.more[what] = round(value / trip.p99_ms, 2) if value is not None else None
    made.more["cpu_us"] = {part: round((after[part] - before[part]) * 1e6 / contacts) for part in parts}
    return made


def _used(parts: Parts) -> Mapping[str, float]:
    """As `processor`, but the bench's own process without those that it started."""
    found = processor({name: found for name, found in parts.items() if name != "bench"})
    times = parts["bench"][0].cpu_times()
    return {**found, "bench": times.user + times.system}
