"""Bar charts as SVG, drawn by hand: bars begin at zero, each has its figure, and what was not run says so."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

WIDTH, BAR, GAP, LEFT, RIGHT, TOP = 760, 20, 8, 190, 90, 46
OWN, OTHER, BARE = "#2563eb", "#94a3b8", "#d4d4d8"
TEXT, FAINT = "#1e293b", "#64748b"


@dataclass(frozen=True)
class Bar:
    """One bar: value None where it was not measured. kind: "own", "other" or "bare"; text: what stands beside it."""

    name: str
    value: float | None
    text: str
    kind: str = "other"


def chart(title: str, unit: str, bars: Sequence[Bar], note: str = "") -> str:
    """Horizontal bars on a scale from zero to the largest."""
    most = max((b.value for b in bars if b.value is not None), default=0.0) or 1.0
    room = WIDTH - LEFT - RIGHT
    height = TOP + len(bars) * (BAR + GAP) + (24 if note else 10)
    colours = {"own": OWN, "bare": BARE}
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" '
        f'font-family="system-ui, sans-serif" font-size="12" role="img" aria-label="{escape(title)}">',
        f'<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>',
        f'<text x="12" y="20" font-size="14" font-weight="600" fill="{TEXT}">{escape(title)}</text>',
        f'<text x="12" y="37" fill="{FAINT}">{escape(unit)}</text>',
    ]
    for i, bar in enumerate(bars):
        y = TOP + i * (BAR + GAP)
        parts.append(f'<text x="{LEFT - 8}" y="{y + 14}" text-anchor="end" fill="{TEXT}">{escape(bar.name)}</text>')
        width = 0.0 if bar.value is None else room * bar.value / most
        if bar.value is not None:
            colour = colours.get(bar.kind, OTHER)
            parts.append(f'<rect x="{LEFT}" y="{y}" width="{width:.1f}" height="{BAR}" fill="{colour}"/>')
        fill = FAINT if bar.value is None else TEXT
        parts.append(f'<text x="{LEFT + width + 6:.1f}" y="{y + 14}" fill="{fill}">{escape(bar.text)}</text>')
    if note:
        parts.append(f'<text x="12" y="{height - 8}" font-size="11" fill="{FAINT}">{escape(note)}</text>')
    return "\n".join([*parts, "</svg>"]) + "\n"
