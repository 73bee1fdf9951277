"""The door's one way in, for HTTP and gRPC alike: key, rate, acceptance, Kafka's acknowledgement, answer."""

import asyncio
import logging
import random
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from services.gateway.accept import Acceptance, Envelope, Rejection, accept
from services.gateway.admission import Admission
from services.gateway.keys import Channel, KeyRing
from services.gateway.settings import GatewaySettings
from services.runtime.catalogue import EventType
from services.runtime.clock import Clock
from services.runtime.errors import Transient
from services.runtime.ingress import RequestTrace
from services.runtime.records import Outgoing
from services.runtime.signals import ACCEPTED, Attribute
from services.runtime.telemetry import meters

log = logging.getLogger(__name__)

# How long a request that Kafka did not acknowledge makes the gateway unhealthy, unless one is acknowledged sooner.
UNWELL_S = 5.0


class Publishes(Protocol):
    """What the door needs of the publisher."""

    async def publish(self, records: Sequence[Outgoing]) -> None: ...


class Verdict(Enum):
    """What became of a request, with its HTTP status."""

    TAKEN = 202
    REFUSED = 400
    TOO_LARGE = 413
    LIMITED = 429
    AWAY = 503


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer to a request. retry_after_s, reason: when to send the same again, and why (LIMITED, AWAY)."""

    verdict: Verdict
    accepted: int = 0
    rejected: tuple[Rejection, ...] = ()
    retry_after_s: float = 0.0
    reason: str = ""


class Door:
    """Lets events in. All records of a request are acknowledged by Kafka, or the channel is told to send all of it again."""

    def __init__(self, keys: KeyRing, publisher: Publishes, clock: Clock, settings: GatewaySettings) -> None:
        self.keys = keys
        self._publisher = publisher
        self._clock = clock
        self._settings = settings
        self.admission = Admission(
            settings.gateway_max_in_flight,
            settings.gateway_max_in_flight_bytes,
            settings.gateway_target_ms / 1000,
            time.monotonic,
        )
        self._failed_at: float | None = None
        self._count = meters().counter(ACCEPTED)

    @property
    def well(self) -> bool:
        """Whether Kafka took what it was handed last, as far as is known."""
        return self._failed_at is None or time.monotonic() - self._failed_at > UNWELL_S

    def channel(self, authorization: str) -> Channel | None:
        """The channel of an Authorization header, or None."""
        scheme, _, key = authorization.partition(" ")
        return self.keys.find(key.strip()) if scheme.lower() == "bearer" else None

    def limited(self, channel: Channel) -> Answer | None:
        """The refusal, where the channel is over its rate."""
        wait = self.keys.wait_s(channel)
        if wait <= 0:
            return None
        self._count.add(1, {"channel": channel.name, "outcome": "limited"})
        return Answer(Verdict.LIMITED, retry_after_s=wait, reason="the channel is over its rate")

    def busy(self, channel: Channel) -> Answer:
        """The refusal of a request that there is no room for now."""
        self._count.add(1, {"channel": channel.name, "outcome": "busy"})
        # Not all at once again.
        return Answer(
            Verdict.AWAY,
            retry_after_s=random.choice((1.0, 2.0, 3.0)),
            reason="the gateway is busy; send all of it again",
        )

    async def take(
        self, channel: Channel, read: Callable[[], Sequence[Envelope | Rejection]], traceparent: str, method: str
    ) -> Answer:
        """Lets in what can be let in. read: decodes the request; called once it is sure to be worked on."""
        if refusal := self.limited(channel):
            return refusal
        began = self.admission.begin()
        if began is None:
            return self.busy(channel)
        try:
            given = read()
            self.keys.take(channel, len(given))
            trace = RequestTrace(traceparent, self._settings.gateway_trace_ratio, {Attribute.HTTP_ROUTE: method})
            answer = await self._publish(channel, given, trace)
            trace.end(answer.verdict.value)
            return answer
        finally:
            self.admission.end(began)

    async def _publish(self, channel: Channel, given: Iterable[Envelope | Rejection], trace: RequestTrace) -> Answer:
        def traced(event_type: EventType, event_id: str, own: str) -> str:
            return trace.event(event_type.topic, event_type.name, event_id, own)

        found = accept(given, self._clock(), traced, self._settings.gateway_max_event_bytes)
        try:
            async with asyncio.timeout(self._settings.gateway_publish_timeout_s):
                await self._publisher.publish(found.records)
        except (Transient, TimeoutError) as error:
            self._failed_at = time.monotonic()
            trace.sent(type(error).__name__)
            self._count.add(len(found.records), {"channel": channel.name, "outcome": "away"})
            log.warning(
                "Kafka did not acknowledge a request",
                extra={"fields": {"channel": channel.name, "events": len(found.records)}},
            )
            return Answer(Verdict.AWAY, retry_after_s=2.0, reason="Kafka is away; send all of it again")
        self._failed_at = None
        trace.sent()
        return self._answer(channel, found)

    def _answer(self, channel: Channel, found: Acceptance) -> Answer:
        accepted, rejected = len(found.records), tuple(found.rejected)
        if accepted:
            self._count.add(accepted, {"channel": channel.name, "outcome": "accepted"})
        if rejected:
            self._count.add(len(rejected), {"channel": channel.name, "outcome": "rejected"})
        if found.too_large:
            return Answer(Verdict.TOO_LARGE, 0, rejected)
        return Answer(Verdict.TAKEN if accepted or not rejected else Verdict.REFUSED, accepted, rejected)
