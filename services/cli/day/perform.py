"""The demo on its stage: what it says, how it ends, and that it always takes everything down."""

import asyncio
import os
import signal
import sys
import webbrowser

from rich.console import Console

from services.cli.audit import audit
from services.cli.audit.collect import NotRunning
from services.cli.day.run import Addresses, DemoError, Plan, Stack, play
from services.cli.day.show import Stage, summary
from services.runtime.errors import TouchlineError


async def perform(plan: Plan, browser: bool) -> int:
    """Runs the demo so that SIGINT and SIGTERM end it in order. Gives the exit status: 0 only if the audit holds, 130 when interrupted."""
    task, loop = asyncio.current_task(), asyncio.get_running_loop()
    assert task is not None
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, task.cancel)
    stack, code = Stack(plan.data), 1
    with Stage(Console()) as stage:
        try:
            code = await _play_and_audit(plan, stack, stage, browser)
        except asyncio.CancelledError:
            stage.say("正在停止 stopping …")
            code = 130
        except (DemoError, NotRunning, TouchlineError, OSError, RuntimeError, ValueError) as error:
            stage.say(f"失败 failed: {error}")
        finally:
            for number in (signal.SIGINT, signal.SIGTERM):
                loop.add_signal_handler(number, lambda: None)  # the way down is not interrupted
            await stack.down()
    return code


async def _play_and_audit(plan: Plan, stack: Stack, stage: Stage, browser: bool) -> int:
    def opened(where: Addresses) -> None:
        stage.say(f"就绪 ready after {where.ready_s} s, {where.rss_mb:,.0f} MB")
        stage.say(f"实时看板 dashboard  {where.dashboard}")
        stage.say(f"调用链   traces     {where.traces}")
        if browser and _has_browser():
            webbrowser.open(where.dashboard)

    stage.say("正在启动 starting …")
    played, journal = await play(plan, stack, stage.say, opened, stage.show)
    stage.say(summary(played))
    if not played.finished:
        stage.say(f"{played.open_contacts} 次来访未了结 contacts were still open three hours after closing")
    stage.say("正在核对 auditing …")
    report = await audit(plan.data, journal)
    stage.say(report.table())
    return 0 if report.ok else 1


def _has_browser() -> bool:
    """Whether there is a browser with a screen to show itself on; a text browser would take over the terminal."""
    return sys.platform in ("darwin", "win32") or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
