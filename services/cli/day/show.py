"""What `touchline demo` says while it runs, in Chinese and English."""

import time
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, ProgressColumn, TextColumn
from rich.progress import Progress as Bar

from services.cli.day.model import LOCAL
from services.cli.day.player import Progress

EVERY_S = 5.0


def line_of(p: Progress) -> str:
    """The play in one line."""
    c = p.counts
    return (
        f"{p.now.astimezone(LOCAL):%H:%M}  已发送 sent {c.get('sent', 0):,}  进行中 open {p.open_contacts}"
        f"  等待 waiting {p.waiting}  待发 behind {p.behind}"
    )


def rest_of(p: Progress) -> str:
    """What the play still waits for after closing time; empty before."""
    if p.share < 1 or p.finished:
        return ""
    waits = {
        "会话 contacts": p.open_contacts,
        "跟进 follow-ups": p.follow_ups,
        "待办 deeds (surveys, tickets, shifts)": p.planned,
    }
    named = ", ".join(f"{count:,} {what}" for what, count in waits.items() if count)
    return f"  打烊后等待 closed, waits for {named or '最后的消息 the last events'}"


class Stage:
    """A live bar on a terminal, a line now and then elsewhere."""

    def __init__(self, console: Console) -> None:
        columns: tuple[ProgressColumn, ...] = (
            TextColumn("[bold]{task.description}"),
            BarColumn(30),
            TextColumn("{task.percentage:3.0f} %"),
        )
        self._console = console
        self._bar = Bar(*columns, console=console, transient=True) if console.is_terminal else None
        self._task = self._bar.add_task("", total=1.0) if self._bar else None
        self._last = 0.0

    def __enter__(self) -> Self:
        if self._bar:
            self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar:
            self._bar.stop()

    def show(self, progress: Progress) -> None:
        """Shows how far the play is."""
        if self._bar and self._task is not None:
            told = rest_of(progress).strip() or line_of(progress)  # one of them: both are wider than a terminal
            self._bar.update(self._task, completed=progress.share, description=told)
        elif time.monotonic() - self._last > EVERY_S or progress.finished:
            self._last = time.monotonic()
            self.say(f"{line_of(progress)}  {progress.share:.0%}{rest_of(progress)}")

    def say(self, text: str) -> None:
        """A line that stays."""
        self._console.print(text, highlight=False, soft_wrap=True, markup=False)


def summary(p: Progress) -> str:
    """What was sent, with the shares of what went wrong on purpose."""
    sent = max(1, p.counts.get("sent", 0))

    def share(name: str) -> str:
        return f"{p.counts.get(name, 0):,} ({p.counts.get(name, 0) / sent:.2%})"

    return (
        f"已发送 sent {sent:,}: 重复 repeated {share('repeated')}, 迟到 late {share('late')}, "
        f"不可读 unreadable {share('unreadable')}, 被拒 refused {share('refused')}; "
        f"坐席操作 seats' calls {p.counts.get('calls', 0):,} (未成 refused {p.counts.get('calls refused', 0):,}), "
        f"跟进操作 follow-up calls {p.counts.get('errands', 0):,} (未成 refused {p.counts.get('errands refused', 0):,})"
    )
