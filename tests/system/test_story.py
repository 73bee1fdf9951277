"""Mrs Hu (胡女士): her mood, her routes, her NPS and the flag that comes before she complains, as one story and one trace."""

from datetime import datetime
from itertools import pairwise
from typing import Any

import pytest
from touchline.escalation.v1.escalation_pb2 import ComplaintFlagged
from touchline.router.v1.events_pb2 import ContactTriaged
from touchline.sentiment.v1.sentiment_pb2 import MessageScored

from services.cli.day.story import ADVICE, COMPLAINT, FAULT, HU, INSTALL_CALL, UNHAPPY
from tests.live import Live, get, history, until
from tests.story import Story

pytestmark = pytest.mark.integration
Span = dict[str, Any]


def told(live: Live) -> dict[str, Any]:
    story: dict[str, Any] = get(f"{live['gateway']['url']}/v1/customers/{HU.id}/journey")
    return story


def test_she_is_served_to_the_end_and_nothing_is_refused(story: Story) -> None:
    assert story.finished
    assert story.counts["sent"] > 70
    assert story.counts.get("refused", 0) == story.counts.get("calls refused", 0) == 0


async def test_her_mood_falls_from_contact_to_contact(live_stack: Live, story: Story) -> None:
    scores = [one.message for one in await history(live_stack, "sentiment.scored")]
    last = {m.contact_id: m for m in scores if isinstance(m, MessageScored) and m.customer_id == HU.id}
    assert set(last) == {ADVICE, INSTALL_CALL, FAULT, UNHAPPY, COMPLAINT}
    assert last[FAULT].contact_mood < -0.3 and last[UNHAPPY].contact_mood < -0.5
    # The installation goes well; from the fault on it is downhill.
    assert all(last[a].customer_mood > last[b].customer_mood for a, b in pairwise((INSTALL_CALL, FAULT, UNHAPPY)))
    assert told(live_stack)["mood"] == pytest.approx(last[COMPLAINT].customer_mood)


async def test_each_contact_goes_where_the_policy_says(live_stack: Live, story: Story) -> None:
    facts = [one.message for one in await history(live_stack, "routing.decided")]
    routes: dict[str, list[ContactTriaged]] = {}
    for m in facts:
        if isinstance(m, ContactTriaged) and m.customer_id == HU.id:
            routes.setdefault(m.contact_id, []).append(m)
            assert list(m.inputs.missing) == []
    pools = {contact: [(m.pool, m.rule) for m in made] for contact, made in routes.items()}
    assert pools[ADVICE] == [("bot", "default")]
    assert pools[INSTALL_CALL] == [("service", "asks_for_a_human")]
    # The bot takes the fault and gives it up, unless her first angry words were scored before she was routed.
    words_were_known = routes[FAULT][0].inputs.mood < -0.5
    assert pools[FAULT] == [("care", "angry")] if words_were_known else [("bot", "default"), ("care", "angry")]
    # Her words may have flagged her before she is routed: the graver reason goes first.
    feared = routes[UNHAPPY][0].inputs.risk > 0.6
    assert pools[UNHAPPY] == [("care", "likely_to_escalate" if feared else "angry")]
    assert pools[COMPLAINT] == [("care", "likely_to_escalate")]
    handed_over = "handover" in {step["kind"] for step in told(live_stack)["steps"]}
    assert handed_over is not words_were_known


