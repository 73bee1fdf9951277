"""The rush as a picture: who waits, whom the bot keeps and who is owed a human; and below, the protected customers' waits."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

from bench.charts import FAINT, OTHER, OWN, TEXT
from bench.rush_course import Course, Guarded

WIDTH, LEFT, RIGHT = 760, 48, 20
TOP, UPPER, GAP, LOWER, BOTTOM = 66, 210, 56, 110, 40
SHADE, WARM, FRAME = "#eff6ff", "#b45309", "#e2e8f0"
SERIES = (
    ("waiting", "wait for a seat 等坐席", WARM),
    ("kept", "kept by the bot 机器人托管", OTHER),
    ("debts", "owed a human 欠人工", OWN),
)


@dataclass(frozen=True, slots=True)
class Spans:
    """When the run began, and the rush began and ended; epoch seconds."""

    begin: float
    rush: float
    calm: float


def draw(path: Path, course: Course, guarded: Sequence[Guarded], spans: Spans) -> None:
    """Writes the picture."""
    end = max([*course.closed.values(), spans.calm])
    curves = course.curves(spans.begin, end, 15)
    most = max(n for points in curves.values() for _, n in points) * 1.08 or 1.0
    longest = max([60.0, *(max(g.waited_s, g.bound_s) for g in guarded)]) / 60 * 1.1
    low = TOP + UPPER + GAP
    height = low + LOWER + BOTTOM

    def x(at: float) -> float:
        return LEFT + (WIDTH - LEFT - RIGHT) * (at - spans.begin) / (end - spans.begin)

    def y(n: float) -> float:
        return TOP + UPPER * (1 - n / most)

    def wait(minutes: float) -> float:
        return low + LOWER * (1 - minutes / longest)

    title = "A ten-fold rush on the live stack 十倍高峰"
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" '
        f'font-family="system-ui, sans-serif" font-size="11" role="img" aria-label="{escape(title)}">',
        f'<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>',
        _text(12, 20, title, TEXT, 'font-size="14" font-weight="600"'),
    ]
    for a, b in zip(course.entered, [*course.left, end], strict=False):
        for top, tall in ((TOP, UPPER), (low, LOWER)):
            parts.append(f'<rect x="{x(a):.1f}" y="{top}" width="{x(b) - x(a):.1f}" height="{tall}" fill="{SHADE}"/>')
        parts.append(_text(x(b) - 4, TOP + 13, "managed mode 托管", FAINT, 'text-anchor="end"'))
    parts += _scale(most, y, lambda n: f"{n:.0f}") + _scale(longest, wait, lambda n: f"{n:.0f}")
    for series, (key, name, colour) in enumerate(SERIES):
        points = " ".join(f"{x(t):.1f},{y(n):.1f}" for t, n in curves[key])
        parts.append(f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2"/>')
        at = 12 + series * 190
        parts.append(f'<line x1="{at}" x2="{at + 24}" y1="38" y2="38" stroke="{colour}" stroke-width="2"/>')
        parts.append(_text(at + 30, 42, name, TEXT))
    a, b = x(spans.rush), x(spans.calm)
    parts.append(f'<line x1="{a:.1f}" x2="{b:.1f}" y1="{TOP - 4}" y2="{TOP - 4}" stroke="{TEXT}" stroke-width="4"/>')
    parts.append(_text(b + 6, TOP - 1, "ten times as many come 十倍来访", TEXT))
    parts.append(_text(LEFT, low - 10, "protected customers' waits, min 受保护客户等待（分）; – the bound 上限", TEXT))
    for g in guarded:
        at, bound = x(g.came), wait(g.bound_s / 60)
        parts.append(f'<line x1="{at - 3:.1f}" x2="{at + 3:.1f}" y1="{bound:.1f}" y2="{bound:.1f}" stroke="{WARM}"/>')
        parts.append(f'<circle cx="{at:.1f}" cy="{wait(g.waited_s / 60):.1f}" r="2" fill="{OWN}"/>')
    step = 30 if end - spans.begin > 5400 else 10
    for minute in range(0, int((end - spans.begin) / 60) + 1, step):
        parts.append(_text(x(spans.begin + 60 * minute), low + LOWER + 16, str(minute), FAINT, 'text-anchor="middle"'))
    parts.append(_text(WIDTH - RIGHT, low + LOWER + 32, "minutes 分钟", FAINT, 'text-anchor="end"'))
    path.write_text("\n".join([*parts, "</svg>"]) + "\n", encoding="utf-8")


def _scale(most: float, y: Callable[[float], float], name: Callable[[float], str]) -> list[str]:
    """Lines across, at round figures."""
    step = next(s for s in (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, most) if most / s <= 6)
    parts = []
    for i in range(int(most / step) + 1):
        at = y(i * step)
        parts.append(f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{at:.1f}" y2="{at:.1f}" stroke="{FRAME}"/>')
        parts.append(_text(LEFT - 6, at + 4, name(i * step), FAINT, 'text-anchor="end"'))
    return parts


def _text(x: float, y: float, text: str, colour: str, more: str = "") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" fill="{colour}" {more}>{escape(text)}</text>'
