"""A short story as the gateway itself tells it: a score that is unsure, a survey and a flag close together, pools and touchpoints by id."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from touchline.contact.v1 import events_pb2 as contact
from touchline.escalation.v1 import escalation_pb2 as escalation
from touchline.router.v1 import events_pb2 as router
from touchline.sentiment.v1 import sentiment_pb2 as sentiment
from touchline.survey.v1 import events_pb2 as survey

from services.gateway.live.view import LiveView
from services.runtime import records
from services.runtime.records import Record

_AT = datetime(2026, 5, 20, 5, 12, 3, tzinfo=UTC)
_IDS: dict[str, Any] = {"contact_id": "kim-1", "customer_id": "kim"}
_TRIAGED = router.ContactTriaged(
    **_IDS, pool="care", rule="asks_for_a_human", priority=5, inputs=router.TriageInputs(channel="phone")
)
_SURE = sentiment.Score(polarity=-0.62, label=sentiment.LABEL_NEGATIVE)
_UNSURE = sentiment.Score(polarity=0.4, label=sentiment.LABEL_UNSURE)
_MESSAGES = (
    contact.ContactRequested(
        contact_id="kim-1", channel="phone", touchpoint="after_sales.complaint", topic="complaint"
    ),
    _TRIAGED,
    router.ContactQueued(**_IDS, pool="pool-of-no-name"),
    contact.MessageReceived(
        contact_id="kim-1", speaker=contact.SPEAKER_CUSTOMER, text="I will report you to the consumer association!"
    ),
    sentiment.MessageScored(**_IDS, customer_mood=-0.1, score=_UNSURE),
    survey.SurveyAnswered(survey_id="kim-s", score=2),
    escalation.ComplaintFlagged(follow_up_id="kim-f", customer_id="kim", risk=0.9),
    contact.MessageReceived(contact_id="kim-1", speaker=contact.SPEAKER_CUSTOMER, text="Nobody calls me back."),
    sentiment.MessageScored(**_IDS, customer_mood=-0.4, score=_SURE),
)


def kim() -> dict[str, Any]:
    """The journey's answer."""
    view = LiveView()
    for n, message in enumerate(_MESSAGES):
        at = _AT + timedelta(seconds=n)
        out = records.write(message, event_id=f"kim-{n}", source="t", subject="kim", time=at)
        view.apply(Record(out.topic, 0, 0, out.key, out.value, out.headers))
    told = view.journeys.tell("kim")
    assert told is not None
    return told
