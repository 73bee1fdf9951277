"""Why a row has its score: what each kind of fact adds to the log odds, in words. The parts and the base add up to the score."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from services.escalation.tickets.features import NAMES, PLACE
from services.escalation.tickets.score import Rows, Score

_KINDS: Final[Mapping[str, tuple[str, ...]]] = {
    "stage": ("state", "in state", "awaiting", "since resolved"),
    "grades": ("impact", "urgency", "priority", "first priority", "raised", "lowered", "grades"),
    "came back": ("reopenings", "times resolved"),
    "handed on": ("reassignments", "groups", "assignees", "unassigned", "no group", "no assignee", "same assignee"),
    "time": ("age", "weekday age", "office age", "over", "late already", "weekend ahead"),
    "silence": ("gap", "longest gap", "silences"),
    "clock": ("hour", "weekday", "opened hour", "opened weekday"),
    "topic": ("category", "subcategory", "symptom", "no symptom", "topic changes"),
    "group": ("group",),
    "assignee": ("assignee",),
    "caller": ("caller", "callers", "caller's"),
    "place": ("location",),
    "load": ("all",),
    "handling": ("changes", "rows", "knowledge", "by mail", "delay"),
}
"""Which features tell of a kind of fact: those whose names begin with one of these words; the longest beginning decides."""
_SAYS: Final[Mapping[str, tuple[str, str]]] = {
    "stage": ("the stage it has reached, {in state:.0f} h in its state", "所处阶段，当前状态已 {in state:.0f} 小时"),
    "grades": (
        "priority {priority:.0f}, impact {impact:.0f}, urgency {urgency:.0f}",
        "优先级 {priority:.0f}、影响 {impact:.0f}、紧急 {urgency:.0f}",
    ),
    "came back": (
        "resolved {times resolved:.0f} times, reopened {reopenings:.0f}",
        "已解决 {times resolved:.0f} 次、重开 {reopenings:.0f} 次",
    ),
    "handed on": (
        "handed on {reassignments:.0f} times, {assignees:.0f} people so far",
        "转派 {reassignments:.0f} 次，经手 {assignees:.0f} 人",
    ),
    "time": (
        "open for {age:.0f} h, {weekday age:.0f} of them on weekdays",
        "已开 {age:.0f} 小时，其中工作日 {weekday age:.0f} 小时",
    ),
    "silence": ("{silences:.0f} gaps of more than a day without an update", "有 {silences:.0f} 次超过一天没有进展"),
    "clock": ("the hour and the day of the week", "时段与星期"),
    "topic": ("how its category and symptom have gone before", "同类问题以往的结果"),
    "group": ("how its group has done with such incidents", "该小组以往处理此类事件的结果"),
    "assignee": ("how its assignee's incidents have gone before", "该处理人以往事件的结果"),
    "caller": ("what the caller has been through before", "该报障人以往的经历"),
    "place": ("how incidents of its location have gone before", "该地点以往事件的结果"),
    "load": ("how busy the desk is, and how it has been doing lately", "服务台的繁忙程度与近况"),
    "handling": ("{changes:.0f} changes so far, the pace of work on it", "至今 {changes:.0f} 次变更，处理的节奏"),
}
CODES: Final = tuple(_KINDS)
HAPPENED: Final[Mapping[str, Any]] = {
    "base": None,
    "reasons": [
        {"code": "happened", "weight": None, "en": "it was raised or reopened already", "zh": "已升级或已重开"}
    ],
}
"""Of an incident that has turned: there are no odds to it."""


def _kind(name: str) -> int:
    words = [(len(w), i) for i, own in enumerate(_KINDS.values()) for w in own if name == w or name.startswith(w + " ")]
    words += [
        (len(w), i) for i, own in enumerate(_KINDS.values()) for w in own if w.endswith("'s") and name.startswith(w)
    ]
    return max(words)[1]


_OF: Final = np.array([_kind(name) for name in NAMES])
"""Each feature's kind."""


def parts(score: Score, first: Rows, now: Rows) -> NDArray[np.float64]:
    """Row × (kind …, base): what each kind of fact adds; a row's sum is its log odds."""
    shares = score.shares(first, now)
    found = np.zeros((len(shares), len(CODES) + 1))
    for kind in range(len(CODES)):
        found[:, kind] = shares[:, :-1][:, kind == _OF].sum(axis=1)
    found[:, -1] = shares[:, -1]
    return found


def told(part: Sequence[float], now: Sequence[float]) -> dict[str, Any]:
    """A row's reasons, the heaviest first, and the base: `weight`s and base add up to the log odds."""
    facts = {name: now[place] for name, place in PLACE.items()}
    order = sorted(range(len(CODES)), key=lambda k: -abs(part[k]))
    return {
        "base": part[-1],
        "reasons": [
            {
                "code": CODES[k],
                "weight": part[k],
                "en": _said(_SAYS[CODES[k]][0], facts),
                "zh": _said(_SAYS[CODES[k]][1], facts),
            }
            for k in order
            if part[k] != 0
        ],
    }


def _said(text: str, facts: Mapping[str, float]) -> str:
    return text.format_map(facts)
