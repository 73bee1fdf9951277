"""The supervisor's part in real Chromium: mode, drain, assignment, promises and explanations, done and refused, in both languages."""

from __future__ import annotations

import pytest
from playwright.async_api import Locator, Page, expect

from tests.browser.conftest import Open, Served, Watch
from tests.browser.stand_in import NOW, iso

pytestmark = pytest.mark.browser


def hook(name: str) -> str:
    return f'[data-testid="{name}"]'


async def opened(visit: Open, floor: Served, lang: str, width: int = 1280) -> tuple[Page, Locator]:
    page = await visit(f"{floor.url}?lang={lang}", width=width)
    await page.locator(f'{hook("pool")}[data-pool="care"] {hook("supervise")}').click()
    dialog = page.locator(hook("supervise-dialog"))
    await expect(dialog.locator(hook("seat"))).to_have_count(4)
    return page, dialog


async def done(dialog: Locator, zh: bool) -> None:
    await expect(dialog.locator(hook("supervise-said"))).to_have_text(
        "已执行，并记录在案。" if zh else "Done, and written down."
    )


@pytest.mark.parametrize("lang", ["zh", "en"])
async def test_a_pool_is_commanded(floor: Served, visit: Open, lang: str) -> None:
    zh = lang == "zh"
    page, dialog = await opened(visit, floor, lang)
    await expect(page.locator("#h-supervise")).to_have_text("关怀组：主管操作" if zh else "care: supervise")
    await expect(dialog.locator(hook("supervise-now"))).to_contain_text("预计等 4 分钟" if zh else "waits about 4 min")

    # Promises: the overdue one is marked, and only that.
    debts = dialog.locator(hook("debt"))
    await expect(debts).to_have_count(2)
    await expect(debts.nth(0)).to_have_attribute("data-level", "bad")
    await expect(debts.nth(0)).to_contain_text("已逾期 12 分钟" if zh else "overdue by 12 min")
    await expect(debts.nth(1)).not_to_have_attribute("data-level", "bad")
    await expect(debts.nth(1)).to_contain_text("14:55 前人工联系" if zh else "a human by 14:55")
    await expect(debts.nth(1)).to_contain_text("客户要求回电" if zh else "wished to be called back")

    # Nobody commands without a name, and nothing is sent.
    await expect(dialog.locator(hook("mode-auto"))).to_have_attribute("aria-pressed", "true")
    await dialog.locator(hook("mode-managed")).click()
    await expect(dialog.locator(hook("supervise-said"))).to_have_text(
        "请先填写姓名。" if zh else "Fill in your name first."
    )
    assert floor.at.pools.commands == []

    await dialog.locator(hook("supervise-by")).fill("wang")
    await dialog.locator(hook("supervise-reason")).fill("暴雨")
    await dialog.locator(hook("mode-managed")).click()
    await done(dialog, zh)
    await expect(dialog.locator(hook("mode-managed"))).to_have_attribute("aria-pressed", "true")
    await expect(dialog.locator(hook("mode-now"))).to_contain_text("托管" if zh else "Managed")
    await expect(dialog.locator(hook("mode-why"))).to_have_text(
        "14:30 起 · wang 手动设定：暴雨" if zh else "since 14:30 · set by wang: 暴雨"
    )

    ready = dialog.locator(f'{hook("seat")}[data-seat="care-a01"]')
    await expect(ready).to_contain_text("就绪 · 服务 1 / 2" if zh else "ready · holds 1 of 2")
    await expect(dialog.locator(f'{hook("seat")}[data-seat="care-a04"] {hook("drain")}')).to_have_count(0)
    waits = dialog.locator(hook("waits"))
    await expect(waits).to_have_count(3)
    first = waits.filter(has_text="hu")
    await expect(first.locator(f"{hook('assign-seat')} option")).to_have_text(["care-a01", "care-a02"])
    await first.locator(hook("assign-seat")).select_option("care-a01")
    await first.locator(hook("assign")).click()
    await expect(waits).to_have_count(2)
    await expect(ready).to_contain_text("服务 2 / 2" if zh else "holds 2 of 2")
    await ready.locator(hook("drain")).click()
    await expect(ready).to_contain_text("办完即退" if zh else "draining")
    await expect(ready.locator(hook("drain"))).to_have_count(0)
    await expect(waits.nth(0).locator(f"{hook('assign-seat')} option")).to_have_text(["care-a02"])

    who = {"by": "wang", "reason": "暴雨"}
    assert floor.at.pools.commands == [
        ("mode", {"mode": "managed", **who}),
        ("assign", {"contact_id": "hu-4-unhappy", "seat_id": "care-a01", **who}),
        ("drain", {"seat_id": "care-a01", **who}),
    ]


async def test_the_keyboards_focus_stays_where_it_was_though_the_lists_are_made_anew(
    floor: Served, visit: Open
) -> None:
    _, dialog = await opened(visit, floor, "en")
    await dialog.locator(hook("supervise-by")).fill("wang")
    managed = dialog.locator(hook("mode-managed"))
    await managed.press("Enter")
    await done(dialog, False)
    await expect(managed).to_have_attribute("aria-pressed", "true")
    await expect(managed).to_be_focused()

    # Of many alike it is the same one, also where those before it are gone.
    waits = dialog.locator(hook("waits"))
    second = waits.nth(1).locator(hook("assign"))
    await second.evaluate("button => { button.focus(); window.second = button.dataset.of; }")
    await waits.nth(0).locator(hook("assign")).evaluate("button => button.click()")
    await expect(waits).to_have_count(2)
    await expect(waits.nth(0).locator(hook("assign"))).to_be_focused()
    assert await waits.nth(0).locator(hook("assign")).evaluate("button => button.dataset.of === window.second")

    # A control that is gone leaves the focus in the dialog, where it is said what became of it.
    drain = dialog.locator(f'{hook("seat")}[data-seat="care-a02"] {hook("drain")}')
    await drain.press("Enter")
    await expect(drain).to_have_count(0)
    await expect(dialog.locator(hook("supervise-said"))).to_be_focused()


