"""The whole system at once: how long a routing decision takes with its lookups, and each lookup by gRPC."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from datetime import UTC, datetime

import grpc
import grpc.aio
from grpc_health.v1 import health_pb2, health_pb2_grpc
from touchline.contact.v1 import events_pb2 as contact_pb2
from touchline.escalation.v1 import escalation_pb2, escalation_pb2_grpc
from touchline.nps.v1 import nps_pb2, nps_pb2_grpc
from touchline.router.v1 import router_pb2, router_pb2_grpc
from touchline.sentiment.v1 import sentiment_pb2, sentiment_pb2_grpc

from bench import measure, routing
from bench.contender import Bed
from bench.fresh import fresh
from bench.holding import held
from bench.kinds import Contacts, Messages
from bench.load import Load, Pace, Sender, fill
from bench.own_contenders import Escalation, Nps, Router, Sentiment, Service
from bench.results import Result
from bench.session import Amount, round_trip, say, sink_of

CALLS_PER_S = 200.0
COMMANDS = 60
MANY = 100  # customers of one call, where a list of them is looked at
BEFORE = 4000  # events that each service knows before it is asked
EMPTY = ".Check, an empty call"
TEXT = "等了这么久，太慢了，非常失望。Nobody solves anything."

Call = Callable[[int], Awaitable[object]]
_PEERS: tuple[type[Service], ...] = (Sentiment, Nps, Escalation)
_ALL = frozenset((*(kind.name for kind in _PEERS), Router.name))


async def lookups(
    bed: Bed,
    amount: Amount,
    rates: Sequence[int],
    tell: Callable[[list[Result]], None],
    trip: Result | None = None,
    only: Collection[str] = (),
) -> None:
    """The services side by side, as they are deployed; the router asks the others. Rows are told as they are made.

    rates: contacts a second at which the routing decision is timed. trip: the bare round trip of the same run; measured
    here where there is none yet. only: the services whose calls are timed, all where none is named; the routing decision is
    the router's.
    """
    wanted = _ALL & set(only) or _ALL
    if trip is None and "router" in wanted:
        (trip,) = await round_trip(bed, amount.seconds)
        tell([trip])
    router, peers = routing.Routed(), [kind() for kind in _PEERS if kind.name in wanted or "router" in wanted]
    everybody = [*peers, *([router] if "router" in wanted else [])]
    await fresh(bed, router.source, router.sink)
    load, sink = router.load(), sink_of(bed, router)
    assert isinstance(load, Contacts)
    others = [Load(router.source, 2), Messages(router.source, 3)]
    try:
        await sink.start()
        for other in others:
            await asyncio.to_thread(lambda o=other: fill(bed.bootstrap, o.events(BEFORE)))  # type: ignore[misc]
        for service in peers:
            await service.prepare(bed, load)
            await service.start(bed)
        if "router" in wanted:
            router.extra = {f"{p.name.upper()}_ADDR": p.address for p in peers}
            await router.prepare(bed, load)
            await router.start(bed)
        await _calm(bed, load, everybody)
        for rate in rates if "router" in wanted else ():
            tell([await routing.at_rate(bed, router, peers, load, sink, rate, amount.seconds, trip)])
            await _calm(bed, load, everybody)
        if rates and "router" in wanted:
            async with held(bed.bootstrap, [p.name for p in peers]):
                for rate in rates:
                    tell(
                        [await routing.at_rate(bed, router, peers, load, sink, rate, amount.seconds, trip, alone=True)]
                    )
                    await _calm(bed, load, [router])
            await _calm(bed, load, everybody)
        addresses = {s.name: s.address for s in everybody}
        known = sorted(load.sent or others[0].sent)
        for name, call in _calls(addresses, known).items():
            if name.partition(".")[0] not in wanted:
                continue
            say(f"{name}: {CALLS_PER_S:.0f} calls/s for {amount.seconds} s")
            tell([await asked(name, call, int(CALLS_PER_S * amount.seconds))])
        if "router" in wanted:
            tell(await _commands(bed, addresses["router"], load))
    finally:
        await asyncio.gather(*(s.stop() for s in everybody))
        await sink.stop()


async def _calm(bed: Bed, load: Contacts, everybody: Sequence[Service]) -> None:
    """Until nothing is left to do. Contacts that are open end, and seats that missed their offers are ready again."""
    sender = Sender(bed.bootstrap)
    now = datetime.now(UTC)
    for event in (*load.rest(now), *load.seats(now)):
        sender.send(event)
    await asyncio.to_thread(sender.flush)
    for service in everybody:
        await _quiet(service)


async def _quiet(service: Service) -> None:
    async with asyncio.timeout(120):
        while (await service.behind()) != 0:  # noqa: ASYNC110, asked over the network
            await asyncio.sleep(0.2)


def _calls(at: Mapping[str, str], known: Sequence[str]) -> dict[str, Call]:
    """The calls by name, to whoever is at these addresses. known: customers to ask about."""
    kinds = {
        "sentiment": sentiment_pb2_grpc.SentimentServiceStub,
        "nps": nps_pb2_grpc.NpsServiceStub,
        "escalation": escalation_pb2_grpc.EscalationServiceStub,
        "router": router_pb2_grpc.RouterServiceStub,
    }
    channels = {name: grpc.aio.insecure_channel(address) for name, address in at.items()}
    stubs = {name: kinds[name](channel) for name, channel in channels.items()}

    def one(n: int) -> str:
        return known[n * 7919 % len(known)]

    def many(n: int) -> list[str]:
        return [one(n * MANY + i) for i in range(min(MANY, len(known)))]

    requests: dict[str, Callable[[int], object]] = {
        "sentiment.Score": lambda _: sentiment_pb2.ScoreRequest(texts=[TEXT]),
        "sentiment.GetMood": lambda n: sentiment_pb2.GetMoodRequest(customer_ids=[one(n)]),
        "nps.GetNps": lambda _: nps_pb2.GetNpsRequest(),
        "nps.GetCustomerNps": lambda n: nps_pb2.GetCustomerNpsRequest(customer_ids=[one(n)]),
        "escalation.GetRisk": lambda n: escalation_pb2.GetRiskRequest(customer_ids=[one(n)]),
        f"escalation.GetRisk, {MANY} customers": lambda n: escalation_pb2.GetRiskRequest(customer_ids=many(n)),
        "escalation.ListFollowUps": lambda _: escalation_pb2.ListFollowUpsRequest(limit=20),
        "router.GetContact": lambda n: router_pb2.GetContactRequest(contact_id=f"{one(n)}/1"),
        "router.GetPool": lambda _: router_pb2.GetPoolRequest(pool="care"),
        "router.Explain": lambda n: router_pb2.ExplainRequest(contact_id=f"{one(n)}/1"),
    }

    def call(name: str) -> Call:
        service, _, method = name.partition(",")[0].partition(".")
        rpc, request = getattr(stubs[service], method), requests[name]
        return lambda n: rpc(request(n), timeout=5)

    def empty(service: str) -> Call:
        check = health_pb2_grpc.HealthStub(channels[service]).Check
        return lambda _: check(health_pb2.HealthCheckRequest(), timeout=5)

    # What any call to a service takes here, beside what its own calls take.
    nothing = {f"{service}{EMPTY}": empty(service) for service in at}
    return nothing | {name: call(name) for name in requests if name.partition(".")[0] in stubs}


async def asked(name: str, call: Call, count: int, rate: float = CALLS_PER_S) -> Result:
    """Open loop at so many calls a second: from each call's scheduled moment to its answer."""
    await asyncio.gather(*(call(n) for n in range(20)))  # connects, and warms both sides
    start = time.perf_counter() + 0.2
    due = [start + n / rate for n in range(count)]
    took: list[float] = []
    failed: list[str] = []
    turns: asyncio.Queue[int] = asyncio.Queue()
    pace = Pace(due, turns.put_nowait)

    async def ask(n: int) -> None:
        try:
            await call(n)
        except grpc.aio.AioRpcError as error:
            failed.append(error.code().name)
            return
        took.append(time.perf_counter() - due[n])

    pace.start()
    async with asyncio.TaskGroup() as group:
        for _ in range(count):
            group.create_task(ask(await turns.get()))
    return _row(name, f"{rate:.0f} calls/s, open loop, one connection; nothing else at work", took, failed)


