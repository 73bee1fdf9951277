"""The metric topics' values, as many as a dashboard can show."""

import json

import msgspec

from services.gateway.live.rows import Row

KEPT = 4000  # of each topic and window
_NEEDED = ("metric", "segment", "window", "start", "counts")

Key = tuple[str, str, str]  # segment, window, start


class MetricBoard:
    """Metric rows by topic and window, then by segment and start; the earliest windows are forgotten first."""

    def __init__(self, most: int = KEPT) -> None:
        self._most = most
        self._boards: dict[tuple[str, str], dict[Key, Row]] = {}

    def rows(self) -> list[Row]:
        return [row for board in self._boards.values() for row in board.values()]

    def put(self, topic: str, value: bytes) -> tuple[Key, Row] | None:
        """Takes a metric topic's value; None where it is none."""
        try:
            row = msgspec.json.decode(value)  # strict: what it takes, it can also write for whoever watches
            segment = json.dumps(row["segment"], sort_keys=True)
            window, start = str(row["window"]), str(row["start"] or "")
        except (ValueError, TypeError, KeyError):
            return None
        if not all(name in row for name in _NEEDED):
            return None
        row["topic"] = topic
        board = self._boards.setdefault((topic, window), {})
        key = (segment, window, start)
        board.pop(key, None)
        board[key] = row
        if len(board) > self._most * 1.1:
            # A tenth at once, so that the sort is paid for rarely. Stable: for the window ALL the stalest go.
            for old in sorted(board, key=lambda k: k[2])[: len(board) - self._most]:
                del board[old]
        return key, row
