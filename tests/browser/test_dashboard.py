"""The dashboard page in real Chromium, over canned events: what is shown, kept up to date, and never done."""

from __future__ import annotations

import asyncio
import random
import re
import time
from datetime import timedelta
from typing import Literal

import pytest
from playwright.async_api import Page, expect

from services.nps.domain.actions import Action
from services.nps.domain.board import Board
from services.nps.telling import action_row
from tests.browser.conftest import Open, Served, Watch
from tests.browser.stand_in import EVIL, NOW, TRACES, contact, iso, metric, nps_row

pytestmark = pytest.mark.browser

DRAWN = re.compile(r"^[1-9]")


def hook(name: str) -> str:
    return f'[data-testid="{name}"]'


async def settled(page: Page) -> None:
    """Waits until the snapshot is shown and the charts are drawn."""
    for name in ("chart-pools", "chart-sentiment", "chart-nps"):
        await expect(page.locator(hook(name))).to_have_attribute("data-drawn", DRAWN)
    await expect(page.locator(hook("contact"))).to_have_count(185)


@pytest.mark.parametrize(
    ("lang", "scheme", "width"),
    [("zh", "light", 1280), ("en", "dark", 800)],
)
async def test_the_floor_is_all_there(
    floor: Served, visit: Open, watch: Watch, lang: str, scheme: Literal["light", "dark"], width: int
) -> None:
    page = await visit(f"{floor.url}?lang={lang}", width=width, scheme=scheme)
    await settled(page)
    zh = lang == "zh"
    assert await page.title() == ("触点在线 · 客服现场" if zh else "Touchline · the service floor")
    assert re.fullmatch(r"14:3\d:\d\d", await page.locator(hook("clock")).inner_text())
    await expect(page.locator(hook("health"))).to_have_text("全部服务正常" if zh else "All services well")
    await expect(page.locator(hook("pool"))).to_have_count(3)
    await expect(page.locator(f'{hook("pool")}[data-pool="service"] {hook("pool-waiting")}')).to_have_text("7")
    await expect(page.locator(hook("figure-waitingNow"))).to_have_text("9")
    await expect(page.locator(hook("figure-npsAll"))).to_have_text("+31")
    await expect(page.locator(hook("service"))).to_have_count(6)
    flag = page.locator(hook("flag")).first
    await expect(flag).to_have_attribute("data-due", "overdue")
    await expect(flag).to_contain_text("话里提到投诉或赔偿" if zh else "speaks of complaining or compensation")
    await expect(flag.locator(hook("flag-due"))).to_have_text("已逾期 18 分钟" if zh else "overdue by 18 min")
    # Too few answers is said in words, in the chart itself; and only there where it is so.
    few = "回答太少" if zh else "too few answers"
    chart = page.locator(hook("chart-nps"))
    await expect(chart.locator("text", has_text=few)).to_have_count(2)
    await expect(chart.locator("text", has_text="华东")).not_to_contain_text(few)
    await expect(page.locator(hook("to-broadcast"))).to_have_attribute("href", f"v1/nps/report?lang={lang}")
    await expect(page.locator(hook("to-broadcast"))).to_have_text("周播报" if zh else "Weekly broadcast")
    # What changed for certain, or that nothing did, and whether promises worked.
    lines = page.locator(hook("nps-line"))
    await expect(lines).to_have_count(4)
    await expect(lines.first).to_have_text(
        "全部 没有变化：现有答卷看不出与平时不同" if zh else "All nothing changed that could be told from chance"
    )
    await expect(lines.nth(1)).to_contain_text("−3…−15 分" if zh else "by −3…−15 points")
    await expect(lines.nth(2)).to_contain_text("尚未完成" if zh else "not done yet")
    await expect(lines.nth(3)).to_contain_text("见效：+" if zh else "it worked: +")
    for shown in (400, 800, 1280):
        await page.set_viewport_size({"width": shown, "height": 900})
        sideways = await page.evaluate("document.documentElement.scrollWidth - innerWidth")
        assert sideways <= 0, f"the page must not scroll sideways at {shown}"
    assert "/v1/stream" in watch.asked


