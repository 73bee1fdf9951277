"""The dashboard against the real system: an event that a channel sends is seen in the browser."""

from __future__ import annotations

import asyncio
import re
from datetime import datetime, timedelta
from urllib.parse import quote
from uuid import uuid4
from zoneinfo import ZoneInfo

import pytest
from playwright.async_api import expect

from services.nps.report.week import ends, last_whole
from services.nps.settings import NpsSettings
from tests.browser.conftest import Open, Watch
from tests.live import Live, accepted, clock_of, event, fetch, stamp, until
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


@pytest.fixture(scope="module")
async def surveyed(live_stack: Live) -> str:
    """A customer group whose answers of the last whole week complain of one thing in one region, more than the week before."""
    zone, tag = ZoneInfo(NpsSettings().zone), f"group-{uuid4().hex[:6]}"
    start, _ = ends(last_whole(clock_of(live_stack)(), zone), zone)

    def answer(n: int, week: datetime, bad: bool) -> dict[str, object]:
        told = {
            "surveyId": f"{tag}-{week:%m%d}-{n}",
            "score": 2 if bad else 9 + n % 2,
            "segments": {"group": tag, "region": "华东" if bad or n % 2 else "华南", "touchpoint": "delivery"},
            "comment": "箱子压坏了，汤全洒了" if bad else "",
        }
        at = stamp(week + timedelta(hours=n))
        return event(live_stack, "survey.SurveyAnswered", f"{tag}-{n}", told, time=at)

    before = [answer(n, start - timedelta(days=7), n % 30 == 0) for n in range(90)]
    accepted(live_stack, *before, *(answer(n, start, n % 3 == 0) for n in range(90)))
    url = f"{live_stack['gateway']['url'].rstrip('/')}/v1/nps/report?lang=en&segment={quote(f'group={tag}')}"

    def read() -> bool:
        status, page = fetch(url)
        return status == 200 and "90 answers" in page.decode() and page.count(b"<article") == 1

    await until("the week's answers, and what their comments say", read, 60)
    return tag


@pytest.mark.parametrize(("lang", "width"), [("zh", 1280), ("en", 390), ("zh", 390), ("en", 1280)])
async def test_the_broadcast_opens_from_the_dashboard(
    live_stack: Live, visit: Open, surveyed: str, lang: str, width: int
) -> None:
    url = live_stack["dashboard"]["url"].rstrip("/")
    page = await visit(f"{url}/?lang={lang}", width=width)
    refused: list[str] = []
    page.on("response", lambda r: refused.append(f"{r.status} {r.url}") if r.status >= 400 else None)
    await page.locator('[data-testid="to-broadcast"]').click()
    await page.wait_for_url("**/v1/nps/report**")
    titles = {"zh": ("客户体验周播报", "客户体验专题"), "en": ("Customer experience: the week", "Customer experience: special report")}  # fmt: skip
    await expect(page.locator("h1")).to_have_text(titles[lang][0])
    # The special report of one group: its pain point with evidence, and an audit that holds.
    await page.goto(f"{url}/v1/nps/report?lang={lang}&segment={quote(f'group={surveyed}')}")
    await expect(page.locator("h1")).to_have_text(titles[lang][1])
    await expect(page.locator("article")).to_have_count(1)
    await expect(page.locator("article h3")).to_contain_text("包装破损" if lang == "zh" else "packaging and damage")
    await expect(page.locator("article .badge")).to_contain_text("确定上升" if lang == "zh" else "up for certain")
    await expect(page.locator("article blockquote").first).to_contain_text("箱子压坏了")
    await expect(page.locator("#audit .good")).to_contain_text("核对通过" if lang == "zh" else "The audit holds")
    assert await page.evaluate("document.documentElement.scrollWidth") <= width
    # The other language, the week before, and back to the dashboard.
    other = "en" if lang == "zh" else "zh"
    await page.locator("nav a").last.click()
    await expect(page.locator("h1")).to_have_text(titles[other][1])
    await page.locator("nav a").nth(1).click()
    await expect(page.locator("h1")).to_have_text(titles[other][1])
    await page.locator("nav a").first.click()
    await expect(page.locator('[data-testid="to-broadcast"]')).to_be_visible()
    assert refused == []
