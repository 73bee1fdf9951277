"""The follow-ups' page in real Chromium: who is to be called with which words, started and ended in both languages."""

from __future__ import annotations

import pytest
from playwright.async_api import expect

from tests.browser.conftest import Open, Served, Watch

pytestmark = pytest.mark.browser


def hook(name: str) -> str:
    return f'[data-testid="{name}"]'


@pytest.mark.parametrize("lang", ["zh", "en"])
async def test_a_follow_up_is_started_and_ended(floor: Served, visit: Open, watch: Watch, lang: str) -> None:
    page = await visit(f"{floor.url}?lang={lang}#follow-ups")
    zh = lang == "zh"
    await expect(page.locator(hook("follow-up"))).to_have_count(2)
    await expect(page.locator(hook("floor"))).to_be_hidden()
    hers = page.locator(f'{hook("follow-up")}[data-customer="hu"]')
    await expect(hers).to_have_attribute("data-due", "overdue")
    await expect(hers.locator(hook("follow-up-opening"))).to_have_text("您好，很抱歉。" if zh else "Hello. I am sorry.")
    await expect(page.locator(hook("budgets"))).to_contain_text("3 / 60" if zh else "3 of 60 started")
    await expect(page.locator(hook("waves"))).to_contain_text(
        "起初 5 位客户反映时发现" if zh else "batch “LL-1123”, noticed when 5 customers had reported it since"
    )
    # Nobody works without a name.
    await page.locator(hook("follow-up-owner")).fill("")
    await hers.locator(hook("follow-up-claim")).click()
    await expect(page.locator(hook("follow-ups-words"))).to_have_text(
        "请先填写您的姓名或工号。" if zh else "Enter your name first."
    )
    await page.locator(hook("follow-up-owner")).fill("li")
    await hers.locator(hook("follow-up-claim")).click()
    await expect(hers.locator(hook("follow-up-who"))).to_have_text("li 跟进中" if zh else "li is on it")
    await expect(hers.locator(hook("follow-up-claim"))).to_be_hidden()
    # Given back, it is anybody's again.
    await hers.locator(hook("follow-up-release")).click()
    await expect(hers.locator(hook("follow-up-who"))).to_have_text("尚无人跟进" if zh else "nobody yet")
    await expect(hers.locator(hook("follow-up-release"))).to_be_hidden()
    await hers.locator(hook("follow-up-claim")).click()
    await expect(hers.locator(hook("follow-up-who"))).to_contain_text("li")
    await hers.locator(hook("follow-up-note")).fill("换了新机")
    await hers.locator(hook("follow-up-done")).click()
    await expect(page.locator(hook("follow-up"))).to_have_count(1)
    await page.locator(hook("follow-up-failed")).click()
    await expect(page.locator(hook("follow-ups-words"))).to_contain_text("没有待跟进" if zh else "Nobody needs")
    await page.locator(hook("follow-ups-back")).click()
    await expect(page.locator(hook("floor"))).to_be_visible()


async def test_without_a_name_nothing_is_done_and_that_stays_said(floor: Served, visit: Open) -> None:
    page = await visit(f"{floor.url}?lang=en#follow-ups")
    hers = page.locator(f'{hook("follow-up")}[data-customer="hu"]')
    await page.locator(hook("follow-up-owner")).fill("")
    await hers.locator(hook("follow-up-done")).click()
    words = page.locator(hook("follow-ups-words"))
    await expect(words).to_have_text("Enter your name first.")
    # The list is read anew every few seconds: that must not wipe the message.
    async with page.expect_response("**/v1/follow-ups"):
        pass
    await page.wait_for_timeout(300)
    assert await words.is_visible()
    assert await words.inner_text() == "Enter your name first."


async def test_what_another_has_is_not_taken(floor: Served, visit: Open, watch: Watch) -> None:
    watch.tolerated = ("409",)
    floor.at.tasks[1]["owner"] = "wang"
    page = await visit(f"{floor.url}?lang=en#follow-ups")
    await page.locator(hook("follow-up-owner")).fill("li")
    await page.locator(f'[data-customer="shopper-2207"] {hook("follow-up-done")}').click()
    await expect(page.locator(hook("follow-ups-words"))).to_have_text("somebody else has started the follow-up")
