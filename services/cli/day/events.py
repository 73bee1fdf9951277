"""CloudEvents as channels send them: structured JSON, proto3 JSON data, ids that the seed fixes."""

from datetime import UTC, datetime
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from services.cli.day.model import CloudEvent, ContactPlan, SeatPlan, Shopper

SOURCES = {
    "app": "/channels/app",
    "微信": "/channels/wechat",
    "phone": "/channels/phone",
    "web": "/channels/web",
    "shop": "/systems/shop",
    "survey": "/systems/survey",
    "desk": "/systems/desk",
    "seats": "/systems/workforce",
}


def stamp(moment: datetime) -> str:
    """RFC 3339 in UTC with milliseconds."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def event(
    kind: str,
    *,
    seed: int,
    name: str,
    origin: str,
    subject: str,
    time: datetime,
    data: dict[str, Any],
    traceparent: str = "",
) -> CloudEvent:
    """One event. kind: such as "contact.ContactRequested"; name: what is unique about it within the day."""
    made: CloudEvent = {
        "specversion": "1.0",
        "id": str(uuid5(NAMESPACE_URL, f"touchline-day/{seed}/{kind}/{name}")),
        "source": SOURCES[origin],
        "type": f"touchline.{kind}.v1",
        "subject": subject,
        "time": stamp(time),
        "datacontenttype": "application/json",
        "data": data,
    }
    if traceparent:
        made["traceparent"] = traceparent
    return made


def requested(plan: ContactPlan) -> dict[str, Any]:
    """ContactRequested's data."""
    who = plan.shopper
    return {
        "contactId": plan.contact_id,
        "channel": plan.channel,
        "touchpoint": plan.touchpoint,
        "topic": plan.topic,
        "language": who.language,
        "customer": {"tier": who.tier, "vulnerable": who.vulnerable, "region": who.region, "store": who.store},
        "wantsHuman": plan.wants_human,
    }


def said(plan: ContactPlan, speaker: str, text: str, seat_id: str = "") -> dict[str, Any]:
    """MessageReceived's data. speaker: "CUSTOMER", "BOT" or "SEAT"."""
    data = {
        "contactId": plan.contact_id,
        "speaker": f"SPEAKER_{speaker}",
        "text": text,
        "channel": plan.channel,
        "touchpoint": plan.touchpoint,
        "language": plan.shopper.language,
    }
    return {**data, "seatId": seat_id} if seat_id else data


def answered(plan: ContactPlan, survey_id: str, score: int, comment: str) -> dict[str, Any]:
    """SurveyAnswered's data."""
    segments = {
        "region": plan.shopper.region,
        "store": plan.shopper.store,
        "channel": plan.channel,
        "touchpoint": plan.touchpoint,
        "product": plan.product,
    }
    data = {"surveyId": survey_id, "score": score, "segments": segments, "contactId": plan.contact_id}
    return {**data, "comment": comment} if comment else data


def signed_in(seat: SeatPlan) -> dict[str, Any]:
    """SeatSignedIn's data."""
    return {
        "pool": seat.pool,
        "seatId": seat.seat_id,
        "skills": dict(seat.skills),
        "capacity": seat.capacity,
        "languages": list(seat.languages),
    }


def order_placed(who: Shopper, order_id: str, product: str, amount_cents: int, promised: datetime) -> dict[str, Any]:
    """OrderPlaced's data; int64 is text in proto3's JSON."""
    return {
        "orderId": order_id,
        "product": product,
        "store": who.store,
        "amountCents": str(amount_cents),
        "promisedAt": stamp(promised),
    }
