"""Survey events as JSON lines, the form that `touchline nps compute` reads."""

import json
from datetime import UTC, datetime
from typing import Any, Final

import msgspec

from services.nps.domain.survey import SurveyAnswered, SurveyCorrected, SurveyEvent, SurveyRetracted

_decode: Final = msgspec.json.Decoder().decode
SURVEY: Final = frozenset({"answered", "corrected", "retracted"})
"""The types of survey events."""
_SHOWN: Final = 40
_BOM: Final = "\ufeff"
"""What some editors begin a file with, and a file appended to another brings into its middle."""


class LineError(ValueError):
    """A line that is no survey event; its text names the field and the reason."""


class OtherType(LineError):
    """A line of another type than a survey event's, which `kind` names; whatever else it holds was not looked at."""

    def __init__(self, kind: str) -> None:
        super().__init__(f"type: {kind[:_SHOWN]!a} is not a survey event")
        self.kind = kind


def read_line(line: str) -> SurveyEvent:
    """The event in one line: {"id", "source", "type", "time", "survey_id", "score", "segments", ...}. Raises LineError."""
    return survey_event(parsed(line))


def survey_event(found: dict[str, Any]) -> SurveyEvent:
    """The event that a line's fields tell of. Raises LineError."""
    kind = text(found, "type")
    if kind not in SURVEY:
        raise OtherType(kind)
    survey_id, event_id, source = text(found, "survey_id"), text(found, "id"), text(found, "source")
    # A survey stands for its customer here: lines name none, and a survey belongs to one.
    time = moment(found, "time")
    if kind == "answered":
        return SurveyAnswered(source, event_id, survey_id, survey_id, time, _score(found), segments(found))
    if kind == "corrected":
        return SurveyCorrected(source, event_id, survey_id, survey_id, time, _score(found))
    return SurveyRetracted(source, event_id, survey_id, survey_id, time)


def parsed(line: str) -> dict[str, Any]:
    """The line's fields. Raises LineError."""
    found = _json(line)
    if not isinstance(found, dict):
        raise LineError("line: is not a JSON object")
    return found


def _json(line: str) -> Any:
    """The line's JSON. msgspec reads what is usual four times as fast; what it refuses, json has the last word on."""
    try:
        return _decode(line)
    except (msgspec.MsgspecError, UnicodeEncodeError, RecursionError):
        pass
    try:
        line.encode()
        return json.loads(line.removeprefix(_BOM))
    except UnicodeEncodeError:
        raise LineError("line: is not UTF-8") from None
    except (ValueError, RecursionError):
        raise LineError("line: is not JSON") from None


def text(found: dict[str, Any], name: str) -> str:
    """The text in a line's field, which must not be empty. Raises LineError."""
    value = found.get(name)
    if not isinstance(value, str) or not value:
        raise LineError(f"{name}: is missing or not a text")
    return value


def moment(found: dict[str, Any], name: str) -> datetime:
    """The time in a line's field, in UTC. Raises LineError."""
    try:
        at = datetime.fromisoformat(text(found, name))
        if at.tzinfo is UTC:
            return at
        if at.tzinfo is None:
            raise LineError(f"{name}: has no offset from UTC")
        return at.astimezone(UTC)
    except LineError:
        raise
    except (ValueError, OverflowError):
        raise LineError(f"{name}: is not an RFC 3339 time") from None


def _score(found: dict[str, Any]) -> int:
    score = found.get("score")
    if not isinstance(score, int) or isinstance(score, bool):
        raise LineError("score: is missing or not a whole number")
    if not 0 <= score <= 10:
        raise LineError("score: is not between 0 and 10")
    return score


def segments(found: dict[str, Any]) -> tuple[tuple[str, str], ...]:
    """Dimension and value in a line's segments, sorted, those without a value left out. Raises LineError."""
    told = found.get("segments", {})
    if not isinstance(told, dict):
        raise LineError("segments: is not an object of texts")
    for dimension, value in told.items():
        if not isinstance(value, str):
            raise LineError(f"segments: its {dimension!a} is not a text")
    return tuple(sorted([item for item in told.items() if item[0] and item[1]]))