@pytest.mark.parametrize("lang", ["zh", "en"])
async def test_what_is_refused_is_said_and_nothing_changes(floor: Served, visit: Open, watch: Watch, lang: str) -> None:
    watch.tolerated = ("403", "409", "503")
    zh = lang == "zh"
    _, dialog = await opened(visit, floor, lang)
    said = dialog.locator(hook("supervise-said"))
    await dialog.locator(hook("supervise-by")).fill("wang")

    # No right: the words name it, and the mode stays. So does the seat that is being chosen, though the lists are made anew.
    first = dialog.locator(hook("waits")).nth(0)
    await first.locator(hook("assign-seat")).select_option("care-a02")
    floor.at.pools.allowed = False
    before = await first.element_handle()
    await dialog.locator(hook("mode-managed")).click()
    await expect(said).to_contain_text("没有这项权限" if zh else "You have no right to do this")
    await expect(said).to_have_attribute("data-level", "bad")
    await expect(dialog.locator(hook("mode-auto"))).to_have_attribute("aria-pressed", "true")
    floor.at.pools.allowed = True
    assert before is not None
    await before.wait_for_element_state("hidden")  # made anew
    await expect(first.locator(hook("assign-seat"))).to_have_value("care-a02")

    # A rule of the router's: told in the reader's language.
    await first.locator(hook("assign")).click()
    await expect(said).to_have_text(
        "未执行：坐席 care-a02 已满，正在服务 c-4, c-5"
        if zh
        else "Not done: seat care-a02 has no room: it holds c-4, c-5"
    )
    await expect(dialog.locator(hook("waits"))).to_have_count(3)

    # No answer is no refusal: it may have been done.
    floor.at.pools.silent = True
    await dialog.locator(hook("mode-human")).click()
    await expect(said).to_contain_text("请先看是否已生效" if zh else "see whether it took effect")


async def test_an_answer_that_got_lost_is_asked_for_again_and_the_command_is_done_once(
    floor: Served, visit: Open, watch: Watch
) -> None:
    watch.tolerated = ("504",)
    _, dialog = await opened(visit, floor, "en")
    await dialog.locator(hook("supervise-by")).fill("wang")
    floor.at.pools.mute = 1
    waits = dialog.locator(hook("waits"))
    await waits.nth(0).locator(hook("assign-seat")).select_option("care-a01")
    await waits.nth(0).locator(hook("assign")).click()
    await expect(waits).to_have_count(2)
    await done(dialog, zh=False)
    assert [what for what, _ in floor.at.pools.commands] == ["assign"]


@pytest.mark.parametrize("lang", ["zh", "en"])
async def test_why_a_contact_waits_is_opened_from_the_queue(floor: Served, visit: Open, lang: str) -> None:
    page, dialog = await opened(visit, floor, lang, width=390)
    # A phone: nothing is wider than the screen.
    assert await dialog.evaluate("(node) => node.scrollWidth <= node.clientWidth && node.clientWidth <= innerWidth")
    await dialog.locator(hook("waits")).nth(0).locator(hook("supervise-explain")).click()
    drawer = page.locator(hook("drawer"))
    await expect(drawer.locator(hook("decision"))).to_have_count(2)
    await expect(drawer).to_contain_text("按规则" if lang == "zh" else "Mood −0.62 is below −0.3")
    await drawer.locator(hook("drawer-close")).click()
    await expect(drawer).to_be_hidden()
    await expect(dialog).to_be_visible()
    await dialog.locator(hook("supervise-close")).click()
    await expect(dialog).to_be_hidden()


@pytest.mark.parametrize("lang", ["zh", "en"])
async def test_a_pools_tile_shows_its_mode_debts_and_wait(floor: Served, visit: Open, lang: str) -> None:
    page = await visit(f"{floor.url}?lang={lang}")
    zh = lang == "zh"
    tile = page.locator(f'{hook("pool")}[data-pool="service"]')
    await expect(tile.locator(hook("pool-waiting"))).to_have_text("7")
    await expect(tile.locator(hook("pool-mode"))).to_have_text("")
    row = next(row for kind, row in floor.at.rows if kind == "pool" and row["pool"] == "service")
    owed = {"managed": True, "debts": 3, "debts_overdue": 0, "next_debt_due": iso(NOW), "wait_s": 125.0}
    floor.at.send("pool", row | owed)
    await expect(tile.locator(hook("pool-mode"))).to_have_text(
        "托管中：机器人先接待" if zh else "Managed: the bot keeps the line"
    )
    await expect(tile.locator(hook("pool-debts"))).to_have_text(
        "待兑现承诺 3 · 最早 14:30 到期" if zh else "owed 3 · next due 14:30"
    )
    await expect(tile.locator(hook("pool-wait"))).to_have_text("预计等待 2:05" if zh else "told to wait 2:05")
    floor.at.send("pool", row | owed | {"debts_overdue": 2})
    debts = tile.locator(hook("pool-debts")).locator("span")
    await expect(debts).to_have_text("待兑现承诺 3 · 已逾期 2" if zh else "owed 3 · overdue 2")
    await expect(debts).to_have_attribute("data-level", "bad")