@pytest.mark.parametrize(("locale", "query", "expected"), [("fr-FR", "", "en"), ("en-GB", "?lang=zh", "zh-CN")])
async def test_the_language_is_the_browsers_or_the_one_asked_for(
    floor: Served, visit: Open, locale: str, query: str, expected: str
) -> None:
    page = await visit(floor.url + query, locale=locale)
    await expect(page.locator("html")).to_have_attribute("lang", expected)
    other = "en" if expected == "zh-CN" else "zh"
    await page.click(hook(f"lang-{other}"))
    await expect(page.locator("h1")).to_have_text("Touchline" if other == "en" else "触点在线")
    await expect(page.locator(hook("pool")).first).to_contain_text("waiting" if other == "en" else "人等待")
    assert f"lang={other}" in page.url


async def test_every_text_is_there_in_both_languages(floor: Served, visit: Open) -> None:
    page = await visit(floor.url, locale="zh-TW")
    await expect(page.locator("html")).to_have_attribute("lang", "zh-CN")
    texts = await page.evaluate("import('/static/texts.js').then((m) => m.all())")
    assert len(texts) > 100
    for name, pair in texts.items():
        assert len(pair) == 2, name
        assert all(text.strip() for text in pair), name
        blanks = [sorted(re.findall(r"\{(\w+)\}", text)) for text in pair]
        assert blanks[0] == blanks[1], f"{name}: the two languages have different blanks"
    used = await page.evaluate("[...document.querySelectorAll('[data-text],[data-label],[data-placeholder]')].flatMap((n) => [n.dataset.text, n.dataset.label, n.dataset.placeholder]).filter(Boolean)")  # fmt: skip
    assert set(used) <= set(texts)


async def test_a_contact_is_followed_live_and_found_by_the_filters(floor: Served, visit: Open) -> None:
    page = await visit(f"{floor.url}?lang=en")
    await settled(page)
    row = contact(0, random.Random(1)) | {
        "contact_id": "new",
        "customer_id": "ann",
        "state": "queued",
        "pool": "care",
        "waited_s": None,
        "seat_id": None,
    }
    row |= {
        "requested_at": iso(NOW + timedelta(seconds=30)),
        "queued_at": iso(NOW + timedelta(seconds=30)),
        "trace_id": "ab" * 16,
    }
    floor.at.send("contact", row)
    first = page.locator(hook("contact")).first
    await expect(first).to_have_attribute("data-contact", "new")
    await expect(first.locator(hook("contact-state"))).to_have_text("waiting")
    await expect(first.locator(hook("contact-trace"))).to_have_attribute("href", f"{TRACES}/zipkin/traces/{'ab' * 16}")
    floor.at.send("contact", row | {"state": "in_service", "seat_id": "care-a07", "waited_s": 65.0})
    await expect(first.locator(hook("contact-state"))).to_have_text("with a human")
    await expect(first).to_contain_text("care-a07")
    await expect(first).to_contain_text("1:05")
    await expect(page.locator(hook("contact"))).to_have_count(186)
    await page.fill(hook("filter-customer"), "ann")
    await expect(page.locator(hook("contact"))).to_have_count(1)
    await page.select_option(hook("filter-state"), "abandoned")
    await expect(page.locator(hook("contacts-empty"))).to_have_text("No contact matches the filter.")
    await page.click(hook("filter-clear"))
    await page.select_option(hook("filter-pool"), "english")
    states = await page.locator(f"{hook('contact')} td:nth-child(6)").all_inner_texts()
    assert states
    assert all("english" in text.lower() for text in states)


async def test_why_is_answered_by_keyboard_alone(floor: Served, visit: Open, watch: Watch) -> None:
    watch.tolerated = ("404",)
    page = await visit(f"{floor.url}?lang=zh")
    await settled(page)
    why = page.locator('[data-contact="c-2"] button')
    await why.focus()
    await page.keyboard.press("Enter")
    await expect(page.locator(hook("decision"))).to_have_count(2)
    await expect(page.locator(hook("drawer"))).to_contain_text("情绪 −0.62 低于 −0.3")
    await page.keyboard.press("Escape")
    await expect(page.locator(hook("drawer"))).not_to_be_visible()
    await expect(why).to_be_focused()
    await page.locator('[data-contact="c-3"] button').click()
    await expect(page.locator(hook("drawer-body"))).to_contain_text("这里已查不到它的记录。")
    await page.click(hook("drawer-close"))
    await page.click(hook("lang-en"))
    await page.locator('[data-contact="c-2"] td').first.click()
    await expect(page.locator(hook("drawer"))).to_contain_text("Mood −0.62 is below −0.3")