def _row(name: str, settings: str, took: list[float], failed: list[str]) -> Result:
    made = Result(name, "lookup", settings, len(took))
    took.sort()
    made.p50_ms, made.p99_ms, made.p999_ms = (measure.quantile(took, q) for q in (0.5, 0.99, 0.999))
    if failed:
        made.errors.append(f"{len(failed)} calls failed: {failed[0]}")
    return made


async def _commands(bed: Bed, address: str, load: Contacts) -> list[Result]:
    """Accept and Finish, one after the other: each goes to Kafka, to the pool's owner, and back."""
    stub = router_pb2_grpc.RouterServiceStub(grpc.aio.insecure_channel(address))
    sender = Sender(bed.bootstrap, linger_ms=0)
    took: dict[str, list[float]] = {"router.Accept": [], "router.Finish": []}
    failed: list[str] = []
    say(f"router.Accept, router.Finish: {COMMANDS} of each")
    for n in range(COMMANDS):
        customer, contact = f"customer-{n:05d}", f"command/{n}"
        asked = contact_pb2.ContactRequested(contact_id=contact, channel="app", language="zh", wants_human=True)
        sender.send(load.record(asked, customer, datetime.now(UTC)))
        try:
            found = await _offered(stub, contact)
            who = {"pool": found.pool, "seat_id": found.seat_id, "contact_id": contact, "token": found.token}
            for name, call, request in (
                ("router.Accept", stub.Accept, router_pb2.AcceptRequest(**who, command_id=f"accept-{n}")),
                ("router.Finish", stub.Finish, router_pb2.FinishRequest(**who, command_id=f"finish-{n}")),
            ):
                began = time.perf_counter()
                await call(request, timeout=10)
                took[name].append(time.perf_counter() - began)
        except (grpc.aio.AioRpcError, TimeoutError) as error:
            failed.append(error.code().name if isinstance(error, grpc.aio.AioRpcError) else "no offer came")
    settings = "one after the other: the command as an event to the pool's owner, and its decision back"
    return [_row(name, settings, some, failed) for name, some in took.items()]


async def _offered(stub: router_pb2_grpc.RouterServiceStub, contact: str) -> router_pb2.GetContactResponse:
    async with asyncio.timeout(10):
        while True:
            try:
                found: router_pb2.GetContactResponse = await stub.GetContact(
                    router_pb2.GetContactRequest(contact_id=contact), timeout=5
                )
                if found.state == router_pb2.CONTACT_STATE_OFFERED:
                    return found
            except grpc.aio.AioRpcError as error:
                if error.code() != grpc.StatusCode.NOT_FOUND:
                    raise
            await asyncio.sleep(0.01)
