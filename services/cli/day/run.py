"""One demo from start to end: bring the stack up, play, wait until all is settled, audit, take it down."""

import asyncio
import os
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from services.cli.day.generator import generate
from services.cli.day.journal import Journal
from services.cli.day.model import LOCAL, Day
from services.cli.day.player import Player, Progress, Target
from services.cli.day.policy import FOLLOW_UPS, follow_ups_for_speed, for_speed
from services.cli.day.realdata import generate_real
from services.router.policyfile import DEFAULT

# The day begins this long after the start: what a second start takes.
HEAD_START_S = 14.0
START_LIMIT_S = 240.0
SETTLE_LIMIT_S = 240.0
# What two shared cores carry comfortably from the gateway through all services, in events a second.
SUSTAINED_PER_S = 400.0
FASTEST, USUAL = 120.0, 100.0


class DemoError(RuntimeError):
    """The demo can't go on: the reason in words."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What to play, and how. speed: simulated seconds a second, or None for as fast as the machine keeps up with.

    real: folder of real data, or None for the generated day. kill: the part to end with SIGKILL, at that share of the day.
    """

    data: Path
    seed: int
    hours: float
    speed: float | None
    events: int | None
    scale: float
    real: Path | None
    kill: tuple[tuple[str, float], ...] = ()

    def day(self, midnight: datetime) -> Day:
        """The day that is played. Raises ValueError or OSError where it can't be planned."""
        if self.real is not None:
            return generate_real(self.real, self.seed, midnight, self.hours, self.events, self.scale)
        return generate(self.seed, midnight, self.hours, self.events, self.scale)


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where people can look."""

    dashboard: str
    traces: str
    ready_s: float
    rss_mb: float


def factor_of(plan: Plan, expected: int) -> float:
    """Simulated seconds a second."""
    if plan.speed is not None:
        return plan.speed
    return max(1.0, min(FASTEST, SUSTAINED_PER_S * plan.hours * 3600 / max(1, expected)))


def hours_told(day: Day) -> str:
    """From when to when the day goes, and when its incident begins, by its own clock."""

    def at(second: float) -> str:
        return f"{day.moment(second).astimezone(LOCAL):%H:%M}"

    told = f"时段 from {at(day.window.start)} to {at(day.window.end)}"
    return told + (f", 事故 incident {at(day.window.incident[0])}" if day.window.incident else "")


def expected_events(day: Day) -> int:
    """About how many events the day will send: what is planned, and what people will add."""
    said = sum(2 + len(c.opening) + 2 * len(c.later) + (c.survey is not None) for c in day.contacts)
    return len(day.outside) + 3 * len(day.seats) + said


async def status(data: Path) -> dict[str, Any]:
    """How the stack is, as `touchline status --json` has it."""
    from deploy.embedded.layout import Layout
    from deploy.embedded.status import gather

    return await gather(Layout.of(data))


def not_up(now: dict[str, Any], logs: Path) -> str:
    """Why the demo gives up on a stack of that status, and what to do."""
    from deploy.embedded.status import unwell

    hint = f"look at {logs}, or try again; 请查看该目录下的日志，或重试"
    if now["state"] == "down":
        return f"the stack ended while starting 启动中途退出; {hint}"
    waited = f"not healthy within {START_LIMIT_S:.0f} s / {START_LIMIT_S:.0f} 秒内未就绪"
    return f"{waited}: waiting for 仍在等待 {', '.join(unwell(now)) or 'the supervisor'}; {hint}"


class Stack:
    """The embedded stack in a data folder, up until `down`."""

    def __init__(self, data: Path) -> None:
        self.data = data.resolve()
        self._starting: asyncio.Task[int] | None = None

    async def up(self, clock: str) -> dict[str, Any]:
        """Starts it on that clock, and waits until all is healthy; gives its status. Raises DemoError."""
        from deploy.embedded import control, state, supervisor

        self._starting = asyncio.create_task(
            asyncio.to_thread(control.start_detached, supervisor.Options(self.data, clock))
        )
        try:
            # Whoever cancels us waits in `down` until the supervisor can be ended.
            await asyncio.shield(self._starting)
        except (control.ControlError, state.AlreadyRunningError) as error:
            raise DemoError(str(error)) from error
        limit = time.monotonic() + START_LIMIT_S
        while (now := await status(self.data))["state"] != "healthy":
            if time.monotonic() > limit or now["state"] == "down":
                raise DemoError(not_up(now, self.data / "logs"))
            await asyncio.sleep(0.2)
        return now

    async def down(self) -> None:
        """Ends everything that `up` started, in order; also a start that is still under way. Another's stack is left alone."""
        from deploy.embedded import control, state
        from deploy.embedded.layout import Layout

        if self._starting is None:
            return
        [started] = await asyncio.gather(self._starting, return_exceptions=True)
        layout = Layout.of(self.data)
        if state.is_held(layout):
            now = state.read(layout)
            # A start that failed left nothing that holds the folder: who holds it is another's supervisor.
            if isinstance(started, BaseException) or (now is not None and now.supervisor.pid != started):
                return
        await asyncio.to_thread(control.stop, layout)


