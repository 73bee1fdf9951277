"""Survey events and facts: protobuf on one side, the domain's words on the other."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Final

from touchline.contact.v1 import events_pb2 as contact_pb2
from touchline.nps.v1 import nps_pb2
from touchline.sentiment.v1 import sentiment_pb2
from touchline.survey.v1 import events_pb2 as survey_pb2

from services.nps.domain.remarks import CommentRead, Named, Reading, Remark
from services.nps.domain.survey import (
    ContactBegan,
    Event,
    Fact,
    Segments,
    SurveyAnswered,
    SurveyAsked,
    SurveyCorrected,
    SurveyCounted,
    SurveyRetracted,
)
from services.runtime.pipeline import Publish
from services.runtime.records import Incoming, timestamp

_READINGS: Final[dict[int, Reading]] = {
    sentiment_pb2.READING_UNREAD: "unread",
    sentiment_pb2.READING_OTHER: "other",
    sentiment_pb2.READING_STAGED: "staged",
}


def read(incoming: Incoming) -> Event | None:
    """The survey event, or None where it is none. Its data keeps the rules of proto/ already."""
    message = incoming.message
    match message:
        case survey_pb2.SurveyAnswered():
            base = _base(incoming, message.survey_id)
            return SurveyAnswered(
                *base, message.score, segments_of(message.segments), message.contact_id, message.comment.strip()
            )
        case survey_pb2.SurveyCorrected():
            return SurveyCorrected(*_base(incoming, message.survey_id), message.score)
        case survey_pb2.SurveyRetracted():
            return SurveyRetracted(*_base(incoming, message.survey_id))
        case sentiment_pb2.CommentRead():
            return CommentRead(*_base(incoming, message.survey_id), _remark(message))
        case nps_pb2.SurveyRequested():
            return SurveyAsked(*_base(incoming, message.survey_id), segments_of(message.segments))
        case contact_pb2.ContactRequested():
            return ContactBegan(*_base(incoming, message.contact_id), contact_segments(message))
    return None


def _remark(message: sentiment_pb2.CommentRead) -> Remark:
    return Remark(
        message.answered_at.ToDatetime(UTC),
        message.answer_id,
        message.answer_source,
        _READINGS.get(message.reading, "unread"),
        message.language,
        tuple(Named(n.stage, n.complains, tuple(n.words)) for n in message.named),
    )


def segments_of(given: Mapping[str, str]) -> Segments:
    """Segments in order, without empty ones."""
    return tuple(sorted((k, v) for k, v in given.items() if k and v))


def contact_segments(message: contact_pb2.ContactRequested) -> Segments:
    """The segments that a contact tells of: those of the answer to its survey, where that names none."""
    customer = message.customer
    known = {
        "channel": message.channel,
        "group": customer.tier,
        "region": customer.region,
        "store": customer.store,
        "touchpoint": message.touchpoint,
    }
    return segments_of(known)


def write(fact: Fact) -> Iterator[Publish]:
    """The fact as an event on nps.changed; who was asked, and what comments say, is for the store alone."""
    if not isinstance(fact, SurveyCounted):
        return
    message = nps_pb2.NpsChanged(
        customer_id=fact.customer_id,
        survey_id=fact.survey_id,
        before=fact.before,
        after=fact.after,
        segments=dict(fact.segments),
        answered_at=timestamp(fact.answered_at),
    )
    yield Publish(message, fact.customer_id, fact.time)


def _base(incoming: Incoming, survey_id: str) -> tuple[str, str, str, str, datetime]:
    return incoming.source, incoming.event_id, incoming.key, survey_id, incoming.time
