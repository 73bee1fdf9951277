"""Escalation on the wire, in its counters, settings and state's JSON."""

from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from msgspec.json import encode
from touchline.contact.v1 import events_pb2 as contact_pb2
from touchline.escalation.v1 import escalation_pb2
from touchline.order.v1 import events_pb2 as order_pb2
from touchline.router.v1 import events_pb2 as router_pb2
from touchline.sentiment.v1 import sentiment_pb2
from touchline.survey.v1 import events_pb2 as survey_pb2
from touchline.ticket.v1 import events_pb2 as ticket_pb2

from services.escalation import codec, counters
from services.escalation.domain import events as domain
from services.escalation.domain import tasks
from services.escalation.domain.decide import decide
from services.escalation.domain.state import Customer
from services.escalation.settings import EscalationSettings
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
        (contact_pb2.ContactRequested(contact_id="k", language="en", customer={"tier": "vip"}), domain.ContactRequested, {"tier": "vip", "language": "en"}),
        (order_pb2.ReturnSent(order_id="o", parcel="p", amount_cents=5), domain.ReturnSent, {"parcel": "p", "cents": 5}),
        (order_pb2.ReturnChecked(order_id="o", worth_cents=5), domain.ReturnChecked, {"worth_cents": 5}),
        (order_pb2.OrderPlaced(order_id="o", product="水果", route="R7"), domain.Bought, {"causes": ("product:水果", "route:R7")}),
        (escalation_pb2.CustomerAffected(customer_id="c", cause="route:R7", wave=2), domain.Affected, {"cause": "route:R7", "wave": 2}),
        (contact_pb2.OutreachOptedOut(), domain.OptedOut, {}),
        (order_pb2.OrderPlaced(order_id="o", amount_cents=990), domain.Bought, {"cents": 990}),
        (sentiment_pb2.ConversationShifted(contact_id="k", turn={"direction": 1, "turning": {"message_id": "m", "message_source": "app"}}), domain.Turned, {"soured": True, "turning": "app m", "turned_at": AT}),
        (sentiment_pb2.ConversationShifted(contact_id="k", turn={"direction": 2}), domain.Turned, {"soured": False}),
        (router_pb2.ContactAccepted(contact_id="k", seat_id="a1", waited_ms=660_000), domain.Handed, {"how": "taken", "to": "a1", "waited_minutes": 11.0}),
        (router_pb2.OfferReturned(contact_id="k", token=7), domain.Handed, {"how": "returned", "to": "7"}),
        (escalation_pb2.ComplaintFlagged(case_id="q", arm="treated"), domain.FollowUpBegun, {"case_id": "q", "seen": True}),
        (escalation_pb2.ComplaintFlagged(case_id="q", arm="held_out"), domain.FollowUpBegun, {"seen": False}),
        (escalation_pb2.FollowUpClosed(case_id="q", result=1), domain.FollowUpOver, {"case_id": "q", "case_over": True}),
        (escalation_pb2.FollowUpClosed(case_id="q", result=4), domain.FollowUpOver, {"case_over": False}),
        (escalation_pb2.FollowUpClosed(case_id="q", result=3, outcome="held_out"), domain.FollowUpOver, {"case_over": True}),
    ],
)  # fmt: skip
def test_read(message, kind, fields) -> None:
    event = codec.read(incoming(message))
    assert type(event) is kind
    assert event.name == "s e"
    assert {name: getattr(event, name) for name in fields} == fields


@pytest.mark.parametrize(
    "message",
    [survey_pb2.SurveyRetracted(survey_id="q"), score(sentiment_pb2.LABEL_UNSURE)],
)
def test_what_does_not_concern_escalation_is_passed_over(message) -> None:
    assert codec.read(incoming(message)) is None


REASONS = (domain.Reason("mood_low", 0.3, -0.8), domain.Reason("repeat_contact", 0.24, 4))


@pytest.mark.parametrize(
    ("message", "kind", "fields"),
    [
        (escalation_pb2.FollowUpClaimRequested(follow_up_id="f", owner="li", team="care"), tasks.ClaimRequested, {"owner": "li"}),
        (escalation_pb2.FollowUpReleaseRequested(follow_up_id="f", owner="li", team="care"), tasks.ReleaseRequested, {"owner": "li"}),
        (escalation_pb2.FollowUpCloseRequested(follow_up_id="f", outcome="o", failed=True), tasks.CloseRequested, {"failed": True}),
    ],
)  # fmt: skip
def test_read_a_command(message, kind, fields) -> None:
    event = codec.read_team(incoming(message))
    assert type(event) is kind
    assert (event.source, event.event_id, event.follow_up_id) == ("s", "e", "f")
    assert {name: getattr(event, name) for name in fields} == fields


def test_a_case_comes_back_from_the_wire_as_it_went() -> None:
    case = tasks.CaseChanged(
        team="care", case_id="q", customer_id="c", group="vip", contact_id="k", touchpoint="repair", risk=0.7,
        reasons=REASONS, at=AT, cause="s e", ended="ticket_resolved",
    )  # fmt: skip
    (publish,) = codec.write_case(case)
    assert (publish.subject, publish.time) == ("c", AT)
    assert codec.read_team(incoming(publish.message)) == case


