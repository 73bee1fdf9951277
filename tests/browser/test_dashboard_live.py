"""The dashboard against the real system: an event that a channel sends is seen in the browser.

It wants the fixture `live_stack`: what `touchline status --json` says of a running system, with its gateway's url and key.
"""

from __future__ import annotations

import asyncio
import re
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import httpx
import pytest
from playwright.async_api import expect

from tests.browser.conftest import Open, Watch

pytestmark = [pytest.mark.browser, pytest.mark.integration]


@pytest.fixture
def live(request: pytest.FixtureRequest) -> dict[str, Any]:
    """The running system; skipped where the fixture that starts one isn't there."""
    try:
        status: dict[str, Any] = request.getfixturevalue("live_stack")
    except pytest.FixtureLookupError:
        pytest.skip("no live_stack fixture: nothing starts a whole system for this test")
    return status


def event(kind: str, customer: str, data: dict[str, Any]) -> dict[str, Any]:
    """A CloudEvent of now."""
    return {
        "specversion": "1.0",
        "id": str(uuid4()),
        "source": "/tests/browser",
        "type": f"touchline.{kind}.v1",
        "subject": customer,
        "time": datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "datacontenttype": "application/json",
        "data": data,
    }


async def publish(live: dict[str, Any], *events: dict[str, Any]) -> None:
    gateway = live["gateway"]
    headers = {
        "Authorization": f"Bearer {gateway['api_key']}",
        "Content-Type": "application/cloudevents-batch+json",
    }
    async with httpx.AsyncClient(timeout=30) as client:
        answer = await client.post(f"{gateway['url'].rstrip('/')}/v1/events", json=list(events), headers=headers)
    assert answer.status_code == 202, answer.text
    assert answer.json()["accepted"] == len(events)


async def test_what_a_channel_sends_is_seen(live: dict[str, Any], visit: Open, watch: Watch) -> None:
    watch.tolerated = ("404",)  # her story is asked for before anything is known of her
    url = (live.get("dashboard") or live["gateway"])["url"].rstrip("/")
    customer, contact, region = f"ann-{uuid4().hex[:8]}", f"contact-{uuid4().hex[:8]}", f"region-{uuid4().hex[:6]}"
    page = await visit(f"{url}/?lang=zh")
    await expect(page.locator('[data-testid="health"]')).to_have_attribute("data-level", re.compile("good|warn"))
    assert await page.locator('[data-testid="service"]').count() >= 6
    asked = {"contactId": contact, "channel": "web", "touchpoint": "after_sales.repair", "topic": "repair"}
    said = {"contactId": contact, "speaker": "SPEAKER_CUSTOMER", "text": "师傅态度太差了，根本没修好，我要投诉！"}
    answer = {"surveyId": f"s-{contact}", "score": 2, "segments": {"region": region}}
    await publish(
        live,
        event("contact.ContactRequested", customer, asked | {"language": "zh"}),
        event("contact.MessageReceived", customer, said | {"channel": "web", "touchpoint": "after_sales.repair"}),
        event("survey.SurveyAnswered", customer, answer),
    )
    row = page.locator(f'[data-contact="{contact}"]')
    await expect(row).to_have_count(1)
    await expect(row).to_contain_text("售后 · 维修")
    await expect(row.locator('[data-testid="contact-state"]')).to_have_attribute(
        "data-state", re.compile("bot|queued|offered|in_service")
    )
    # Her mood comes by the sentiment service, the answer by nps, counters and the projection.
    await expect(row.locator("[data-mood]")).to_have_attribute("data-mood", re.compile("low|veryLow"))
    await page.locator('[data-testid="table-nps"] summary').click()
    await expect(page.locator('[data-testid="table-nps"]')).to_contain_text(region)
    # Why: the router's own words, as soon as its own store answers.
    for _ in range(20):
        await row.locator('[data-testid="contact-explain"]').click()
        decisions = page.locator('[data-testid="decision"]')
        await asyncio.sleep(0.5)
        found = await decisions.count()
        await page.keyboard.press("Escape")
        if found:
            break
    assert found
    await page.goto(f"{url}/?lang=zh#customer={customer}")
    await expect(page.locator('[data-testid="step"][data-speaker="customer"]')).to_contain_text("我要投诉")
    await expect(page.locator('[data-testid="step-mood"]')).to_have_count(1)
    kinds = await page.locator('[data-testid="step"]').evaluate_all("(nodes) => nodes.map((n) => n.dataset.kind)")
    assert {"requested", "said", "routed", "survey"} <= set(kinds)
