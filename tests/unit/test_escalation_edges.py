"""Escalation on the wire, in its counters, settings and state's JSON."""

from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from touchline.contact.v1 import events_pb2 as contact_pb2
from touchline.escalation.v1 import escalation_pb2
from touchline.order.v1 import events_pb2 as order_pb2
from touchline.sentiment.v1 import sentiment_pb2
from touchline.survey.v1 import events_pb2 as survey_pb2
from touchline.ticket.v1 import events_pb2 as ticket_pb2

from services.escalation import codec, counters
from services.escalation.domain import events as domain
from services.escalation.domain.decide import decide
from services.escalation.domain.state import Customer
from services.escalation.settings import EscalationSettings
from services.runtime.batch import encode
from services.runtime.errors import Misconfigured
from services.runtime.pipeline import Answer
from services.runtime.records import Incoming
from services.runtime.settings import load

AT = datetime(2026, 11, 18, 8, 0, 30, tzinfo=UTC)


def incoming(message) -> Incoming:
    return Incoming("e", "s", "", "c", "c", AT, message, "")


def score(label=sentiment_pb2.LABEL_NEGATIVE):
    message = sentiment_pb2.MessageScored(message_source="app", message_id="m1", contact_id="k", touchpoint="repair")
    message.score.CopyFrom(sentiment_pb2.Score(polarity=-0.8, label=label))
    return message


@pytest.mark.parametrize(
    ("message", "kind", "fields"),
    [
        (contact_pb2.ContactRequested(contact_id="k", touchpoint="t"), domain.ContactRequested, {"contact_id": "k", "touchpoint": "t"}),
        (contact_pb2.MessageReceived(contact_id="k", speaker=1, text="投诉"), domain.CustomerSaid, {"text": "投诉"}),
        (contact_pb2.MessageReceived(contact_id="k", speaker=2, text="投诉"), domain.Replied, {"contact_id": "k"}),
        (contact_pb2.MessageReceived(contact_id="k", speaker=3, text="投诉"), domain.Replied, {"contact_id": "k"}),
        (contact_pb2.ContactEnded(contact_id="k"), domain.ContactOver, {"abandoned": False}),
        (contact_pb2.ContactAbandoned(contact_id="k"), domain.ContactOver, {"abandoned": True}),
        (score(), domain.MessageScored, {"message": "app m1", "polarity": -0.8, "said_at": AT}),
        (ticket_pb2.TicketOpened(ticket_id="t"), domain.TicketMoved, {"status": "opened"}),
        (ticket_pb2.TicketUpdated(ticket_id="t", status=3), domain.TicketMoved, {"status": "reopened"}),
        (ticket_pb2.TicketUpdated(ticket_id="t", status=1), domain.TicketMoved, {"status": "other"}),
        (ticket_pb2.TicketResolved(ticket_id="t"), domain.TicketMoved, {"status": "resolved"}),
        (order_pb2.DeliveryDelayed(order_id="o", delay_minutes=50), domain.DeliveryFailed, {"failure": "delayed", "delay_minutes": 50}),
        (order_pb2.DeliverySpoilt(order_id="o"), domain.DeliveryFailed, {"failure": "spoilt"}),
        (order_pb2.RefundRequested(order_id="o"), domain.DeliveryFailed, {"failure": "refund"}),
        (escalation_pb2.FollowUpCloseRequested(follow_up_id="f", outcome="o"), domain.CloseRequested, {"follow_up_id": "f", "outcome": "o"}),
    ],
)  # fmt: skip
def test_read(message, kind, fields) -> None:
    event = codec.read(incoming(message))
    assert type(event) is kind
    assert event.name == "s e"
    assert {name: getattr(event, name) for name in fields} == fields


@pytest.mark.parametrize(
    "message",
    [order_pb2.OrderPlaced(order_id="o"), survey_pb2.SurveyRetracted(survey_id="q"), score(sentiment_pb2.LABEL_UNSURE)],
)
def test_what_does_not_concern_escalation_is_passed_over(message) -> None:
    assert codec.read(incoming(message)) is None


def test_a_flag_on_the_wire_and_in_the_counters() -> None:
    reasons = (domain.Reason("mood_low", 0.3, -0.8), domain.Reason("repeat_contact", 0.24, 4))
    fact = domain.ComplaintFlagged("f", "c", "k", "repair", 0.7, reasons, AT, AT + timedelta(hours=2), "s e")
    (publish,) = codec.write(fact)
    message = publish.message
    assert isinstance(message, escalation_pb2.ComplaintFlagged)
    assert [(r.code, r.weight, r.value) for r in message.reasons] == [
        ("mood_low", 0.3, -0.8),
        ("repeat_contact", 0.24, 4),
    ]
    assert (message.touchpoint, message.cause, publish.subject, publish.time) == ("repair", "s e", "c", AT)
    assert message.due_at.ToDatetime(tzinfo=UTC) == AT + timedelta(hours=2)
    deltas = list(counters.count(fact))
    assert [d.segment for d in deltas] == [(), (("touchpoint", "repair"),)]
    assert all((d.start, d.window, d.counts) == (AT.replace(second=0), "PT1M", {"flagged": 1}) for d in deltas)


@pytest.mark.parametrize(("code", "status"), [("missing", "NOT_FOUND"), ("closed", "FAILED_PRECONDITION")])
def test_a_refused_command_is_answered_with_its_status(code, status) -> None:
    (answer,) = codec.write(domain.CloseAnswered("s", "e", "f", code, AT))
    assert isinstance(answer, Answer)
    assert (answer.ok, answer.code, answer.source, answer.event_id) == (False, status, "s", "e")


def test_a_command_carried_out_is_answered() -> None:
    (answer,) = codec.write(domain.CloseAnswered("s", "e", "f", "", AT))
    assert isinstance(answer, Answer)
    assert answer.ok


def test_the_state_comes_back_from_json() -> None:
    state = Customer("c")
    for n, message in enumerate(
        [
            contact_pb2.ContactRequested(contact_id="k", touchpoint="repair"),
            contact_pb2.MessageReceived(contact_id="k", speaker=1, text="我要投诉，找律师"),
            score(),
            ticket_pb2.TicketUpdated(ticket_id="t", status=3),
            order_pb2.DeliverySpoilt(order_id="o"),
        ]
    ):
        event = codec.read(Incoming(str(n), "s", "", "c", "c", AT, message, ""))
        assert event is not None
        state, _ = decide(state, event, AT)
    assert state.follow_up is not None
    assert msgspec.json.decode(encode(state), type=Customer) == state


def test_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ESCALATION_THRESHOLD", "0.7")
    monkeypatch.setenv("ESCALATION_DUE_IN", "PT1H")
    policy = load(EscalationSettings).policy()
    assert (policy.threshold, policy.due_in) == (0.7, timedelta(hours=1))
    monkeypatch.setenv("ESCALATION_THRESHOLD", "7")
    with pytest.raises(Misconfigured, match="ESCALATION_THRESHOLD"):
        load(EscalationSettings)
