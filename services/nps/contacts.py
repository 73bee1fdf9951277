"""The second pipeline: customers' contacts and tickets in; what service is judged by, and surveys for channels to deliver, out."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, timedelta, tzinfo
from functools import partial
from typing import Any, Final

from google.protobuf.message import Message
from touchline.contact.v1 import events_pb2 as contact_pb2
from touchline.nps.v1 import nps_pb2
from touchline.sentiment.v1 import sentiment_pb2
from touchline.survey.v1 import events_pb2 as survey_pb2
from touchline.ticket.v1 import events_pb2 as ticket_pb2

from services import taxonomy
from services.nps.codec import contact_segments
from services.nps.counters import ALL_TIME, DAILY
from services.nps.domain import service
from services.nps.domain.asking import VOLUME_DAYS, Plan
from services.nps.domain.kpis import FIELDS
from services.nps.domain.matters import MatterJudged
from services.nps.domain.windows import day_of, hour_of, rolling
from services.runtime.clock import Clock
from services.runtime.pipeline import Change, Db, Delta, Metric, Pipeline, Publish
from services.runtime.records import Incoming, timestamp
from services.runtime.topics import SENTIMENT_SCORED, TOUCHPOINT_EVENTS

PIPELINE: Final = "nps.service"
METRIC: Final = Metric("service", FIELDS)
_SERVED: Final = (contact_pb2.SPEAKER_BOT, contact_pb2.SPEAKER_SEAT)
_STATUS: Final = {
    ticket_pb2.TICKET_STATUS_IN_PROGRESS: "other",
    ticket_pb2.TICKET_STATUS_WAITING: "other",
    ticket_pb2.TICKET_STATUS_REOPENED: "reopened",
}
STAGES: Final = frozenset(s.key for s in taxonomy.load().stages)
KEPT: Final = timedelta(minutes=10)
"""How long a store's volume is remembered."""


def pipeline(plan: Plan, zone: tzinfo, volumes: "Volumes") -> Pipeline[service.Service, service.Event, service.Fact]:
    """Customers' events, judged by the plan; quiet hours are those of the zone."""
    return Pipeline(
        name=PIPELINE,
        topics=(TOUCHPOINT_EVENTS, SENTIMENT_SCORED),
        state_type=service.Service,
        initial=service.Service,
        read=read,
        enrich=volumes.enrich,
        decide=partial(service.decide, plan=plan, zone=zone),
        tick=partial(service.tick, plan=plan, zone=zone),
        due=service.due,
        write=write,
        project=project,
        count=partial(count, zone=zone),
        metric=METRIC,
        unhurried=True,
    )


def read(incoming: Incoming) -> service.Event | None:
    """The event in the domain's words, or None where service is not judged by it."""
    return _of_contact(incoming, incoming.message) or _of_case(incoming, incoming.message)


def _of_contact(incoming: Incoming, message: Message) -> service.Event | None:
    match message:
        case contact_pb2.ContactRequested():
            return service.Began(
                incoming.time, message.contact_id, message.channel, message.language, message.topic,
                contact_segments(message), stage=message.touchpoint if message.touchpoint in STAGES else "",
            )  # fmt: skip
        case sentiment_pb2.MessageScored() if message.score.targets:
            return service.Spoke(
                message.said_at.ToDatetime(UTC), message.contact_id, tuple(t.stage for t in message.score.targets)
            )
        case contact_pb2.MessageReceived() if message.speaker in _SERVED:
            return service.Replied(incoming.time, message.contact_id)
        case contact_pb2.ContactEnded():
            return service.Over(incoming.time, message.contact_id, abandoned=False)
        case contact_pb2.ContactAbandoned():
            return service.Over(incoming.time, message.contact_id, abandoned=True)
    return None


def _of_case(incoming: Incoming, message: Message) -> service.Event | None:
    at = incoming.time
    match message:
        case ticket_pb2.TicketOpened():
            return service.TicketMoved(at, message.ticket_id, "opened", message.contact_id, message.topic)
        case ticket_pb2.TicketUpdated() if _STATUS.get(message.status) == "reopened":
            return service.TicketMoved(at, message.ticket_id, "reopened")
        case ticket_pb2.TicketResolved():
            return service.TicketMoved(at, message.ticket_id, "resolved")
        case survey_pb2.SurveyAnswered():
            satisfaction = message.satisfaction if message.HasField("satisfaction") else None
            return service.Answered(at, message.survey_id, message.score, message.contact_id, satisfaction)
        case survey_pb2.SurveyCorrected():
            return service.Answered(at, message.survey_id, message.score, given=False)
        case survey_pb2.SurveyRetracted():
            return service.Answered(at, message.survey_id, None, given=False)
    return None


