"""The metric topics of changes, drivers and actions: what GetChanges, GetDrivers and ListActions answer, for dashboards to subscribe to.

A row is complete in itself, and published whenever it says something new. What a process published is its own memory: after a
start every row is published once more, which changes nothing.
"""

import json
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any, Final

from touchline.nps.v1 import nps_pb2

from services.nps import deeds, driving
from services.nps.domain import words
from services.nps.domain.actions import Action, sentence
from services.nps.domain.board import Board
from services.nps.domain.span import span_of
from services.nps.domain.watch import begin_of
from services.nps.feed import Feed
from services.runtime.clock import Clock
from services.runtime.publisher import Publisher
from services.runtime.records import JSON, Outgoing
from services.runtime.topics import METRICS_NPS_ACTIONS, METRICS_NPS_CHANGES, METRICS_NPS_DRIVERS

RECENT: Final = timedelta(days=90)
SHOWN: Final = 100
_START: Final = "1970-01-01T00:00:00Z"


class Telling:
    """Publishes rows that say something new."""

    def __init__(self, pool: Any, feed: Feed, publisher: Publisher, clock: Clock, zone: tzinfo) -> None:
        self._pool, self._feed, self._publisher, self._clock = pool, feed, publisher, clock
        self._zone = zone
        self._said: dict[tuple[str, bytes], bytes] = {}

    async def once(self) -> None:
        """Looks at all rows, and publishes those that changed."""
        new = []
        for topic, row in [*await self._changes(), *await self._actions(), *self._drivers()]:
            key = "|".join((_text(row["segment"]), row["window"], row["start"])).encode()
            value = _text(row).encode()
            if self._said.get((topic, key)) != value:
                new.append(Outgoing(topic, key, value, (("content-type", JSON.encode()),)))
        if new:
            await self._publisher.publish(new)
            self._said.update({(o.topic, o.key): o.value for o in new})

    async def _changes(self) -> list[tuple[str, dict[str, Any]]]:
        since = self._clock() - RECENT
        rows = await self._pool.fetch("SELECT body FROM nps_shift WHERE told_at >= $1 ORDER BY told_at", since)
        told: dict[str, list[nps_pb2.NpsShifted]] = {"all": []}
        for (body,) in rows:
            shift = nps_pb2.NpsShifted.FromString(body)
            told.setdefault(shift.segment, []).append(shift)
        return [(METRICS_NPS_CHANGES, row) for row in map(change_row, told.values())]

    async def _actions(self) -> list[tuple[str, dict[str, Any]]]:
        found = await deeds.listed(self._pool, "", None, SHOWN)
        now, board = self._clock(), self._feed.answers
        return [(METRICS_NPS_ACTIONS, action_row(a, board, now)) for a in found]

    def _drivers(self) -> list[tuple[str, dict[str, Any]]]:
        span = span_of("week", self._clock(), self._zone)
        assert span.start is not None
        return [(METRICS_NPS_DRIVERS, row) for row in driving.rows(self._feed, span)]


def change_row(told: list[nps_pb2.NpsShifted]) -> dict[str, Any]:
    """A segment's last change, by docs/schemas/metrics.nps_changes.json; none: that nothing changed."""
    row: dict[str, Any] = {
        "metric": "nps_changes", "segment": {}, "window": "ALL", "start": _START, "counts": {"changes": len(told)},
        "zh": words.changed(None, begin_of, "zh"), "en": words.changed(None, begin_of, "en"),
        "since": None, "told_at": None, "points": None, "low": None, "high": None,
    }  # fmt: skip
    if told:
        c = told[-1].change
        row |= {
            "segment": dict(told[-1].where), "zh": c.zh, "en": c.en, "since": _when(c.since.ToDatetime(UTC)),
            "told_at": _when(c.told_at.ToDatetime(UTC)), "points": c.points, "low": c.low, "high": c.high,
        }  # fmt: skip
    return row


def action_row(action: Action, board: Board, now: datetime) -> dict[str, Any]:
    """An action by docs/schemas/metrics.nps_actions.json."""
    found = deeds.effect_of(action, board, now)
    known = bool(found.before.n and found.after.n)
    dropped = action.status == "dropped"
    return {
        "metric": "nps_actions", "segment": {"action": action.action_id}, "window": "ALL", "start": _START,
        "counts": {"before": found.before.n, "after": found.after.n},
        "owner": action.owner, "promise": action.promise, "where": dict(action.segments),
        "promised_at": _when(action.promised_at), "due_at": _when(action.due_at), "done_at": _when(action.done_at),
        "dropped_at": _when(action.dropped_at) if dropped else None, "overdue": action.overdue(now), "verdict": found.verdict,
        "points": found.points if known else None, "low": found.low if known else None,
        "high": found.high if known else None,
        "zh": _dropped("已放弃", "：", action) if dropped else sentence(found, "zh"),
        "en": _dropped("dropped", ": ", action) if dropped else sentence(found, "en"),
    }  # fmt: skip


def _dropped(word: str, colon: str, action: Action) -> str:
    return word + (colon + action.reason if action.reason else "")


def _when(at: datetime | None) -> str | None:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if at else None


def _text(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
