"""A service killed with SIGKILL is started again, says so, and loses nothing."""

import json
import os
import signal
from typing import Any
from uuid import uuid4

import pytest
from touchline.nps.v1 import nps_pb2, nps_pb2_grpc

from tests.live import Live, accepted, calls, event, get, settled, status_of, until

pytestmark = pytest.mark.integration


async def test_a_killed_service_comes_back_and_nothing_is_lost_or_doubled(live_stack: Live) -> None:
    await settled(live_stack)
    before = (await status_of(live_stack))["services"]["nps"]
    region = f"region-{uuid4().hex[:8]}"
    scores = [n % 11 for n in range(600)]
    answers = [
        event(
            live_stack,
            "survey.SurveyAnswered",
            f"person-{n % 37}",
            {"surveyId": f"{region}-{n}", "score": score, "segments": {"region": region}},
        )
        for n, score in enumerate(scores)
    ]
    accepted(live_stack, *answers[:300])
    os.kill(before["pid"], signal.SIGKILL)
    accepted(live_stack, *answers[200:])  # a hundred of them again: each counts once

    async def degraded() -> bool:
        return (await status_of(live_stack))["state"] == "degraded"

    await until("degraded", degraded, 10, 0.05)
    await settled(live_stack)
    after = (await status_of(live_stack))["services"]["nps"]
    assert after["pid"] != before["pid"]
    assert after["restarts"] == before["restarts"] + 1
    async with calls(live_stack, "nps") as channel:
        answer = await nps_pb2_grpc.NpsServiceStub(channel).GetNps(nps_pb2.GetNpsRequest(), timeout=10)
    found = answer.by["region"].values[region]
    promoters, detractors = sum(s >= 9 for s in scores), sum(s <= 6 for s in scores)
    assert (found.promoters, found.detractors, found.n) == (promoters, detractors, len(scores))


async def test_who_was_killed_is_missed_in_the_decision(live_stack: Live) -> None:
    """While a service is away the router decides without it, and says so."""
    pid = (await status_of(live_stack))["services"]["escalation"]["pid"]
    contact = f"contact-{uuid4().hex[:8]}"
    asked = {"contactId": contact, "channel": "app", "touchpoint": "pre_sales", "topic": "advice", "language": "zh"}
    os.kill(pid, signal.SIGSTOP)  # hangs, which is worse than being gone
    try:
        accepted(live_stack, event(live_stack, "contact.ContactRequested", contact, asked))

        def explained() -> Any:
            url = f"{live_stack['gateway']['url']}/v1/contacts/{contact}/explain"
            try:
                return get(url)["decisions"]
            except AssertionError:
                return None

        (decision, *_) = await until("a decision", explained, 20)
    finally:
        os.kill(pid, signal.SIGCONT)
    assert "升级风险" in decision["zh"] and "risk of escalation" in decision["en"], json.dumps(decision)
    await settled(live_stack)