async def test_due_times_run_on_the_services_clock(floor: Served, visit: Open) -> None:
    page = await visit(f"{floor.url}?lang=en")
    flag = page.locator(f'{hook("flag")}[data-customer="shopper-2207"]')
    await expect(flag).to_have_attribute("data-due", "open")
    floor.at.now = NOW + timedelta(minutes=12)
    floor.at.send(*floor.at.status())
    await expect(flag).to_have_attribute("data-due", "overdue")
    await expect(flag.locator(hook("flag-due"))).to_have_text("overdue by 3 min")
    closed = next(row for kind, row in floor.at.rows if kind == "flag" and row["customer_id"] == "shopper-2207")
    floor.at.send("flag", closed | {"closed_at": iso(floor.at.now), "outcome": "contacted", "overdue": True})
    await expect(flag).to_have_attribute("data-due", "closed")
    await expect(flag).to_contain_text("closed late: customer contacted")


async def test_a_service_in_trouble_is_named(floor: Served, visit: Open) -> None:
    page = await visit(f"{floor.url}?lang=en")
    await expect(page.locator(hook("health"))).to_have_attribute("data-level", "good")
    floor.at.services["nps"] = {"healthy": False, "lag": 5120, "backlog": 3}
    floor.at.send(*floor.at.status())
    await expect(page.locator(hook("health"))).to_have_text("Services in trouble (1): nps")
    row = page.locator('[data-service="nps"]')
    await expect(row.locator(hook("service-state"))).to_have_text("in trouble")
    await expect(row.locator(hook("service-lag"))).to_have_text("5,120")
    floor.at.services["nps"] = {"healthy": True, "lag": 5120, "backlog": 3}
    floor.at.send(*floor.at.status())
    await expect(page.locator(hook("health"))).to_have_text("All well, catching up (5,123 to go)")


async def test_a_lost_connection_is_said_and_mended(floor: Served, visit: Open, watch: Watch) -> None:
    watch.tolerated = ("503", "ERR_")
    page = await visit(f"{floor.url}?lang=zh")
    await settled(page)
    banner = page.locator(hook("banner"))
    await expect(banner).to_be_hidden()
    floor.at.drop(away=True)
    await expect(banner).to_have_text("连接中断，正在重连")
    # What the gateway no longer knows when it is back must go; the rest must stay as it was.
    floor.at.rows = [(kind, row) for kind, row in floor.at.rows if row.get("contact_id") != "c-0"]
    floor.at.away = False
    await expect(banner).to_be_hidden()
    await expect(page.locator('[data-contact="c-0"]')).to_have_count(0)
    await expect(page.locator(hook("contact"))).to_have_count(184)


