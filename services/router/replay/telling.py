"""A comparison of two policies as JSON, with the reasons in Chinese and English."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from services.router.domain.simulation.compare import Block, Change, Changed, Comparison
from services.router.domain.simulation.figures import Interval
from services.router.domain.simulation.ordering import Placed


def body(found: Comparison) -> dict[str, Any]:
    """The comparison as the command prints it."""
    return {
        **_block(found.whole),
        "by": {what: {name: _block(block) for name, block in groups.items()} for what, groups in found.by.items()},
        "changed_most": [_changed(one) for one in found.changed_most],
    }


def _block(block: Block) -> dict[str, Any]:
    return {
        "contacts": block.contacts,
        "policy": asdict(block.ours),
        "against": asdict(block.theirs),
        "policy_less_against": {
            "mean_wait_s": _change(block.mean_wait_s),
            "service_level_20s": _change(block.service_level_20s),
            "abandonment": _change(block.abandonment),
        },
    }


def _change(change: Change) -> dict[str, Any]:
    return {
        "mean": change.mean,
        "over_seeds": _ends(change.over_seeds),
        "over_days": _ends(change.over_days),
    }


def _ends(found: Interval | None) -> list[float] | None:
    return None if found is None or found.low is None or found.high is None else [found.low, found.high]


def _changed(one: Changed) -> dict[str, Any]:
    return {
        "contact_id": one.contact.contact_id,
        "day": one.contact.day,
        "at": clock(one.contact.at),
        "groups": dict(one.contact.groups),
        "policy": _side(one.contact.ours, one.ours_wait_s, one.ours_abandoned, one.ours_overtaken),
        "against": _side(one.contact.theirs, one.theirs_wait_s, one.theirs_abandoned, one.theirs_overtaken),
        "zh": _zh(one),
        "en": _en(one),
    }


def _side(how: Placed, wait_s: float, abandoned: float, overtaken: float) -> dict[str, Any]:
    return {
        "rule": how.rule,
        "pool": how.pool,
        "ahead_s": how.ahead_s,
        "mean_wait_s": wait_s,
        "abandoned": abandoned,
        "overtaken_by": overtaken,
    }


def clock(at: float) -> str:
    """Seconds after midnight as a time of day."""
    s = int(at)
    return f"{s // 3600:02d}:{s // 60 % 60:02d}:{s % 60:02d}"


def _en(one: Changed) -> str:
    ours, theirs = one.contact.ours, one.contact.theirs
    where = "" if ours.pool == theirs.pool else f" Goes to pool {ours.pool} rather than {theirs.pool}."
    left = (
        ""
        if round(one.ours_abandoned - one.theirs_abandoned, 2) == 0
        else f" Hangs up in {100 * one.ours_abandoned:.0f} % of the runs rather than {100 * one.theirs_abandoned:.0f} %."
    )
    if ours.ahead_s == theirs.ahead_s:
        place = f"both place it {_ahead_en(ours.ahead_s)} (“{ours.rule}”), it is others who are placed otherwise"
    else:
        place = f"rule “{ours.rule}” places it {_ahead_en(ours.ahead_s)}, against “{theirs.rule}” {_ahead_en(theirs.ahead_s)}"
    return (
        f"Waits {one.ours_wait_s:.0f} s rather than {one.theirs_wait_s:.0f} s: {place}; {one.ours_overtaken:.1f} who"
        f" came later were answered first rather than {one.theirs_overtaken:.1f}.{left}{where}"
    )


def _zh(one: Changed) -> str:
    ours, theirs = one.contact.ours, one.contact.theirs
    where = "" if ours.pool == theirs.pool else f"改进 {ours.pool} 池（原为 {theirs.pool}）。"
    left = (
        ""
        if round(one.ours_abandoned - one.theirs_abandoned, 2) == 0
        else f"放弃概率 {100 * one.ours_abandoned:.0f} %（对照 {100 * one.theirs_abandoned:.0f} %）。"
    )
    if ours.ahead_s == theirs.ahead_s:
        place = f"两者都让其{_ahead_zh(ours.ahead_s)}（“{ours.rule}”），变的是别人的位置"
    else:
        place = (
            f"规则“{ours.rule}”使其{_ahead_zh(ours.ahead_s)}，对照规则“{theirs.rule}”使其{_ahead_zh(theirs.ahead_s)}"
        )
    return (
        f"等待 {one.ours_wait_s:.0f} 秒（对照 {one.theirs_wait_s:.0f} 秒）：{place}；晚到而先接的有 {one.ours_overtaken:.1f} 人"
        f"（对照 {one.theirs_overtaken:.1f} 人）。{left}{where}"
    )


_STRICT_S = 1e6


def _ahead_en(ahead: float) -> str:
    if abs(ahead) >= _STRICT_S:
        return "before all of lower priority" if ahead > 0 else "behind all of higher priority"
    if abs(ahead) < 0.5:
        return "by its arrival"
    return f"{abs(ahead):.0f} s {'ahead of' if ahead > 0 else 'behind'} its arrival"


def _ahead_zh(ahead: float) -> str:
    if abs(ahead) >= _STRICT_S:
        return "排在所有低优先级之前" if ahead > 0 else "排在所有高优先级之后"
    if abs(ahead) < 0.5:
        return "按到达先后排队"
    return f"{'提前' if ahead > 0 else '推后'} {abs(ahead):.0f} 秒"
