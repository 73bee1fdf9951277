"""Each alert with the fault that it is for."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass

from services.runtime.topics import TOUCHPOINT_EVENTS
from tests.drill import faults
from tests.live import Live, post


@dataclass(frozen=True)
class Case:
    """A fault, the alerts that must fire while it lasts, and within how many real seconds; then they must end again."""

    name: str
    alerts: tuple[str, ...]
    fault: Callable[[Live], AbstractAsyncContextManager[None]]
    within_s: float = 60.0


@asynccontextmanager
async def a_service_hangs(live: Live) -> AsyncIterator[None]:
    with faults.frozen(live, "nps"):
        async with faults.posting(live, lambda: faults.contacts(live, 4), 1, every_s=0.5):
            yield


@asynccontextmanager
async def a_service_dies_again_and_again(live: Live) -> AsyncIterator[None]:
    async with faults.beside(faults.killed(live, "nps", 5)):
        yield


@asynccontextmanager
async def a_record_is_garbled(live: Live) -> AsyncIterator[None]:
    async with faults.published(live) as publish:
        await publish([faults.unreadable()])
    yield


@asynccontextmanager
async def records_are_deleted(live: Live) -> AsyncIterator[None]:
    async with faults.published(live) as publish:
        with faults.frozen(live, "nps"):
            for _ in range(2):  # what answers the request that it left open waits for it on the wire: the rest is lost
                await publish(faults.retractions(live, 50))
                await asyncio.sleep(2)  # until the others have read them
            await faults.deleted(live, TOUCHPOINT_EVENTS)
    yield


@asynccontextmanager
async def a_lock_is_held(live: Live) -> AsyncIterator[None]:
    async def flood(publish: Callable) -> None:
        while True:
            await publish(faults.retractions(live, 400))
            await asyncio.sleep(1)

    async with faults.published(live) as publish, faults.locked(live, "nps"), faults.beside(flood(publish)):
        yield


@asynccontextmanager
async def postgres_is_slow(live: Live) -> AsyncIterator[None]:
    async def trickle(publish: Callable) -> None:
        while True:
            await publish(faults.answers(live, 2))
            await asyncio.sleep(0.3)

    async with faults.published(live) as publish, faults.locked(live, "nps", 3.0), faults.beside(trickle(publish)):
        yield


@asynccontextmanager
async def a_topic_is_gone(live: Live) -> AsyncIterator[None]:
    async with faults.published(live) as publish, faults.without_topic(live, "nps.changed"):
        await publish(faults.answers(live, 5))
        yield


@asynccontextmanager
async def postgres_is_away(live: Live) -> AsyncIterator[None]:
    async def trickle(publish: Callable) -> None:
        while True:
            await publish(faults.retractions(live, 5))
            await asyncio.sleep(0.5)

    async with faults.published(live) as publish, faults.kept_down(live, "postgres"), faults.beside(trickle(publish)):
        yield


@asynccontextmanager
async def kafka_hangs_under_load(live: Live) -> AsyncIterator[None]:
    with faults.frozen(live, "kafka"):
        async with faults.posting(live, lambda: faults.contacts(live, 1), 90):
            yield


@asynccontextmanager
async def a_channel_goes_too_fast(live: Live) -> AsyncIterator[None]:
    with faults.slow_channel(live) as key:
        await asyncio.sleep(2)  # until the gateway has read it
        async with faults.posting(live, lambda: faults.contacts(live, 2), 2, key=key):
            yield


@asynccontextmanager
async def a_channels_release_is_wrong(live: Live) -> AsyncIterator[None]:
    async with faults.posting(live, lambda: faults.bad_event(live), 1):
        yield


@asynccontextmanager
async def members_come_and_go(live: Live) -> AsyncIterator[None]:
    async with faults.fickle_member(live, "nps"):
        yield


@asynccontextmanager
async def nobody_calls_back(live: Live) -> AsyncIterator[None]:
    await asyncio.to_thread(post, live, faults.complaint(live))
    yield


@asynccontextmanager
async def a_promise_is_not_kept(live: Live) -> AsyncIterator[None]:
    async with faults.promised(live, "service"):
        yield


@asynccontextmanager
async def nobody_knows_of_a_contact(live: Live) -> AsyncIterator[None]:
    async with faults.stray_contact(live, "service"):
        yield


@asynccontextmanager
async def the_policy_is_wrong(live: Live) -> AsyncIterator[None]:
    with faults.policy_changed(live, lambda text: text + '\n[[rules]]\nname = "half"\n'):
        yield


CASES = (
    Case("a record is garbled", ("TouchlineDeadLetters",), a_record_is_garbled, 15),
    Case("records are deleted before they are read", ("TouchlineEventsLost",), records_are_deleted, 30),
    Case("a service hangs", ("TouchlineServiceDown", "TouchlineLookupsMissing"), a_service_hangs, 30),
    Case("a flagged customer is not called back", ("TouchlineFollowUpsOverdue",), nobody_calls_back, 60),
    Case("a customer is promised a human and gets none", ("TouchlineDebtsOverdue",), a_promise_is_not_kept, 60),
    Case("nobody knows of a contact", ("TouchlineContactsOutOfBalance",), nobody_knows_of_a_contact, 90),
    Case("the policy is wrong", ("TouchlinePolicyRefused",), the_policy_is_wrong, 30),
    Case("a channel's release is wrong", ("TouchlineChannelRejected",), a_channels_release_is_wrong, 60),
    Case("a channel sends too fast", ("TouchlineChannelOverRate",), a_channel_goes_too_fast, 60),
    Case("members come and go", ("TouchlineRebalancesOften",), members_come_and_go, 90),
    Case("Postgres is slow under a service", ("TouchlineBatchesSlow",), postgres_is_slow, 90),
    Case(
        "a lock is held in Postgres", ("TouchlineLagGrows", "TouchlineStuck", "TouchlineLagHigh"), a_lock_is_held, 120
    ),
    Case("a service dies again and again", ("TouchlineRestartsOften",), a_service_dies_again_and_again, 90),
    Case("Postgres is away", ("TouchlineRetries",), postgres_is_away, 90),
    Case("a topic was deleted", ("TouchlineBacklogStuck",), a_topic_is_gone, 120),
    Case("Kafka hangs under load", ("TouchlineGatewayTurnsAway", "TouchlineGatewayBusy"), kafka_hangs_under_load, 90),
)
