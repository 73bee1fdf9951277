"""The dashboard against the real system: an event that a channel sends is seen in the browser."""

from __future__ import annotations

import asyncio
import re
from uuid import uuid4

import pytest
from playwright.async_api import expect

from tests.browser.conftest import Open, Watch
from tests.live import Live, accepted, event, until
from tests.story import Story

pytestmark = [pytest.mark.browser, pytest.mark.integration]


async def test_what_a_channel_sends_is_seen(live_stack: Live, visit: Open, watch: Watch) -> None:
    watch.tolerated = ("404",)  # her story is asked for before anything is known of her
    url = live_stack["dashboard"]["url"].rstrip("/")
    customer, contact, region = f"ann-{uuid4().hex[:8]}", f"contact-{uuid4().hex[:8]}", f"region-{uuid4().hex[:6]}"
    page = await visit(f"{url}/?lang=zh")
    await expect(page.locator('[data-testid="health"]')).to_have_attribute("data-level", re.compile("good|warn"))
    assert await page.locator('[data-testid="service"]').count() >= 6
    asked = {"contactId": contact, "channel": "web", "touchpoint": "after_sales.repair", "topic": "repair"}
    said = {"contactId": contact, "speaker": "SPEAKER_CUSTOMER", "text": "师傅态度太差了，根本没修好，我要投诉！"}
    answer = {"surveyId": f"s-{contact}", "score": 2, "segments": {"region": region}}
    accepted(
        live_stack,
        event(live_stack, "contact.ContactRequested", customer, asked | {"language": "zh"}),
        event(
            live_stack,
            "contact.MessageReceived",
            customer,
            said | {"channel": "web", "touchpoint": "after_sales.repair"},
        ),
        event(live_stack, "survey.SurveyAnswered", customer, answer),
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
    async def explained() -> int:
        await row.locator('[data-testid="contact-explain"]').click()
        await asyncio.sleep(0.5)
        found = await page.locator('[data-testid="decision"]').count()
        await page.keyboard.press("Escape")
        return found

    await until("the router's explanation", explained, 20)
    await page.goto(f"{url}/?lang=zh#customer={customer}")
    await expect(page.locator('[data-testid="step"][data-speaker="customer"]')).to_contain_text("我要投诉")
    await expect(page.locator('[data-testid="step-mood"]')).to_have_count(1)
    kinds = await page.locator('[data-testid="step"]').evaluate_all("(nodes) => nodes.map((n) => n.dataset.kind)")
    assert {"requested", "said", "routed", "survey"} <= set(kinds)


async def test_mrs_hus_day_is_one_story_with_one_trace(live_stack: Live, story: Story, visit: Open) -> None:
    page = await visit(f"{live_stack['dashboard']['url'].rstrip('/')}/?lang=zh#customer=hu")
    contacts = page.locator('[data-testid="chapter"]:not(.other)')
    await expect(contacts).to_have_count(5)
    for number, words in enumerate(
        ("App · 售前", "电话 · 售后 · 安装", "网页 · 售后 · 维修", "网页 · 售后 · 维修", "电话 · 售后 · 投诉")
    ):
        await expect(contacts.nth(number).locator("h3")).to_contain_text(words)
    # The flag stands in the contact before the one in which she complains.
    flag = '[data-testid="step"][data-kind="flagged"]'
    await expect(contacts.nth(3).locator(flag)).to_have_count(1)
    await expect(contacts.nth(4).locator(flag)).to_have_count(0)
    await expect(contacts.nth(4).locator('[data-testid="step"][data-speaker="customer"]').first).to_contain_text(
        "我要投诉"
    )
    await expect(page.locator('[data-testid="journey"]')).to_contain_text("2 / 10")
    link = page.locator('[data-testid="journey-trace"]')
    await expect(link).to_have_count(1)
    await expect(link).to_have_attribute("href", f"{live_stack['traces']['url']}/zipkin/traces/{story.trace}")
    await expect(
        page.locator('[data-testid="chart-mood"] .js-plotly-plot, [data-testid="chart-mood"].js-plotly-plot')
    ).to_be_visible()
