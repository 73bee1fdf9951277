"""Survey events and facts: protobuf on one side, the domain's words on the other."""

from collections.abc import Iterator
from datetime import datetime

from touchline.nps.v1 import nps_pb2
from touchline.survey.v1 import events_pb2 as survey_pb2

from services.nps.domain.survey import Event, SurveyAnswered, SurveyCorrected, SurveyCounted, SurveyRetracted
from services.runtime.pipeline import Publish
from services.runtime.records import Incoming, timestamp


def read(incoming: Incoming) -> Event | None:
    """The survey event, or None where it is none. Its data keeps the rules of proto/ already."""
    message = incoming.message
    match message:
        case survey_pb2.SurveyAnswered():
            segments = tuple(sorted((k, v) for k, v in message.segments.items() if k and v))
            return SurveyAnswered(*_base(incoming, message.survey_id), message.score, segments)
        case survey_pb2.SurveyCorrected():
            return SurveyCorrected(*_base(incoming, message.survey_id), message.score)
        case survey_pb2.SurveyRetracted():
            return SurveyRetracted(*_base(incoming, message.survey_id))
    return None


def write(fact: SurveyCounted) -> Iterator[Publish]:
    """The fact as an event on nps.changed."""
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
