"""Survey events as JSON lines, the form that `touchline nps compute` reads."""

import json
from datetime import UTC, datetime
from typing import Any

from services.nps.domain.survey import Event, SurveyAnswered, SurveyCorrected, SurveyRetracted


class LineError(ValueError):
    """A line that is no survey event; its text names the field and the reason."""


def read_line(line: str) -> Event:
    """The event in one line: {"id", "source", "type", "time", "survey_id", "score", "segments", ...}. Raises LineError."""
    try:
        line.encode()
        found = json.loads(line)
    except UnicodeEncodeError:
        raise LineError("line: is not UTF-8") from None
    except (ValueError, RecursionError):
        raise LineError("line: is not JSON") from None
    if not isinstance(found, dict):
        raise LineError("line: is not a JSON object")
    survey_id, event_id, source = (_text(found, name) for name in ("survey_id", "id", "source"))
    # A survey stands for its customer here: lines name none, and a survey belongs to one.
    base = source, event_id, survey_id, survey_id, _time(found)
    match found.get("type"):
        case "answered":
            return SurveyAnswered(*base, score=_score(found), segments=_segments(found))
        case "corrected":
            return SurveyCorrected(*base, score=_score(found))
        case "retracted":
            return SurveyRetracted(*base)
    raise LineError("type: is none of answered, corrected, retracted")


def _text(found: dict[str, Any], name: str) -> str:
    value = found.get(name)
    if not isinstance(value, str) or not value:
        raise LineError(f"{name}: is missing or not a text")
    return value


def _time(found: dict[str, Any]) -> datetime:
    try:
        moment = datetime.fromisoformat(_text(found, "time"))
        if moment.tzinfo is None:
            raise LineError("time: has no offset from UTC")
        return moment.astimezone(UTC)
    except LineError:
        raise
    except (ValueError, OverflowError):
        raise LineError("time: is not an RFC 3339 time") from None


def _score(found: dict[str, Any]) -> int:
    score = found.get("score")
    if not isinstance(score, int) or isinstance(score, bool):
        raise LineError("score: is missing or not a whole number")
    if not 0 <= score <= 10:
        raise LineError("score: is not between 0 and 10")
    return score


def _segments(found: dict[str, Any]) -> tuple[tuple[str, str], ...]:
    segments = found.get("segments", {})
    if not isinstance(segments, dict) or not all(isinstance(v, str) for v in segments.values()):
        raise LineError("segments: is not an object of texts")
    return tuple(sorted((k, v) for k, v in segments.items() if k and v))