async def play(plan: Plan, stack: Stack, say: Callable[[str], None], opened: Callable[[Addresses], None],
               show: Callable[[Progress], None]) -> tuple[Progress, Path]:  # fmt: skip
    """Brings the stack up, plays the day and waits until all is settled. Gives the journal's path. Raises DemoError."""
    midnight = datetime.now(LOCAL).replace(hour=0, minute=0, second=0, microsecond=0)
    day = await asyncio.to_thread(plan.day, midnight)
    factor = factor_of(plan, expected_events(day))
    real = time.time() + HEAD_START_S
    speed = "尽快 as fast as it goes" if plan.speed is None else f"{factor:g}×"
    clock = f"scaled:{real:.3f}:{day.moment(day.window.start).timestamp():.3f}:{factor:g}"
    say(
        f"{len(day.contacts):,} 次来访 contacts, {len(day.seats)} 位坐席 seats, 约 about {expected_events(day):,} 事件 events, {speed}"
    )
    say(hours_told(day))
    policy = plan.data / "policy.toml"
    await asyncio.to_thread(policy.write_text, for_speed(DEFAULT.read_text(encoding="utf-8"), factor), encoding="utf-8")
    # The services inherit it, and the audit replays decisions with the same one.
    os.environ["ROUTER_POLICY"] = str(policy)
    follow_ups = plan.data / "followups.toml"
    told = follow_ups_for_speed(FOLLOW_UPS.read_text(encoding="utf-8"), factor)
    await asyncio.to_thread(follow_ups.write_text, told, encoding="utf-8")
    os.environ["ESCALATION_POLICY"] = str(follow_ups)
    found = await stack.up(clock)
    late_s = time.time() - real
    if late_s > 0:
        # The clock runs already: the day begins as much later, so that nothing comes in one heap.
        day = await asyncio.to_thread(plan.day, midnight + timedelta(seconds=(late_s + 2) * factor))
        say(
            f"启动较慢，整日顺延 the start took {HEAD_START_S + late_s:.0f} s, so all of the day is later: {hours_told(day)}"
        )
    opened(Addresses(found["dashboard"]["url"], found["traces"]["url"] or "-", found["ready_s"], found["rss_mb"]))
    journal_path = plan.data / "journal.jsonl"
    with Journal(journal_path) as journal:
        player = Player(day, await _target(plan.data, found, clock), journal, show)
        killers = [asyncio.create_task(_kill(plan.data, name, share, player, say)) for name, share in plan.kill]
        try:
            played = await player.run()
            for killer in killers:
                killer.cancel()
                await asyncio.gather(killer, return_exceptions=True)
        finally:
            for killer in killers:
                killer.cancel()
    await settle(plan.data, say)
    return played, journal_path


async def _target(data: Path, found: dict[str, Any], clock: str) -> Target:
    from deploy.embedded import state
    from deploy.embedded.layout import Layout

    now = await asyncio.to_thread(state.read, Layout.of(data))
    if now is None:
        raise DemoError("the stack went away")
    return Target(
        found["gateway"]["url"],
        found["gateway"]["api_key"],
        found["kafka"]["bootstrap"],
        now.grpc["router"],
        now.grpc["escalation"],
        clock,
    )


async def _kill(data: Path, name: str, share: float, player: Player, say: Callable[[str], None]) -> None:
    """Ends a part with SIGKILL once that share of the day is played; its supervisor starts it again."""
    from deploy.embedded import state
    from deploy.embedded.layout import Layout

    await player.reached(share)
    stack = await asyncio.to_thread(state.read, Layout.of(data))
    process = stack.parts[name].process() if stack and name in stack.parts else None
    if process is None:
        raise DemoError(f"--kill: {name} does not run")
    os.kill(process.pid, signal.SIGKILL)
    player.journal.note(player.progress().now, killed=name)
    say(f"已强制终止 killed {name} (SIGKILL, pid {process.pid})")


async def settle(data: Path, say: Callable[[str], None]) -> None:
    """Waits until all is healthy and nothing lags, twice in a row. Raises DemoError where that takes too long."""
    began, quiet = time.monotonic(), 0
    say("等待各服务处理完毕 waiting until the services have done all that was sent …")
    while quiet < 2:
        now = await status(data)
        lags = {name: s["lag"] for name, s in now["services"].items()}
        quiet = quiet + 1 if now["state"] == "healthy" and all(lag == 0 for lag in lags.values()) else 0
        if time.monotonic() - began > SETTLE_LIMIT_S:
            raise DemoError(f"not settled after {SETTLE_LIMIT_S:.0f} s: {now['state']}, lag {lags}")
        await asyncio.sleep(0.5)
    say(f"积压为零 all settled, {time.monotonic() - began:.1f} s")