def test_a_flag_on_the_wire_and_in_the_counters() -> None:
    fact = tasks.ComplaintFlagged(
        "f", "c", "k", "repair", 0.7, REASONS, AT, AT + timedelta(hours=2), "s e", "care", "q", "vip", 0.64
    )
    (publish,) = codec.write_team(fact)
    message = publish.message
    assert isinstance(message, escalation_pb2.ComplaintFlagged)
    assert [(r.code, r.weight, r.value) for r in message.reasons] == [
        ("mood_low", 0.3, -0.8),
        ("repeat_contact", 0.24, 4),
    ]
    assert (message.touchpoint, message.cause, publish.subject, publish.time) == ("repair", "s e", "c", AT)
    assert message.due_at.ToDatetime(tzinfo=UTC) == AT + timedelta(hours=2)
    assert (message.team, message.case_id, message.group, message.threshold) == ("care", "q", "vip", 0.64)
    assert "联系了我们好几次" in message.opening_zh and "again and again" in message.opening_en
    deltas = list(counters.count(fact))
    assert [d.segment for d in deltas] == [(), (("touchpoint", "repair"),)]
    assert all((d.start, d.window, d.counts) == (AT.replace(second=0), "PT1M", {"flagged": 1}) for d in deltas)


def test_every_other_fact_has_its_event_and_its_count() -> None:
    facts: list[tuple[tasks.TeamFact, str, dict[str, int]]] = [
        (tasks.FollowUpClaimed("f", "c", "care", "li", AT), "FollowUpClaimed", {"claimed": 1}),
        (tasks.FollowUpReleased("f", "c", "care", "li", AT), "FollowUpReleased", {"released": 1}),
        (tasks.FollowUpReminded("f", "c", "care", "li", AT, AT), "FollowUpReminded", {"reminded": 1}),
        (tasks.FollowUpOverdue("f", "c", "", AT), "FollowUpOverdue", {"overdue": 1}),
        (tasks.FollowUpOverflowed("f", "c", "care", "wang", AT), "FollowUpOverflowed", {"overflowed": 1}),
        (tasks.FollowUpClosed("f", "c", "", "ok", AT, "failed", "care", "q", "li"), "FollowUpClosed", {"closed": 1, "failed": 1}),
    ]  # fmt: skip
    for fact, name, counts in facts:
        (publish,) = codec.write_team(fact)
        assert (type(publish.message).__name__, publish.subject, publish.time) == (name, "c", AT)
        assert [d.counts for d in counters.count(fact)] == [counts]
    moved = tasks.ThresholdMoved("care", AT, 0.6, 40, 1, 2, 3)
    assert not list(codec.write_team(moved)) and not list(counters.count(moved))


@pytest.mark.parametrize(("code", "says"), [("missing", "closed already"), ("claimed", "somebody else")])
def test_a_refused_command_is_answered_with_its_status(code, says) -> None:
    (answer,) = codec.write_team(tasks.CommandAnswered("s", "e", code, AT))
    assert isinstance(answer, Answer)
    assert (answer.ok, answer.code, answer.source, answer.event_id) == (False, "FAILED_PRECONDITION", "s", "e")
    assert says in answer.reason


def test_a_command_carried_out_is_answered() -> None:
    (answer,) = codec.write_team(tasks.CommandAnswered("s", "e", "", AT))
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
    assert state.case is not None
    assert msgspec.json.decode(encode(state), type=Customer) == state


def test_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ESCALATION_THRESHOLD", "0.7")
    monkeypatch.setenv("ESCALATION_DUE_IN", "PT1H")
    policy = load(EscalationSettings).numbers()
    assert (policy.threshold, policy.due_in) == (0.7, timedelta(hours=1))
    terms = load(EscalationSettings).follow_ups().terms_of("care")
    assert (terms.least, terms.due_in) == (0.7, timedelta(hours=1)), "where the policy says nothing else"
    monkeypatch.setenv("ESCALATION_THRESHOLD", "7")
    with pytest.raises(Misconfigured, match="ESCALATION_THRESHOLD"):
        load(EscalationSettings)


def test_a_state_of_before_there_were_teams_still_loads() -> None:
    old = b'{"customer_id":"c","follow_up":{"follow_up_id":"f","touchpoint":"","risk":0.7,"flagged_at":"2026-11-18T08:00:30Z","due_at":"2026-11-18T10:00:30Z","overdue":false},"closed":[{"follow_up_id":"e","at":"2026-11-18T08:00:30Z","risk":0.6}],"risk":0.7,"reasons":[],"flags":2}'
    state = msgspec.json.decode(old, type=Customer)
    assert (state.risk, state.case, state.ended) == (0.7, None, ())


