"""What a file of events says: the answers that stand with their comments, contacts, and who promised what."""

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from services.nps.domain import actions
from services.nps.domain.actions import Action, ActionDone, ActionDropped, ActionPromised
from services.nps.domain.figures import Figure
from services.nps.domain.repeats import Chained, Contact, chain
from services.nps.domain.survey import Segments, Survey, SurveyAnswered, merge, standing
from services.nps.domain.tally import Tally
from services.nps.lines import SURVEY, LineError, moment, parsed, segments, survey_event, text
from services.nps.report.remark import Reader, Remark

ACTION: Final = frozenset({"promised", "done", "dropped"})
TYPES: Final = (*sorted(SURVEY), "contacted", *sorted(ACTION), "owned")


@dataclass(frozen=True, slots=True)
class Said:
    """An answer that stands, with its comment as it was written. remark: what it says, where it was read before."""

    survey_id: str
    time: datetime
    score: int
    segments: Segments
    comment: str
    remark: Remark | None = None


@dataclass(frozen=True, slots=True)
class Contacted:
    """A customer got in touch. stage: what it was about, where the channel knows; else `text` says."""

    contact_id: str
    customer_id: str
    time: datetime
    segments: Segments
    text: str
    stage: str


@dataclass(frozen=True, slots=True)
class Owned:
    """From `time` on, `owner` answers for what these segments name: a stage or an area, a region, a store group, …"""

    event_id: str
    time: datetime
    owner: str
    segments: Segments


@dataclass(frozen=True, slots=True)
class Source:
    """A file that was read: its name, its size in bytes, the SHA-256 of what it holds."""

    name: str
    size: int
    sha256: str


