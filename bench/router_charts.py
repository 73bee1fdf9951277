"""Charts of a replay: `touchline router replay --calls FILE --json > r.json; python -m bench.router_charts r.json --out docs/images`.

By day, the log's mean wait beside the simulator's and the policy's; by group, the policy's wait over the bank's rule.
"""

import argparse
import json
from html import escape
from pathlib import Path
from typing import Any

from bench.charts import FAINT, OTHER, OWN, TEXT

WIDTH, HEIGHT, LEFT, TOP, BOTTOM = 760, 300, 48, 56, 40
DARK = "#0f172a"
LEAST = 100
"""A group with fewer contacts has no bar."""
SERIES = (
    ("history", "the log 历史", DARK, 'stroke-dasharray="2 3"'),
    ("bank_rule", "simulated, bank's rule 银行规则", OTHER, ""),
    ("policy", "simulated, policy 策略", OWN, ""),
)


def by_day(answer: dict[str, Any]) -> str:
    """Lines over the days, on a scale from zero; the simulations with their 95 % error."""
    days = answer["days"]
    most = max(day[key]["mean_wait_s"] for day in days for key, *_ in SERIES) * 1.1
    step = (WIDTH - LEFT - 20) / max(1, len(days) - 1)

    def x(i: int) -> float:
        return LEFT + i * step

    def y(seconds: float) -> float:
        return TOP + (HEIGHT - TOP - BOTTOM) * (1 - seconds / most)

    title = "Mean wait by day, s 每日平均等待（秒）"
    parts = _head(title, HEIGHT)
    for seconds in range(0, int(most) + 1, 50):
        parts.append(
            f'<line x1="{LEFT}" x2="{WIDTH - 20}" y1="{y(seconds):.1f}" y2="{y(seconds):.1f}" stroke="#e2e8f0"/>'
        )
        parts.append(f'<text x="{LEFT - 6}" y="{y(seconds) + 4:.1f}" text-anchor="end" fill="{FAINT}">{seconds}</text>')
    for i, day in enumerate(days):
        parts.append(
            f'<text x="{x(i):.1f}" y="{HEIGHT - 20}" text-anchor="middle" fill="{FAINT}">{day["day"][8:]}</text>'
        )
    for k, (key, name, colour, dash) in enumerate(SERIES):
        points = " ".join(f"{x(i):.1f},{y(day[key]['mean_wait_s']):.1f}" for i, day in enumerate(days))
        parts.append(f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2" {dash}/>')
        for i, day in enumerate(days):
            error = day[key].get("error", {}).get("mean_wait_s", 0.0)
            if error:
                top, low = y(day[key]["mean_wait_s"] + error), y(max(0.0, day[key]["mean_wait_s"] - error))
                parts.append(f'<line x1="{x(i):.1f}" x2="{x(i):.1f}" y1="{top:.1f}" y2="{low:.1f}" stroke="{colour}"/>')
        at = 12 + k * 210
        parts.append(f'<line x1="{at}" x2="{at + 24}" y1="38" y2="38" stroke="{colour}" stroke-width="2" {dash}/>')
        parts.append(f'<text x="{at + 30}" y="42" fill="{TEXT}">{escape(name)}</text>')
    return "\n".join([*parts, "</svg>"]) + "\n"


def by_group(answer: dict[str, Any]) -> str:
    """Who gains and who pays: each group's wait under the policy, over the bank's rule."""
    rows = []
    for by, what in (("by_priority", "priority"), ("by_type", "type")):
        for name, was in answer["bank_rule"][by].items():
            if was["contacts"] >= LEAST and was["mean_wait_s"]:
                rows.append((f"{what} {name} ({was['contacts']})", was, answer["policy"][by][name]))
    title = "Who gains and who pays: wait under the policy over the bank's rule 各组等待之比"
    left, right, row, height = 150, 490, 26, 56 + 26 * len(rows) + 12
    ratios = [ours["mean_wait_s"] / was["mean_wait_s"] for _, was, ours in rows]
    low, high = min(0.6, *ratios), max(1.5, *ratios)

    def x(ratio: float) -> float:
        return left + (right - left) * (ratio - low) / (high - low)

    parts = _head(title, height)
    parts.append(f'<line x1="{x(1):.1f}" x2="{x(1):.1f}" y1="34" y2="{height - 10}" stroke="{FAINT}"/>')
    parts.append(f'<text x="{right + 20}" y="38" fill="{FAINT}">ratio · wait, s · hang-ups, points</text>')
    for i, ((name, was, ours), ratio) in enumerate(zip(rows, ratios, strict=True)):
        at, colour = 58 + i * row, OWN if ratio <= 1 else "#b45309"
        points = 100 * (ours["abandoned"] - was["abandoned"]) / was["contacts"]
        parts.append(f'<text x="{left - 8}" y="{at + 4}" text-anchor="end" fill="{TEXT}">{escape(name)}</text>')
        parts.append(
            f'<line x1="{x(1):.1f}" x2="{x(ratio):.1f}" y1="{at}" y2="{at}" stroke="{colour}" stroke-width="6"/>'
        )
        text = f"× {ratio:.2f} · {was['mean_wait_s']:.0f} → {ours['mean_wait_s']:.0f} · {points:+.1f}"
        parts.append(f'<text x="{right + 20}" y="{at + 4}" fill="{TEXT}">{text}</text>')
    return "\n".join([*parts, "</svg>"]) + "\n"


def _head(title: str, height: int) -> list[str]:
    return [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" '
        f'font-family="system-ui, sans-serif" font-size="11" role="img" aria-label="{escape(title)}">',
        f'<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>',
        f'<text x="12" y="20" font-size="14" font-weight="600" fill="{TEXT}">{escape(title)}</text>',
    ]


def main() -> None:
    """Write both charts."""
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("answer", type=Path)
    p.add_argument("--out", type=Path, default=Path("docs/images"))
    args = p.parse_args()
    answer = json.loads(args.answer.read_text(encoding="utf-8"))
    for name, make in (("days", by_day), ("groups", by_group)):
        (args.out / f"router-replay-{name}.svg").write_text(make(answer), encoding="utf-8")


if __name__ == "__main__":
    main()