def write(fact: service.Fact) -> Iterator[Publish]:
    """A survey's request as an event on survey.requested; counts go to the counters alone."""
    if isinstance(fact, service.Request):
        w = fact.waiting
        message = nps_pb2.SurveyRequested(
            survey_id=fact.survey_id,
            customer_id=fact.customer_id,
            contact_id=w.contact_id,
            channel=w.channel,
            segments=dict(w.segments),
            requested_at=timestamp(fact.at),
            chance=w.chance,
            language=w.language,
        )
        yield Publish(message, fact.customer_id, fact.at)


async def project(db: Db, changes: Sequence[Change[service.Service, service.Fact]]) -> None:
    """Writes the contacts as they are judged, in the batch's transaction: of a contact's facts, the last one tells."""
    told = [f for c in changes for f in c.facts if isinstance(f, MatterJudged)]
    last = {(f.customer_id, f.contact_id): f for f in told}
    kept = [f for _, f in sorted(last.items())]
    if kept:
        await db.execute(
            """INSERT INTO matter (customer_id, contact_id, began_at, segments, kind, cause)
               SELECT * FROM unnest($1::text[], $2::text[], $3::timestamptz[], $4::text[]::jsonb[], $5::text[], $6::text[])
               ON CONFLICT (customer_id, contact_id) DO UPDATE SET
                   began_at = excluded.began_at, segments = excluded.segments, kind = excluded.kind, cause = excluded.cause""",
            [f.customer_id for f in kept],
            [f.contact_id for f in kept],
            [f.began for f in kept],
            [json.dumps(dict(f.segments), ensure_ascii=False) for f in kept],
            [f.kind for f in kept],
            [f.cause for f in kept],
        )


def count(fact: service.Fact, zone: tzinfo = UTC) -> Iterator[Delta]:
    """The cells of all contacts by the hour, of each segment by the zone's day and of all time."""
    if not isinstance(fact, service.Counted):
        return
    counts = {name: n for name, n in fact.counts.items() if n}
    if not counts:
        return
    day = day_of(fact.at, zone)
    yield Delta(METRIC.name, (), "PT1H", hour_of(fact.at), counts)
    for segment in ((), *(((d, v),) for d, v in fact.segments)):
        yield Delta(METRIC.name, segment, "ALL", ALL_TIME, counts)
        yield Delta(METRIC.name, segment, "P1D", day, counts, publish=not segment or segment[0][0] in DAILY)


class Volumes:
    """How many contacts stores had: what their chance of being asked is told by."""

    def __init__(self, pool: Any, clock: Clock, zone: tzinfo) -> None:
        self._pool, self._clock, self._zone = pool, clock, zone
        self._known: dict[str, tuple[int, Any]] = {}

    async def enrich(self, events: Sequence[service.Event]) -> Sequence[service.Event]:
        """Puts its store's volume into each contact that begins; where the lookup fails, there is none."""
        stores = {dict(e.segments).get("store", "") for e in events if isinstance(e, service.Began)}
        now = self._clock()
        missing = [s for s in stores if s not in self._known or self._known[s][1] + KEPT < now]
        try:
            if missing:
                found = await self._look(missing)
                if len(self._known) > 100_000:
                    self._known.clear()
                self._known.update({s: (found.get(s, 0), now) for s in missing})
        except Exception:  # stands in the event as a volume that is not known
            return events
        return [self._with(e) if isinstance(e, service.Began) else e for e in events]

    def _with(self, event: service.Began) -> service.Began:
        known = self._known.get(dict(event.segments).get("store", ""))
        return replace(event, volume=known[0] if known else None)

    async def _look(self, stores: Sequence[str]) -> dict[str, int]:
        rows = await self._pool.fetch(
            """SELECT segment, sum(counts[1])::bigint FROM runtime.counter_cell
               WHERE pipeline = $1 AND metric = $2 AND win = 'P1D' AND start = ANY($3) AND segment = ANY($4)
               GROUP BY segment""",
            PIPELINE,
            METRIC.name,
            list(rolling(self._clock(), VOLUME_DAYS, self._zone)),
            # Contacts without a store are asked as those of one that has all contacts.
            [json.dumps({"store": s} if s else {}, ensure_ascii=False, separators=(",", ":")) for s in stores],
        )
        return {json.loads(segment).get("store", ""): n for segment, n in rows}
