"""Charts as inline SVG: bars with their errors, and a line by time. Sizes are in px of a 440 wide drawing that shrinks with the page."""

from html import escape
from typing import Final

from services.nps.report.document import Bars, Line

WIDTH: Final = 440
_LABEL, _NOTE, _ROW = 104, 96, 26
_CJK: Final = 12.5
_LATIN: Final = 6.8
_LABEL_HALF: Final = 16
"""Half the width of a value's label in a line chart, and a little."""


def bars(block: Bars) -> str:
    """Horizontal bars: value, thin line for the error, tick for the value before."""
    top = max([b.high for b in block.bars] + [b.before or 0.0 for b in block.bars] + [0.1])
    room = WIDTH - _LABEL - _NOTE
    height = _ROW * len(block.bars) + 8
    drawn = []
    for i, b in enumerate(block.bars):
        y = 4 + _ROW * i
        middle = y + _ROW / 2

        def x(value: float) -> float:
            return round(_LABEL + room * max(0.0, value) / top, 1)

        told = f"{b.label}: {b.note}"
        drawn.append(
            f"<g><title>{escape(told)}</title>"
            f'<text x="{_LABEL - 8}" y="{middle + 4}" text-anchor="end">{escape(_cut(b.label, _LABEL - 12))}</text>'
            f'<rect class="{"bar strong" if b.strong else "bar"}" x="{_LABEL}" y="{y + 5}" width="{max(1.0, x(b.value) - _LABEL):.1f}" height="{_ROW - 10}" rx="2"/>'
            f'<path class="error" d="M{x(b.low)} {middle}H{x(b.high)}M{x(b.low)} {middle - 4}v8M{x(b.high)} {middle - 4}v8"/>'
            + (f'<path class="tick" d="M{x(b.before)} {y + 2}v{_ROW - 4}"/>' if b.before is not None else "")
            + f'<text class="note" x="{WIDTH}" y="{middle + 4}" text-anchor="end">{escape(b.note)}</text></g>'
        )
    return _svg(height, block.title, "".join(drawn))


def line(block: Line) -> str:
    """Values by time with their errors as whiskers."""
    low = min([p[2] for p in block.points] + [0.0])
    high = max([p[3] for p in block.points] + [1.0])
    left, right, top, bottom = 44, 40, 20, 112
    step = (WIDTH - left - right) / max(1, len(block.points) - 1)

    def y(value: float) -> float:
        return round(bottom - (bottom - top) * (value - low) / (high - low), 1)

    places = [(round(left + step * i, 1), *p) for i, p in enumerate(block.points)]
    heights = [y(p[1]) for p in block.points]

    def clear(i: int) -> float:
        """Where the label's foot is above its whisker and above the lines to both neighbours, as far as it reaches."""
        reach = min(1.0, _LABEL_HALF / step)
        lines = [heights[i] + reach * (heights[j] - heights[i]) for j in (i - 1, i + 1) if 0 <= j < len(heights)]
        return round(min(y(block.points[i][3]), heights[i], *lines) - 5, 1)

    path = "M" + "L".join(f"{x} {y(v)}" for x, _, v, _, _ in places)
    drawn = [
        f'<path class="axis" d="M{left - 10} {y(0)}H{WIDTH}"/><text class="note" x="{left - 14}" y="{y(0) + 4}" text-anchor="end">0</text>'
    ]
    for i, (x, label, value, lower, upper) in enumerate(places):
        drawn.append(
            f"<g><title>{escape(f'{label}: {value:.1f} ({lower:.1f}…{upper:.1f})')}</title>"
            f'<path class="error" d="M{x} {y(lower)}V{y(upper)}"/><circle class="dot" cx="{x}" cy="{y(value)}" r="3.5"/>'
            f'<text x="{x}" y="{clear(i)}" text-anchor="middle">{value:.1f}</text>'
            f'<text class="note" x="{x}" y="{bottom + 18}" text-anchor="middle">{escape(label)}</text></g>'
        )
    return _svg(bottom + 26, block.title, f'<path class="line" d="{path}"/>' + "".join(drawn))


def _svg(height: float, title: str, drawn: str) -> str:
    return f'<svg viewBox="0 0 {WIDTH} {height:g}" role="img" aria-label="{escape(title)}">{drawn}</svg>'


def _cut(label: str, room: float) -> str:
    """The label, as much of it as fits."""
    used = 0.0
    for i, c in enumerate(label):
        used += _CJK if ord(c) > 0x2E7F else _LATIN
        if used > room:
            return label[: max(1, i - 1)] + "…"
    return label
