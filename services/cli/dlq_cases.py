"""What lies on a topic of dead letters, by the record that it is about: who refused it, why, how often it was sent again."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from services.runtime.errors import Unreadable
from services.runtime.letters import HEADERS, Origin, is_fact, is_mark, origin, replays, root
from services.runtime.records import Record
from services.runtime.topics import DEAD_LETTERS

_SPANS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def headers_of(record: Record) -> dict[str, str]:
    """A record's headers as text."""
    return {name: value.decode(errors="replace") for name, value in record.headers}


@dataclass
class Case:
    """A record that was put aside, by the place where it first lay, however often it was sent again since.

    letters: those of its latest attempt, one of each pipeline that refused it (or more, where one was published twice).
    replayed_at: when it was sent again; None while it waits for that. replays: how often it was.
    came_ms: when it was first put aside, whatever was tried since: those who took it then know it for so long only.
    """

    place: Origin
    letters: list[Record] = field(default_factory=list)
    replayed_at: datetime | None = None
    marks: int = 0
    came_ms: int | None = None

    @property
    def replayed(self) -> bool:
        return self.replayed_at is not None

    @property
    def replays(self) -> int:
        # A mark may be missing where the command was killed between sending and marking; the record counted all the same.
        return max([self.marks, *(replays(letter.headers) for letter in self.letters)])

    @property
    def letter(self) -> Record:
        """The letter to send it again from: one that holds it, of the latest attempt."""
        return max(self.letters, key=lambda x: ("dlq_bytes" not in dict(x.headers), replays(x.headers)))

    def header(self, name: str) -> str:
        return headers_of(self.letter).get(name, "")

    def refusals(self) -> list[dict[str, str]]:
        """Who refused it and why, at its latest attempt."""
        told = {h.get("dlq_pipeline", ""): h for h in map(headers_of, self.letters)}
        return [
            {"pipeline": p, "field": h.get("dlq_field", ""), "reason": h.get("dlq_reason", "")}
            for p, h in sorted(told.items())
        ]

    def came_at(self) -> datetime:
        """When the first pipeline refused it, at its first attempt."""
        return self.put_aside_at() if self.came_ms is None else _moment(self.came_ms)

    def put_aside_at(self) -> datetime:
        """When the first pipeline refused it, at its latest attempt."""
        return _moment(min(letter.timestamp for letter in self.letters))

    def row(self) -> dict[str, Any]:
        """The case as one line of JSON: nothing of what the customer wrote, nor who it was."""
        refusals = self.refusals()
        return {
            "place": str(self.place),
            "topic": self.place.topic.removesuffix(DEAD_LETTERS),
            "partition": self.place.partition,
            "offset": self.place.offset,
            "lies_at": str(origin(self.letter)),
            "kind": "fact" if is_fact(self.letter) else "record",
            "type": self.header("ce_type"),
            "id": self.header("ce_id"),
            "source": self.header("ce_source"),
            "time": self.header("ce_time"),
            "came_at": _text(self.came_at()),
            "put_aside_at": _text(self.put_aside_at()),
            "reason": refusals[0]["reason"],
            "field": refusals[0]["field"],
            "pipelines": [r["pipeline"] for r in refusals],
            "refusals": refusals,
            "replayable": "dlq_bytes" not in headers_of(self.letter),
            "replays": self.replays,
            "replayed": self.replayed,
            "replayed_at": _text(self.replayed_at) if self.replayed_at else None,
        }

    def missing(self) -> str:
        """Why the letter does not hold its record; empty where it does."""
        if "dlq_bytes" not in headers_of(self.letter):
            return ""
        if is_fact(self.letter):
            return "Kafka took no more of the fact than its names. Kafka 只接收了事实的名称。"
        if self.header("dlq_field") == HEADERS:
            return "its headers can't be read; the record lies at its place. 消息头无法读取，原记录仍在原处。"
        return "too large for a letter; the record lies at its place. 过大，未保存在死信中。"


def cases(records: Iterable[Record]) -> list[Case]:
    """The cases on a topic of dead letters, by place. A mark covers what lies before it; a later letter opens the case anew."""
    found: dict[Origin, Case] = {}
    facts: dict[tuple[str, str], Origin] = {}
    for record in records:
        try:
            place = root(record)
        except Unreadable:
            continue  # not of our making
        if is_fact(record) and not replays(record.headers):
            # The outbox is published again after a crash: the same fact, refused once more.
            told = headers_of(record)
            place = facts.setdefault((told.get("ce_source", ""), told.get("ce_id", "")), place)
        if place.topic.removesuffix(DEAD_LETTERS) + DEAD_LETTERS != record.topic:
            continue  # else a stray letter would be sent to a topic that it never came from
        case = found.setdefault(place, Case(place))
        if is_mark(record):
            case.replayed_at = _moment(record.timestamp)
            case.marks += 1
            continue
        # Letters and marks of one place share their key, and so the order of one partition.
        if case.replayed or replays(record.headers) > max((replays(x.headers) for x in case.letters), default=0):
            case.letters.clear()  # an attempt of its own
            case.replayed_at = None
        case.letters.append(record)
        case.came_ms = record.timestamp if case.came_ms is None else min(case.came_ms, record.timestamp)
    return sorted((c for c in found.values() if c.letters), key=lambda c: c.place)


@dataclass(frozen=True, slots=True)
class Filter:
    """Which cases are meant. pipeline: one that refused it; reason: part of a field or reason; since: put aside then or later."""

    pipeline: str | None = None
    reason: str | None = None
    since: datetime | None = None

    def lets(self, case: Case) -> bool:
        """Whether the case is meant: one refusal must fit pipeline and reason both."""
        if self.since is not None and case.put_aside_at() < self.since:
            return False
        wanted = (self.reason or "").casefold()
        return any(
            self.pipeline in (None, r["pipeline"]) and wanted in f"{r['field']}: {r['reason']}".casefold()
            for r in case.refusals()
        )


def parse_since(text: str, now: datetime) -> datetime:
    """`90s`, `15m`, `2h` or `7d` ago, or an RFC 3339 time with its offset. Raises ValueError."""
    ago = re.fullmatch(r"(\d{1,6})([smhd])", text, re.ASCII)
    try:
        if ago:
            return now - timedelta(**{_SPANS[ago[2]]: int(ago[1])})
        moment = datetime.fromisoformat(text)
    except OverflowError:
        raise ValueError(text) from None
    if moment.tzinfo is None:
        raise ValueError(text)
    return moment.astimezone(UTC)


def _moment(ms: int) -> datetime:
    return datetime.fromtimestamp(ms / 1000, UTC)


def _text(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds")