async def test_the_flag_comes_before_she_complains(live_stack: Live, story: Story) -> None:
    flags = [
        one for one in await history(live_stack, "escalation.flagged") if isinstance(one.message, ComplaintFlagged)
    ]
    first = min((one for one in flags if one.message.customer_id == HU.id), key=lambda one: one.time)
    steps = told(live_stack)["steps"]
    complains = next(step for step in steps if step["contact_id"] == COMPLAINT and step["kind"] == "requested")
    assert first.message.contact_id == UNHAPPY
    assert first.time < datetime.fromisoformat(complains["at"])
    assert [step["kind"] for step in steps].index("flagged") < steps.index(complains)
    # After the repair that was called done, in the contact in which she says that it failed.
    flagged_at = next(step["at"] for step in steps if step["kind"] == "flagged")
    before = [step for step in steps if datetime.fromisoformat(step["at"]) <= datetime.fromisoformat(flagged_at)]
    fault = next(n for n, step in enumerate(before) if step["contact_id"] == FAULT)
    assert any(step["kind"] == "ticket" and step["en"] == "Ticket resolved" for step in before[fault:])
    reasons = {reason.code for reason in first.message.reasons}
    assert {"mood_low", "repeat_contact"} <= reasons
    # What a person would say of it: we were asked again and again, it came back, or we did not keep our word.
    matters = ("同一件事让您联系了我们好几次", "您的问题处理后又出现了", "我们答应您的事没有按时做到")
    assert any(words in first.message.opening_zh for words in matters), first.message.opening_zh
    # And it is what sends her straight to the right people when she does.
    assert told(live_stack)["risk"] > 0.6


async def test_her_journey_is_one_story(live_stack: Live, story: Story) -> None:
    journey = told(live_stack)
    steps = journey["steps"]
    times = [datetime.fromisoformat(step["at"]) for step in steps]
    assert times == sorted(times)
    assert journey["nps"] == 2
    assert [s["zh"].partition("：")[0] for s in steps if s["kind"] == "survey"] == [
        f"问卷评分 {score}" for score in (7, 8, 4, 1, 2)
    ]
    kinds = {step["kind"] for step in steps}
    assert kinds >= {"requested", "routed", "queued", "offered", "accepted", "said", "scored", "closed"}
    assert kinds >= {"order", "ticket", "survey", "flagged"}
    speakers = {step["speaker"] for step in steps if step["kind"] == "said"}
    assert speakers == {"customer", "bot", "seat"}
    assert {step["channel"] for step in steps if step["contact_id"] == UNHAPPY} == {"web"}
    assert {step["trace_id"] for step in steps} - {None} == {story.trace}


async def test_it_is_one_trace_through_every_service(live_stack: Live, story: Story) -> None:
    url = f"{live_stack['traces']['url']}/api/v2/trace/{story.trace}"
    wanted = {
        ("gateway", "sentiment"),  # by touchpoint.events
        ("gateway", "router"),
        ("gateway", "nps"),
        ("gateway", "escalation"),
        ("sentiment", "escalation"),  # by sentiment.scored
        ("router", "escalation"),  # by a lookup
        ("router", "sentiment"),
        ("router", "nps"),
        ("router", "router"),  # triage to assignment, by pool.events
        ("sentiment", "metrics"),
        ("router", "metrics"),
        ("nps", "metrics"),
        ("escalation", "metrics"),
    }

    def all_there() -> list[Span] | None:
        spans: list[Span] = get(url)
        return spans if wanted <= crossings(spans) else None

    # Spans are exported twice a second, and Zipkin takes a moment.
    spans = await until("the whole trace", all_there, 15, 0.5)
    assert {span["traceId"] for span in spans} == {story.trace}
    names = {(span["localEndpoint"]["serviceName"], span["name"]) for span in spans}
    for service in ("sentiment", "router", "nps", "escalation"):
        assert {(service, "decide"), (service, "transact"), (service, "process touchpoint.events")} <= names
    assert {
        ("router", "look up"),
        ("router", "process pool.events"),
        ("escalation", "process sentiment.scored"),
    } <= names
    assert {("escalation", "send escalation.flagged"), ("nps", "send nps.changed")} <= names
    assert not [span for span in spans if "error" in span.get("tags", {})]


def crossings(spans: list[Span]) -> set[tuple[str, str]]:
    """From which service to which the trace goes on: by Kafka or by a call."""
    by_id: dict[str, list[Span]] = {}
    for span in spans:
        by_id.setdefault(span["id"], []).append(span)
    found = set()
    for span in spans:
        for parent in by_id.get(span.get("parentId", ""), []):
            ends = parent["localEndpoint"]["serviceName"], span["localEndpoint"]["serviceName"]
            handed_on = parent.get("kind") in ("PRODUCER", "CLIENT") or span.get("kind") in ("CONSUMER", "SERVER")
            if handed_on:
                found.add(ends)
    return found
