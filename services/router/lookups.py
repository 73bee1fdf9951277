"""What triage asks of the other services: one batch each, side by side, within a deadline."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeVar

from touchline.escalation.v1 import escalation_pb2, escalation_pb2_grpc
from touchline.nps.v1 import nps_pb2, nps_pb2_grpc
from touchline.sentiment.v1 import sentiment_pb2, sentiment_pb2_grpc

from services.router.domain.events import (
    CallBackRequested,
    ContactRequested,
    CustomerEvent,
    HandoverRequested,
    Known,
)
from services.runtime.rpc import LARGEST_BATCH, LookupFailed

T = TypeVar("T")
N = TypeVar("N", int, float)


_ASKING = (ContactRequested, HandoverRequested, CallBackRequested)


class Lookups:
    """Tells what is known of the customers of a batch. A lookup that fails is named in each event that needed it."""

    def __init__(self, sentiment: Any, nps: Any, escalation: Any, deadline_s: float) -> None:
        """Take a gRPC channel to each peer, None where there is none."""
        self._sentiment = sentiment_pb2_grpc.SentimentServiceStub(sentiment) if sentiment else None
        self._nps = nps_pb2_grpc.NpsServiceStub(nps) if nps else None
        self._escalation = escalation_pb2_grpc.EscalationServiceStub(escalation) if escalation else None
        self._deadline_s = deadline_s

    async def enrich(self, events: Sequence[CustomerEvent]) -> Sequence[CustomerEvent]:
        """Put what is known into the requests and handovers of a batch; never raises."""
        asking = [e for e in events if isinstance(e, _ASKING)]
        if not asking:
            return events
        customers = sorted({e.customer_id for e in asking})
        contacts = sorted({e.contact_id for e in asking})
        until = _now() + self._deadline_s  # of all calls of a lookup together, however many customers there are
        moods, scores, risks = await asyncio.gather(
            _or_none(self._moods(customers, contacts, until)),
            _or_none(self._scores(customers, until)),
            _or_none(self._risks(customers, until)),
        )
        missing = tuple(
            name for name, found in (("sentiment", moods), ("nps", scores), ("escalation", risks)) if found is None
        )

        def known(event: CustomerEvent) -> Known:
            of_contact = (moods or {}).get("contact", {}).get(event.contact_id)
            of_customer = (moods or {}).get("customer", {}).get(event.customer_id)
            return Known(
                mood=of_customer if of_contact is None else of_contact,
                nps_score=(scores or {}).get(event.customer_id),
                risk=(risks or {}).get(event.customer_id),
                missing=missing,
            )

        return [replace(e, known=known(e)) if isinstance(e, _ASKING) else e for e in events]

    async def _moods(
        self, customers: Sequence[str], contacts: Sequence[str], until: float
    ) -> Mapping[str, Mapping[str, float]]:
        if self._sentiment is None:
            raise OSError("no peer")
        found: dict[str, dict[str, float]] = {"customer": {}, "contact": {}}
        for at in range(0, max(len(customers), len(contacts)), LARGEST_BATCH):
            request = sentiment_pb2.GetMoodRequest(
                customer_ids=customers[at : at + LARGEST_BATCH], contact_ids=contacts[at : at + LARGEST_BATCH]
            )
            answer = _readable(await self._sentiment.GetMood(request, timeout=until - _now()))
            found["customer"] |= _within(-1, {key: mood.mood for key, mood in answer.customers.items()}, 1)
            found["contact"] |= _within(-1, {key: mood.mood for key, mood in answer.contacts.items()}, 1)
        return found

    async def _scores(self, customers: Sequence[str], until: float) -> Mapping[str, int]:
        if self._nps is None:
            raise OSError("no peer")
        found: dict[str, int] = {}
        for at in range(0, len(customers), LARGEST_BATCH):
            request = nps_pb2.GetCustomerNpsRequest(customer_ids=customers[at : at + LARGEST_BATCH])
            answer = _readable(await self._nps.GetCustomerNps(request, timeout=until - _now()))
            found |= _within(0, {key: nps.score for key, nps in answer.customers.items()}, 10)
        return found

    async def _risks(self, customers: Sequence[str], until: float) -> Mapping[str, float]:
        if self._escalation is None:
            raise OSError("no peer")
        found: dict[str, float] = {}
        for at in range(0, len(customers), LARGEST_BATCH):
            request = escalation_pb2.GetRiskRequest(customer_ids=customers[at : at + LARGEST_BATCH])
            answer = _readable(await self._escalation.GetRisk(request, timeout=until - _now()))
            found |= _within(0, {key: risk.risk for key, risk in answer.customers.items()}, 1)
        return found


def _now() -> float:
    return asyncio.get_running_loop().time()


def _readable(answer: T | None) -> T:
    """The answer. Raises OSError where it could not be decoded: gRPC's asyncio client then gives None, and no error."""
    if answer is None:
        raise OSError("the answer is unreadable")
    return answer


def _within(low: float, figures: Mapping[str, N], high: float) -> Mapping[str, N]:
    """Without what can't be: a figure out of its range, or none at all, is not known."""
    return {key: figure for key, figure in figures.items() if low <= figure <= high}


async def _or_none(lookup: Awaitable[T]) -> T | None:
    try:
        return await lookup
    except LookupFailed:
        return None
