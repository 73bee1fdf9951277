"""The journal: one JSON object a line for all that was sent, and what became of it at the door. The audit's oracle reads it."""

import json
from base64 import b64encode
from collections import Counter
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from services.cli.day.events import stamp
from services.cli.day.model import CloudEvent, Unreadable


class Journal:
    """Appends to a file. `counts` holds what was written so far: sent, repeated, late, refused, unreadable, calls, errands."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.counts: Counter[str] = Counter()
        self._file = path.open("w", encoding="utf-8")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def event(self, sent_at: datetime, event: CloudEvent, *, repeat: bool, refusal: dict[str, Any] | None) -> None:
        """An event that the gateway accepted, or refused for `refusal` (its field and reason)."""
        self.counts["sent"] += 1
        self.counts["repeated"] += repeat
        self.counts["refused"] += refusal is not None
        self.counts["late"] += not repeat and _late(event, sent_at)
        line: dict[str, Any] = {
            "sent_at": stamp(sent_at),
            "via": "gateway",
            "accepted": refusal is None,
            "event": event,
        }
        if repeat:
            line["repeat"] = True
        if refusal is not None:
            line |= {"field": refusal.get("field"), "reason": refusal.get("reason")}
        self._write(line)

    def unreadable(self, sent_at: datetime, record: Unreadable) -> None:
        """A record that was put straight on Kafka."""
        self.counts["unreadable"] += 1
        headers = {name: value.decode() for name, value in record.headers}
        self._write({"sent_at": stamp(sent_at), "via": "kafka", "accepted": True, "raw": True, "kind": record.kind, "topic": record.topic,
                     "key": record.key.decode(), "headers": headers, "value_base64": b64encode(record.value).decode()})  # fmt: skip

    def call(
        self,
        sent_at: datetime,
        method: str,
        request: dict[str, Any],
        *,
        refusal: dict[str, str] | None,
        what: str = "calls",
    ) -> None:
        """A person's call to a service; `refusal` names the status and the reason where it was not carried out."""
        self.counts[what] += 1
        self.counts[f"{what} refused"] += refusal is not None
        line = {
            "sent_at": stamp(sent_at),
            "via": "rpc",
            "accepted": refusal is None,
            "method": method,
            "request": request,
        }
        self._write(line | (refusal or {}))

    def note(self, at: datetime, **what: object) -> None:
        """Something that is no event, such as a service that was killed, or a customer who did not come."""
        self._write({"sent_at": stamp(at), "via": "player", **what})

    def flush(self) -> None:
        """Hands what was written to the operating system."""
        self._file.flush()

    def _write(self, line: dict[str, Any]) -> None:
        self._file.write(json.dumps(line, ensure_ascii=False) + "\n")


LATE_S = 300.0


def _late(event: CloudEvent, sent_at: datetime) -> bool:
    try:
        return (sent_at - datetime.fromisoformat(event["time"])).total_seconds() > LATE_S
    except ValueError:
        return False
