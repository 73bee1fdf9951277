"""What the figures say, in a sentence: Chinese and English. Times are given in the reader's zone; points are whole numbers unless digits are asked for."""

from collections.abc import Callable
from datetime import datetime
from typing import Final, Literal

from services.nps.domain.change import Change
from services.nps.domain.enough import Enough, enough
from services.nps.domain.figures import Figure
from services.nps.domain.split import Part, Split

Language = Literal["zh", "en"]
WEEKDAYS: Final[dict[Language, tuple[str, ...]]] = {
    "zh": ("周一", "周二", "周三", "周四", "周五", "周六", "周日"),
    "en": ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"),
}
MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
FINEST: Final = 3
"""Digits that an end beside zero is given beyond the others at most."""


def points(value: float, digits: int = 0) -> str:
    """Points with a sign of their own: +4, −11, 0; with one digit +3.5."""
    text = f"{abs(value):.{digits}f}"
    if float(text) == 0:
        return text
    return f"+{text}" if value > 0 else f"−{text}"


def beside(told: str, language: Language) -> str:
    """What stands in brackets after a word: in full width （…） after Chinese, with a space before it after English."""
    return f"（{told}）" if language == "zh" else f" ({told})"


def score(f: Figure, language: Language, digits: int = 0) -> str:
    """The figure with its error, or that there are too few answers, and how many are missing."""
    zh, en = scores(f, enough(f), digits)
    return zh if language == "zh" else en


def scores(f: Figure, found: Enough, digits: int = 0) -> tuple[str, str]:
    """The same in Chinese and in English, of a figure whose worth is found already."""
    if found.verdict == "none":
        return "没有答卷", "no answers"
    if found.verdict == "few":
        return (
            f"答卷太少（{f.n} 份），看不出高低；约再需 {found.more} 份",
            f"too few answers ({f.n}) to tell; about {found.more} more are needed",
        )
    value = points(f.nps, digits)
    if found.verdict == "wide":
        error = f"{found.half:.{digits}f}"
        return (
            f"{value}，但答卷太少（{f.n} 份），误差 ±{error}；约再需 {found.more} 份",
            f"{value}, but too few answers ({f.n}): ±{error}; about {found.more} more are needed",
        )
    span = between(f.low, f.high, digits)
    return f"{value}（{span}，{f.n} 份答卷）", f"{value} ({span}, {f.n} answers)"


def changed(found: Change | None, when: Callable[[int], datetime], language: Language) -> str:
    """Since when it changed and by how much, or that nothing changed. when: the moment at which a bucket begins."""
    zh = language == "zh"
    if found is None:
        return "没有变化：现有答卷看不出与平时不同" if zh else "nothing changed that could be told from chance"
    size, since = between(found.low, found.high), moment(when(found.since), language)
    first, last = moment(when(found.earliest), language), moment(when(found.latest), language)
    if zh:
        return f"自{since}起变化 {size} 分（起点在{first}至{last}之间）"
    return f"changed since {since} by {size} points (it began between {first} and {last})"


def parts(found: Split, language: Language, digits: int = 0) -> str:
    """How much of a change is real and how much is mix, and which segments carry what is real."""
    zh = language == "zh"

    def part(p: Part) -> str:
        return points(p.points, digits) + beside(between(p.low, p.high, digits), language)

    carriers = [c for c in found.segments if c.certain][:3]
    named = ("、" if zh else ", ").join(f"{c.segment} {part(c.real)}" for c in carriers)
    if zh:
        who = f"，主要来自{named}" if named else "，没有哪个分组单独可见"
        return f"合计 {part(found.total)}：真实变化 {part(found.real)}{who}；客群构成变化 {part(found.mix)}"
    who = f", carried by {named}" if named else ", no segment of its own to be seen"
    return f"{part(found.total)} in all: real {part(found.real)}{who}; mix {part(found.mix)}"


def between(low: float, high: float, digits: int = 0) -> str:
    """Two ends, the smaller one in size first where both are on one side: −6…−11, +3…+9, −2…+4."""
    return "…".join(ends(low, high, digits))


def ends(low: float, high: float, digits: int = 0) -> tuple[str, str]:
    """Both ends as they are told: the smaller one in size first where both are on one side.

    There it must not read as zero, which is outside: it gets the digit that shows it (−0.04…−29.3).
    """
    first, last = (high, low) if high <= 0 else (low, high)
    shown = digits
    while first * last > 0 and shown < digits + FINEST and float(f"{first:.{shown}f}") == 0:
        shown += 1
    return points(first, shown), points(last, digits)


def moment(at: datetime, language: Language) -> str:
    """周二 11月17日 14:00, Tue 17 Nov 14:00."""
    day, clock = WEEKDAYS[language][at.weekday()], f"{at:%H:%M}"
    return (
        f"{day} {at.month}月{at.day}日 {clock}"
        if language == "zh"
        else f"{day} {at.day} {MONTHS[at.month - 1]} {clock}"
    )