async def test_mrs_hu_is_told_as_one_story(floor: Served, visit: Open) -> None:
    page = await visit(f"{floor.url}?lang=zh#customer=hu")
    chapters = page.locator(hook("chapter"))
    await expect(chapters).to_have_count(9)
    await expect(page.locator(hook("floor"))).to_be_hidden()
    await expect(chapters.first).to_contain_text("第 1 次联系 · App · 售前")
    await expect(chapters.nth(7)).to_contain_text("第 5 次联系 · 电话 · 售后 · 投诉")
    await expect(page.locator(hook("chart-mood"))).to_have_attribute("data-drawn", DRAWN)
    # Each score stands beside the words that it is about.
    said = page.locator(f'{hook("step")}[data-speaker="customer"]')
    await expect(said).to_have_count(8)
    await expect(said.locator(hook("step-mood"))).to_have_count(8)
    await expect(page.locator(f'{hook("step")}[data-kind="scored"]')).to_have_count(0)
    await expect(page.locator(f'{hook("step")}[data-speaker="bot"] {hook("step-mood")}')).to_have_count(0)
    await expect(page.locator(f'{hook("step")}[data-kind="flagged"]')).to_contain_text(
        "（话里提到投诉或赔偿、情绪走低、"
    )
    # The flag comes before she complains, and the whole is one trace.
    kinds = await page.locator(hook("step")).evaluate_all(
        "(nodes) => nodes.map((n) => [n.dataset.kind, n.textContent])"
    )
    flagged = next(i for i, (kind, _) in enumerate(kinds) if kind == "flagged")
    complains = next(i for i, (_, text) in enumerate(kinds) if "我要投诉" in text)
    assert flagged < complains
    await expect(page.locator(hook("journey-trace"))).to_have_count(1)
    await expect(page.locator(hook("journey-trace"))).to_have_attribute(
        "href", re.compile(r"^http://127\.0\.0\.1:9411/zipkin/traces/7c0de5")
    )
    await page.click(hook("lang-en"))
    await expect(chapters.first).to_contain_text("Contact 1 · app · pre-sales")
    await expect(page.locator(hook("journey"))).to_contain_text("2 of 10")
    await page.click(hook("back"))
    await expect(page.locator(hook("floor"))).to_be_visible()
    await page.fill(hook("find-customer"), "hu")
    await page.keyboard.press("Enter")
    await expect(chapters).to_have_count(9)


@pytest.mark.parametrize("lang", ["zh", "en"])
async def test_a_score_that_is_unsure_has_no_mood_and_ids_have_names(floor: Served, visit: Open, lang: str) -> None:
    page = await visit(f"{floor.url}?lang={lang}#customer=kim")
    moods = page.locator(hook("step-mood"))
    # Ids have the names that they have elsewhere; those that are not known stay.
    steps = page.locator(f"{hook('step')} .text")
    await expect(steps.nth(0)).to_have_text(
        "通过 电话 请求服务：投诉" if lang == "zh" else "Asks for service by phone: complaint"
    )
    await expect(steps.nth(1)).to_contain_text("分派给 关怀组（规则" if lang == "zh" else "Routed to care (rule")
    await expect(steps.nth(2)).to_have_text("在 pool-of-no-name 排队" if lang == "zh" else "Waits for pool-of-no-name")
    await expect(moods).to_have_count(2)
    await expect(moods.first).to_have_text("+0.40 拿不准" if lang == "zh" else "+0.40 unsure")
    await expect(moods.first).to_have_attribute("data-mood", "unsure")
    await expect(moods.last).to_have_text("−0.62 很不满" if lang == "zh" else "−0.62 very unhappy")


async def test_labels_in_the_mood_chart_stand_beside_each_other(floor: Served, visit: Open) -> None:
    page = await visit(f"{floor.url}?lang=en#customer=kim")
    labels = page.locator(f"{hook('chart-mood')} .annotation-text")
    await expect(labels).to_have_count(2)
    boxes = [box for label in await labels.all() if (box := await label.bounding_box())]
    (first, second) = sorted(boxes, key=lambda box: box["y"])
    assert first["y"] + first["height"] <= second["y"] + 1 or first["x"] + first["width"] <= second["x"]


async def test_an_unknown_customer_is_said_to_be_unknown(floor: Served, visit: Open, watch: Watch) -> None:
    watch.tolerated = ("404",)
    page = await visit(f"{floor.url}?lang=en#customer=nobody")
    await expect(page.locator(hook("journey-words"))).to_have_text("Nothing is known of it here (any more).")


async def test_the_header_keeps_its_height_when_a_service_is_in_trouble(floor: Served, visit: Open) -> None:
    page = await visit(f"{floor.url}?lang=en", width=1100)
    health = page.locator(hook("health"))
    height = "document.querySelector('.top').getBoundingClientRect().height"
    await expect(health).to_have_attribute("data-level", "good")
    before = await page.evaluate(height)
    floor.at.services["metrics"] = floor.at.services["sentiment"] = {"healthy": False, "lag": 0, "backlog": 0}
    floor.at.send(*floor.at.status())
    await expect(health).to_have_text("Services in trouble (2): sentiment, metrics")
    assert await page.evaluate(height) == before