@dataclass(slots=True)
class Book:
    """Everything that was read, by kind, and how many lines of each there were.

    lines: by type of event; "blank", "rejected" and "duplicate" for those that are none. tally: the same answers, counted on another way.
    """

    lines: Counter[str] = field(default_factory=Counter)
    read: int = 0
    rejected: list[tuple[int, str]] = field(default_factory=list)
    sources: list[Source] = field(default_factory=list)
    tally: Tally = field(default_factory=Tally)
    _surveys: dict[str, Survey] = field(default_factory=dict)
    _comments: dict[tuple[str, str, str], str] = field(default_factory=dict)
    _contacts: dict[str, Contacted] = field(default_factory=dict)
    _actions: list[actions.Event] = field(default_factory=list)
    _owned: list[Owned] = field(default_factory=list)
    _seen: set[tuple[str, str]] = field(default_factory=set)

    @property
    def surveys(self) -> int:
        """Surveys that were heard of."""
        return len(self._surveys)

    @property
    def withdrawn(self) -> int:
        """Surveys that were retracted."""
        return sum(s.retracted for s in self._surveys.values())

    @property
    def unanswered(self) -> int:
        """Surveys that were corrected but never answered, and not retracted."""
        return sum(s.answer is None and not s.retracted for s in self._surveys.values())

    def standing(self) -> list[Said]:
        """The answers that stand, by time, then survey."""
        found = []
        for survey_id, survey in self._surveys.items():
            now = standing(survey)
            if now is not None and survey.answer is not None:
                comment = self._comments.get((survey_id, survey.answer.source, survey.answer.event_id), "")
                found.append(Said(survey_id, now.answered_at, now.score, now.segments, comment))
        return sorted(found, key=lambda s: (s.time, s.survey_id))

    def counted(self) -> Figure:
        """The answers that stand, counted on another way."""
        return self.tally.all()

    def contacts(self) -> list[Contacted]:
        """All contacts, by time, then id; told twice, the later event counts."""
        return sorted(self._contacts.values(), key=lambda c: (c.time, c.contact_id))

    def chained(self, scope: Segments, reader: Reader) -> list[Chained]:
        """The contacts of a scope, each with what it repeats."""
        mine = [c for c in self.contacts() if set(scope) <= set(c.segments)]
        read = reader.read([c.text for c in mine])
        return chain(
            Contact(c.contact_id, c.customer_id, c.time, (c.stage,) if c.stage else (*r.complains, *r.praises))
            for c, r in zip(mine, read, strict=True)
        )

    def actions(self, until: datetime) -> list[Action]:
        """The promised actions as they stood then, by when they were promised."""
        known = actions.actions(e for e in self._actions if e.time < until).values()
        return sorted((a for a in known if a.promised_at), key=lambda a: (a.promised_at, a.action_id))

    def owners(self) -> list[Owned]:
        """Who answers for what, the latest word first."""
        return sorted(self._owned, key=lambda o: (o.time, o.event_id), reverse=True)

    def take(self, line: str) -> None:
        """Takes one line in; one that can't be read is kept with its reason."""
        self.read += 1
        if not line.strip():
            self.lines["blank"] += 1
            return
        try:
            kind = self._take(line)
        except LineError as error:
            self.rejected.append((self.read, str(error)))
            kind = "rejected"
        self.lines[kind] += 1

    def _take(self, line: str) -> str:
        found = parsed(line)
        kind = found.get("type")
        if isinstance(kind, str) and kind in SURVEY:
            return self._survey(found, kind)
        readers: dict[Any, Callable[[dict[str, Any]], Callable[[], None]]] = {
            "contacted": self._contact, "owned": self._owner, **dict.fromkeys(ACTION, self._action),
        }  # fmt: skip
        reader = readers.get(kind) if isinstance(kind, str) else None
        if reader is None:
            raise LineError(f"type: is none of {', '.join(TYPES)}")
        name = text(found, "source"), text(found, "id")
        keep = reader(found)
        if name in self._seen:
            return "duplicate"
        self._seen.add(name)
        keep()
        return str(kind)

    def _survey(self, found: dict[str, Any], kind: str) -> str:
        event = survey_event(found)
        comment = found.get("comment", "")
        if not isinstance(comment, str):
            raise LineError("comment: is not a text")
        name = event.source, event.event_id
        if name in self._seen:
            return "duplicate"
        self._seen.add(name)
        self.tally.add(event)
        self._surveys[event.survey_id] = merge(self._surveys.get(event.survey_id), event)
        if isinstance(event, SurveyAnswered) and comment.strip():
            self._comments[event.survey_id, event.source, event.event_id] = comment.strip()
        return kind

    def _contact(self, found: dict[str, Any]) -> Callable[[], None]:
        one = Contacted(
            text(found, "contact_id"), text(found, "customer_id"), moment(found, "time"), segments(found),
            _optional(found, "text"), _optional(found, "stage"),
        )  # fmt: skip

        def keep() -> None:
            known = self._contacts.get(one.contact_id)
            if known is None or (known.time, known.text) <= (one.time, one.text):
                self._contacts[one.contact_id] = one

        return keep

    def _action(self, found: dict[str, Any]) -> Callable[[], None]:
        source, event_id, action_id = text(found, "source"), text(found, "id"), text(found, "action_id")
        time = moment(found, "time")
        event: actions.Event
        if found["type"] == "promised":
            due = moment(found, "due_at") if found.get("due_at") is not None else None
            owner, promise = text(found, "owner"), text(found, "promise")
            event = ActionPromised(source, event_id, action_id, time, owner, promise, segments(found), due, _aim(found))
        elif found["type"] == "done":
            event = ActionDone(source, event_id, action_id, time, _optional(found, "outcome"))
        else:
            event = ActionDropped(source, event_id, action_id, time, _optional(found, "reason"))
        return lambda: self._actions.append(event)

    def _owner(self, found: dict[str, Any]) -> Callable[[], None]:
        one = Owned(text(found, "id"), moment(found, "time"), text(found, "owner"), segments(found))
        return lambda: self._owned.append(one)


def read(files: Sequence[Path]) -> Book:
    """Everything in these files of JSON lines, in order. Raises OSError."""
    book = Book()
    for file in files:
        digest, size = hashlib.sha256(), 0
        with file.open("rb") as lines:
            for raw in lines:  # ends with a line feed only: JSON text may hold what Python takes for other line ends
                digest.update(raw)
                size += len(raw)
                book.take(raw.decode("utf-8", errors="surrogateescape"))
        book.sources.append(Source(file.name, size, digest.hexdigest()))
    return book


def owner_of(owners: Iterable[Owned], named: Segments) -> str:
    """Who answers for what is named so: the one told most narrowly, then latest; "" where nobody was told.

    named: the stage, its area, and the place, as segments.
    """
    fitting = [(len(o.segments), o.time, o.event_id, o.owner) for o in owners if set(o.segments) <= set(named)]
    return max(fitting)[3] if fitting else ""


def _optional(found: dict[str, Any], name: str) -> str:
    value = found.get(name, "")
    if not isinstance(value, str):
        raise LineError(f"{name}: is not a text")
    return value


def _aim(found: dict[str, Any]) -> float:
    aim = found.get("aim", actions.AIM)
    if isinstance(aim, bool) or not isinstance(aim, int | float) or not 0 < aim <= 200:
        raise LineError("aim: is not a number of points above 0, up to 200")
    return float(aim)
