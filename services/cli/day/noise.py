"""What goes wrong on the way in: records that nobody can read, and events that the door must refuse."""

from collections.abc import Callable
from random import Random

from services.cli.day.events import event, stamp
from services.cli.day.model import Day, Outside, Unreadable, dice

TOUCHPOINTS = "touchpoint.events"
# A length that promises more than follows: no protobuf message can begin so.
TRUNCATED = b"\x0a\x28touch"
TYPES = (
    "touchline.survey.SurveyAnswered.v1",
    "touchline.contact.MessageReceived.v1",
    "touchline.contact.ContactRequested.v1",
    "touchline.order.OrderPlaced.v1",
    "touchline.ticket.TicketOpened.v1",
)
KINDS = ("truncated_protobuf", "broken_json", "missing_id", "unknown_type", "absurd_time", "no_headers")


def unreadable(day: Day, count: int) -> tuple[Unreadable, ...]:
    """`count` records for touchpoint.events that no service can read, each kind in turn, spread over the day."""
    roll = dice(day.seed, "unreadable")
    return tuple(_record(day, roll, i, KINDS[i % len(KINDS)]) for i in range(count))


def _record(day: Day, roll: Random, i: int, kind: str) -> Unreadable:
    at = roll.uniform(day.window.at(0.02), day.window.at(0.98))
    headers = {
        "ce_specversion": "1.0",
        "ce_id": f"bad-{day.seed}-{i}",
        "ce_source": "/channels/legacy",
        "ce_type": "touchline.weather.RainStarted.v1" if kind == "unknown_type" else roll.choice(TYPES),
        "ce_time": "1899-12-31T00:00:00Z" if kind == "absurd_time" else stamp(day.moment(at)),
        "ce_subject": f"legacy-{i}",
        "content-type": "application/protobuf" if kind == "truncated_protobuf" else "application/json",
    }
    if kind == "missing_id":
        del headers["ce_id"]
    value = {"truncated_protobuf": TRUNCATED, "broken_json": b'{"surveyId": "s-1", "score": '}.get(kind, b"{}")
    kept = () if kind == "no_headers" else tuple((k, v.encode()) for k, v in headers.items())
    return Unreadable(at, kind, TOUCHPOINTS, f"legacy-{i}".encode(), value, kept)


_BREAK: tuple[Callable[[dict[str, object], dict[str, object]], object], ...] = (
    lambda e, d: d.update(score=11),
    lambda e, d: d.pop("surveyId"),
    lambda e, d: d.update(score="elf"),
    lambda e, d: e.update(type="touchline.survey.SurveyGuessed.v1"),
    lambda e, d: e.update(time="yesterday"),
    lambda e, d: d.update(speed=3),
)


def refused(day: Day, count: int) -> tuple[Outside, ...]:
    """`count` survey events that the gateway must refuse, each for a reason of its own in turn."""
    roll = dice(day.seed, "refused")
    made = []
    for i in range(count):
        at = roll.uniform(day.window.at(0.02), day.window.at(0.98))
        data: dict[str, object] = {"surveyId": f"refused-{day.seed}-{i}", "score": 5}
        bad = event(
            "survey.SurveyAnswered",
            seed=day.seed,
            name=f"refused-{i}",
            origin="survey",
            subject=f"legacy-{i}",
            time=day.moment(at),
            data=data,
        )
        _BREAK[i % len(_BREAK)](bad, data)
        made.append(Outside(at, bad))
    return tuple(made)