async def test_what_is_not_there_yet_is_said_in_words(floor: Served, visit: Open) -> None:
    start = NOW.replace(second=0, microsecond=0)
    nobody = {"queued": 1, "accepted": 0, "abandoned": 0}
    yesterday = contact(1, random.Random(1)) | {"contact_id": "old", "requested_at": iso(NOW - timedelta(days=1))}
    floor.at.rows = [
        ("metric", nps_row({}, 1, 0, 0)),
        ("metric", metric("routing", {"pool": "care"}, "PT1M", start, nobody, mean_wait_s=None)),
        ("contact", yesterday),
        next((kind, row) for kind, row in floor.at.rows if kind == "pool"),
    ]
    page = await visit(f"{floor.url}?lang=en")
    await expect(page.locator(hook("nps-empty"))).to_have_text("There are answers, but no answer names a region yet.")
    await expect(page.locator(hook("chart-pools-empty"))).to_contain_text("no wait to show")
    await expect(page.locator(hook("chart-pools"))).to_be_hidden()
    await expect(page.locator('[data-contact="old"] td').first).to_have_text(re.compile(r"^19 May 14:\d\d:\d\d$"))
    # A single value among minutes without one is no line: it has a dot.
    for ago, wait in ((2, 30.0), (1, None)):
        one = nobody | {"accepted": 1 if wait else 0}
        at = start - timedelta(minutes=ago)
        floor.at.send("metric", metric("routing", {"pool": "care"}, "PT1M", at, one, mean_wait_s=wait))
    await expect(page.locator(hook("chart-pools-empty"))).to_be_hidden()
    await expect(page.locator(f"{hook('chart-pools')} .points .point").first).to_be_visible()
    # A minute is named once, however few there are.
    await page.select_option(hook("pool-measure"), "queued")
    ticks = page.locator(f"{hook('chart-pools')} .xtick text")
    await expect(ticks.first).to_be_visible()
    told = [text.strip() for text in await ticks.all_text_contents()]
    assert len(told) == len(set(told)) <= 5


async def test_a_dropped_action_is_said_to_be_dropped_and_has_a_name(floor: Served, visit: Open) -> None:
    page = await visit(f"{floor.url}?lang=en")
    await settled(page)
    dropped = Action("ghost-7", dropped_at=NOW, reason="too dear")
    floor.at.send("metric", {**action_row(dropped, Board(), NOW), "topic": "metrics.nps_actions"})
    line = page.locator(hook("nps-line")).filter(has_text="ghost-7")
    await expect(line).to_have_text("ghost-7 (never promised) dropped: too dear")
    await expect(line).to_have_attribute("data-kind", "dropped")


async def test_what_comes_from_outside_is_text_and_nothing_else(floor: Served, visit: Open) -> None:
    row = next(row for kind, row in floor.at.rows if kind == "contact")
    flag = next(row for kind, row in floor.at.rows if kind == "flag")
    page = await visit(f"{floor.url}?lang=en")
    await settled(page)
    evil = {"customer_id": EVIL, "touchpoint": EVIL, "seat_id": EVIL, "channel": EVIL, "pool": EVIL, "rule": EVIL}
    floor.at.send("contact", row | evil | {"contact_id": "evil", "requested_at": iso(NOW + timedelta(minutes=5))})
    reasons = [{"code": EVIL, "weight": 0.5, "value": 1}]
    floor.at.send("flag", flag | {"follow_up_id": "evil", "customer_id": EVIL, "touchpoint": EVIL, "reasons": reasons})
    floor.at.send(
        "pool",
        {
            "pool": EVIL,
            "waiting": 1,
            "oldest_queued_at": iso(NOW),
            "offered": 0,
            "in_service": 0,
            "seats_ready": 0,
            "seats_total": 1,
        },
    )
    floor.at.send("metric", nps_row({"region": EVIL}, 50, 20, 10))
    change = {
        "topic": "metrics.nps_changes",
        "metric": "nps_changes",
        "segment": {"region": EVIL},
        "window": "ALL",
        "start": "",
    }
    floor.at.send("metric", change | {"counts": {}, "points": -5, "told_at": iso(NOW), "zh": EVIL, "en": EVIL})
    status = floor.at.status()[1]
    floor.at.send(
        "status", status | {"services": status["services"] | {EVIL: {"healthy": True, "lag": 0, "backlog": 0}}}
    )
    floor.at.send("status", status | {"traces_url": "javascript:window.stolen=1//"})
    await expect(page.locator('[data-contact="evil"]')).to_contain_text("<img src=x onerror=")
    await expect(page.locator(hook("chart-nps")).locator("text", has_text="<img")).to_have_count(1)
    await expect(page.locator(hook("nps-line")).nth(1)).to_contain_text("<img src=x onerror=")
    await page.locator('[data-contact="evil"] td').first.click()
    await expect(page.locator(hook("drawer-body"))).to_contain_text("<script>")
    await page.keyboard.press("Escape")
    await page.evaluate("location.hash = 'customer=evil'")
    await expect(page.locator(hook("step"))).to_contain_text("<img src=x")
    assert await page.evaluate("window.stolen") is None
    assert await page.locator("img").count() == 1, "only the page's own mark"
    assert await page.locator("body script").count() == 0
    assert await page.locator('a[href^="javascript:"]').count() == 0