def test_a_refund_starts_with_the_parcel_and_tells_why() -> None:
    state, facts = Customer("c"), []
    messages = [order_pb2.OrderPlaced(order_id=f"o{n}", amount_cents=10_000) for n in range(5)]
    messages += [order_pb2.ReturnSent(order_id="o4", parcel="SF1"), order_pb2.ReturnSent(order_id="x", parcel="SF2")]
    messages += [order_pb2.ReturnChecked(order_id="o4", worth_cents=4_000)]
    for n, message in enumerate(messages):
        at = AT + timedelta(days=4 * n)
        event = codec.read(Incoming(str(n), "s", "", "c", "c", at, message, ""))
        assert event is not None
        state, found = decide(state, event, at)
        facts += [f for f in found if not isinstance(f, tasks.CaseChanged)]
    started, declined, settled = (next(codec.write_case(f)).message for f in facts)
    assert (started.started, started.amount_cents, started.limit_cents) == (True, 10_000, 15_000)
    assert len(started.checks) == 8 and all(c.kept and c.zh and c.en for c in started.checks)
    assert not declined.started and {c.code for c in declined.checks if not c.kept} == {"known_order", "amount"}
    assert (settled.paid_cents, settled.lost_cents) == (10_000, 6_000)
    assert msgspec.json.decode(encode(state), type=Customer) == state


@pytest.mark.parametrize(("worth", "starts", "bad"), [(10_000, True, 0), (4_000, False, 0), (0, False, 1)])
def test_a_parcel_that_is_opened_before_its_sending_is_heard_of_is_settled_with_it(worth, starts, bad) -> None:
    state, told = Customer("c"), []
    messages = [order_pb2.OrderPlaced(order_id=f"o{n}", amount_cents=10_000) for n in range(5)]
    messages += [order_pb2.ReturnChecked(order_id="o4", worth_cents=worth)] * 2
    messages += [order_pb2.ReturnSent(order_id="o4", parcel="SF1")]
    for n, message in enumerate(messages):
        at = AT + timedelta(days=4 * n)
        event = codec.read(Incoming(str(n), "s", "", "c", "c", at, message, ""))
        assert event is not None
        state, facts = decide(state, event, at)
        told += [p.message for f in facts for p in codec.write_case(f)]
    decided, settled = told
    assert (decided.started, settled.paid_cents, settled.lost_cents) == (starts, 10_000 * starts, 0)
    assert (state.account.used_cents, state.account.bad, state.account.early) == (0, bad, ())
    assert starts or "limit" in {c.code for c in decided.checks if not c.kept}
    assert msgspec.json.decode(encode(state), type=Customer) == state


def test_an_order_that_is_told_again_is_one_order_at_its_last_price() -> None:
    state = Customer("c")
    for n, cents in enumerate((10_000, 10_000, 10_000, 8_000)):
        message = order_pb2.OrderPlaced(order_id="o", amount_cents=cents)
        event = codec.read(Incoming(str(n), "s", "", "c", "c", AT + timedelta(minutes=n), message, ""))
        assert event is not None
        state, _ = decide(state, event, AT + timedelta(minutes=n))
    assert (state.account.orders, state.account.bought_cents, state.account.since) == (1, 8_000, AT)


def test_a_wave_s_way_from_an_order_to_the_words_that_are_sent() -> None:
    def happens(state: Customer, message, name: str, at=AT) -> tuple[Customer, list]:
        event = codec.read(Incoming(name, "s", "", "c", "c", at, message, ""))
        assert event is not None
        state, facts = decide(state, event, at)
        return state, [p.message for f in facts for p in codec.write_case(f)]

    state, told = happens(Customer("c"), order_pb2.OrderPlaced(order_id="o", batch="草莓-0611", store="S1"), "1")
    assert told == []
    state, told = happens(state, order_pb2.DeliveryDelayed(order_id="o", delay_minutes=10), "2")
    assert told == [], "hardly late is no report"
    state, told = happens(state, order_pb2.DeliverySpoilt(order_id="o"), "3")
    assert [m.cause for m in told] == ["store:S1", "batch:草莓-0611"]
    assert codec.read_cause(incoming(told[0])).cause == "store:S1"
    before = state.risk
    hit = escalation_pb2.CustomerAffected(customer_id="c", cause="batch:草莓-0611", wave=1)
    state, (started,) = happens(state, hit, "4")
    assert (started.kind, started.withheld) == ("message", "") and "草莓-0611" in started.zh
    assert state.risk > before and "hot_cause" in {r.code for r in state.reasons}
    state, (again,) = happens(state, escalation_pb2.CustomerAffected(cause="store:S1", wave=1), "5")
    assert again.withheld == "lately"
    state, _ = happens(state, contact_pb2.OutreachOptedOut(), "6")
    state, (never,) = happens(
        state, escalation_pb2.CustomerAffected(cause="store:S1", wave=2), "7", AT + timedelta(days=30)
    )
    assert never.withheld == "opted_out"
    assert msgspec.json.decode(encode(state), type=Customer) == state
