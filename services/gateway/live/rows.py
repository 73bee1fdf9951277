"""The rows that the dashboard is sent: each complete in itself, put in the place of the row with the same key."""

from collections import OrderedDict
from collections.abc import Iterable
from typing import Any, Generic, TypeVar

from google.protobuf.timestamp_pb2 import Timestamp

Row = dict[str, Any]
Change = tuple[str, Row]  # the SSE event's name, and the row

K = TypeVar("K")
V = TypeVar("V")


class Bounded(OrderedDict[K, V], Generic[K, V]):
    """A dict that forgets what was touched longest ago once it holds more than `most`."""

    def __init__(self, most: int) -> None:
        super().__init__()
        self.most = most

    def put(self, key: K, value: V) -> None:
        """Sets and touches."""
        self[key] = value
        self.move_to_end(key)
        while len(self) > self.most:
            self.popitem(last=False)


def iso(stamp: Timestamp) -> str | None:
    """RFC 3339 in UTC; None where it was not set, or is absurd."""
    if not stamp.seconds and not stamp.nanos:
        return None
    try:
        return stamp.ToJsonString()
    except ValueError:
        return None


def trace_id(traceparent: str) -> str | None:
    """The trace id of a sampled W3C context, for a link; None where there will be no trace to see."""
    parts = traceparent.split("-")
    return parts[1] if len(parts) == 4 and len(parts[1]) == 32 and parts[3] in ("01", "03") else None


def ordered(rows: Iterable[Row], by: str) -> list[Row]:
    """Rows by one of their fields, those without it first."""
    return sorted(rows, key=lambda row: row[by] or "")