async def test_a_flood_of_events_neither_grows_the_page_nor_redraws_it_more_than_twice_a_second(
    floor: Served, visit: Open
) -> None:
    page = await visit(f"{floor.url}?lang=en")
    await settled(page)
    row = next(row for kind, row in floor.at.rows if kind == "contact")
    chart = page.locator(hook("chart-nps"))
    before, began = int(await chart.get_attribute("data-drawn") or 0), time.monotonic()
    for beat in range(30):
        for i in range(30):
            at = iso(NOW + timedelta(seconds=beat * 30 + i))
            floor.at.send("contact", row | {"contact_id": f"flood-{beat}-{i}", "requested_at": at})
            floor.at.send("metric", nps_row({"region": "华东"}, 220 + beat * 30 + i, 120, 60))
        await asyncio.sleep(0.1)
    await expect(page.locator('[data-contact="flood-29-29"]')).to_have_count(1)
    drawn, gone = int(await chart.get_attribute("data-drawn") or 0) - before, time.monotonic() - began
    assert 1 <= drawn <= 2 * gone + 1
    assert await page.locator(hook("contact")).count() == 300


async def test_a_held_page_stands_still_and_then_catches_up(floor: Served, visit: Open) -> None:
    page = await visit(f"{floor.url}?lang=en")
    await settled(page)
    await page.click(hook("pause"))
    await expect(page.locator(hook("pause"))).to_have_attribute("aria-pressed", "true")
    row = next(row for kind, row in floor.at.rows if kind == "contact")
    floor.at.send("contact", row | {"contact_id": "later", "requested_at": iso(NOW + timedelta(minutes=1))})
    await asyncio.sleep(1.6)
    await expect(page.locator('[data-contact="later"]')).to_have_count(0)
    await page.click(hook("pause"))
    await expect(page.locator('[data-contact="later"]')).to_have_count(1)


async def test_all_controls_have_names_and_all_tables_heads(floor: Served, visit: Open) -> None:
    page = await visit(f"{floor.url}?lang=en")
    await settled(page)
    nameless = await page.evaluate(
        """[...document.querySelectorAll('button, select, input, a[href], [role=img], [role=region]')]
        .filter((n) => n.checkVisibility() && !(n.textContent.trim() || n.getAttribute('aria-label') || n.getAttribute('aria-labelledby')))
        .map((n) => n.outerHTML)"""
    )
    assert nameless == []
    assert await page.locator("h1").count() == 1
    assert await page.locator("main").count() == 1
    assert await page.evaluate("[...document.querySelectorAll('table')].every((t) => t.querySelector('th[scope=col]'))")
    await page.locator(f"{hook('table-nps')} summary").click()
    await expect(page.locator(f"{hook('table-nps')} tbody tr")).to_have_count(6)
    await expect(page.locator(f"{hook('table-nps')} tbody tr").first).to_contain_text("华北")
    await page.select_option(hook("nps-dimension"), "store")
    await expect(page.locator(f"{hook('table-nps')} tbody tr")).to_have_count(12)
