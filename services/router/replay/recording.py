"""Reads a recorded period of our own topics: JSON lines as `touchline events tail` prints them, or CloudEvents in JSON."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
from google.protobuf.message import Message
from touchline.router.v1 import events_pb2 as wire

from services.router import codec
from services.router.codec import moment
from services.router.domain import events
from services.router.domain.events import ContactRequested, Known, OfferEvent, SeatEvent, SeatSignedIn
from services.router.domain.facts import BOT
from services.router.domain.simulation.distributions import Quantiles, quantiles
from services.router.domain.simulation.period import GRID, BotDid, BotPart, Period, Rings, Visit
from services.runtime import catalogue
from services.runtime.errors import Unreadable
from services.runtime.records import Incoming, parse_time
from services.runtime.validate import parse_json

_WANTED = ("touchline.contact.", "touchline.seat.", "touchline.router.")


class RecordingError(ValueError):
    """The recording can't be read; the message names line and field."""


@dataclass(frozen=True, slots=True)
class Recording:
    """What was read."""

    period: Period
    contacts_left_out: int
    """Contacts whose request is not in the recording."""
    seats_taken_as_there: int
    """Seats that were on duty before it begins: their skills are those of what they took."""


@dataclass(slots=True)
class _Contact:
    """What is said of one contact, in the order in which it happened."""

    request: ContactRequested | None = None
    triaged: list[wire.ContactTriaged] = field(default_factory=list)
    queued: wire.ContactQueued | None = None
    offers: dict[int, wire.ContactOffered] = field(default_factory=dict)
    accepted: wire.ContactAccepted | None = None
    closed: wire.ContactClosed | None = None
    said: list[events.CustomerEvent] = field(default_factory=list)


@dataclass(slots=True)
class _Heard:
    contacts: dict[str, _Contact] = field(default_factory=lambda: defaultdict(_Contact))
    seats: list[SeatEvent] = field(default_factory=list)
    rung: list[float] = field(default_factory=list)
    returned: list[str] = field(default_factory=list)
    begins: datetime | None = None


def read(path: Path) -> Recording:
    """Read a recording from a file. Raises RecordingError."""
    try:
        with path.open(encoding="utf-8-sig") as file:
            return read_lines(file, str(path))
    except UnicodeDecodeError:
        raise RecordingError(f"{path}: is not UTF-8") from None
    except OSError as error:
        raise RecordingError(f"{path}: can't be read: {error.strerror}") from None


def read_lines(lines: Iterable[str], name: str) -> Recording:
    """Read a recording line by line; `name` is what it is called in errors. Raises RecordingError."""
    heard, seen = _Heard(), set()
    for incoming in sorted(_events(lines, name), key=lambda event: event.time):
        named = (incoming.source, incoming.event_id)
        if named not in seen:  # facts are published at least once
            seen.add(named)
            _hear(heard, incoming)
    visits, left_out = [], 0
    for contact in heard.contacts.values():
        visit = _visit(contact)
        left_out += visit is None
        if visit is not None:
            visits.append(visit)
    if not visits:
        raise RecordingError(f"{name}: holds no ContactRequested and no ContactTriaged: nobody came")
    if not any(v.service_s is not None for v in visits):
        raise RecordingError(
            f"{name}: no contact has both ContactAccepted and ContactClosed: nothing tells how long seats serve"
            " (record routing.decided as well)"
        )
    visits.sort(key=lambda visit: visit.request.time)
    there = _already_there(heard)
    seats = sorted([*there, *heard.seats], key=lambda event: event.time)
    return Recording(Period(tuple(visits), tuple(seats), _rings(heard)), left_out, len(there))


def _events(lines: Iterable[str], name: str) -> Iterator[Incoming]:
    for number, line in enumerate(lines, 1):
        if line.strip():
            try:
                incoming = _event(line)
            except Unreadable as error:
                raise RecordingError(f"{name}: line {number}: {error}") from None
            if incoming is not None:
                yield incoming


def _event(line: str) -> Incoming | None:
    """One line; None where it is no event of contacts, seats or routing. Raises Unreadable."""
    try:
        told = json.loads(line)
    except (ValueError, RecursionError):
        raise Unreadable("line", "is not JSON") from None
    if not isinstance(told, dict):
        raise Unreadable("line", "is not a JSON object")
    headers = told.get("headers")
    if isinstance(headers, dict):
        named = {name: _text(headers, f"ce_{name}") for name in _NAMES}
    else:
        named = {name: _text(told, name) for name in _NAMES}  # a CloudEvent in JSON
    if not named["type"].startswith(_WANTED):
        return None
    kind = catalogue.by_name().get(named["type"])
    if kind is None:
        raise Unreadable("type", f"{named['type'][:60]} is not known")
    data = told.get("data")
    if not isinstance(data, dict):
        raise Unreadable("data", "is not an object")
    message = parse_json(kind.message, json.dumps(data).encode())
    key = getattr(message, kind.key_field) if kind.key_field else named["subject"]
    return Incoming(
        named["id"], named["source"], kind.name, named["subject"], key, parse_time(named["time"]), message, ""
    )


_NAMES = ("type", "id", "source", "time", "subject")


def _text(of: Mapping[str, Any], name: str) -> str:
    value = of.get(name, "" if name.endswith("subject") else None)
    if not isinstance(value, str):
        raise Unreadable(name, "is missing" if value is None else "is not a text")
    return value


def _hear(heard: _Heard, incoming: Incoming) -> None:
    message: Message = incoming.message
    heard.begins = heard.begins or incoming.time
    match message:
        case wire.ContactTriaged():
            heard.contacts[message.contact_id].triaged.append(message)
        case wire.ContactQueued():
            contact = heard.contacts[message.contact_id]
            contact.queued = contact.queued or message
        case wire.ContactOffered():
            heard.contacts[message.contact_id].offers[message.token] = message
        case wire.OfferReturned():
            heard.returned.append(message.reason)
        case wire.ContactAccepted():
            contact = heard.contacts[message.contact_id]
            contact.accepted = contact.accepted or message
            offer = contact.offers.get(message.token)
            if offer is not None:
                heard.rung.append(max(0.0, _s(offer.offered_at, message.accepted_at)))
        case wire.ContactClosed():
            heard.contacts[message.contact_id].closed = message
        case _ if incoming.type.startswith("touchline.contact."):
            _said(heard, codec.to_triage(incoming))
        case _ if incoming.type.startswith("touchline.seat."):
            done = codec.to_assignment(incoming)
            if isinstance(done, SeatEvent) and not isinstance(done, OfferEvent):
                heard.seats.append(done)
        case _:
            pass


def _said(heard: _Heard, said: events.CustomerEvent | None) -> None:
    if isinstance(said, ContactRequested):
        contact = heard.contacts[said.contact_id]
        contact.request = contact.request or said
    elif said is not None and not isinstance(said, events.MessageReceived):
        heard.contacts[said.contact_id].said.append(said)


def _visit(contact: _Contact) -> Visit | None:
    first = contact.triaged[0] if contact.triaged else None
    request = contact.request or (None if first is None else _request(first))
    if request is None:
        return None
    if first is not None:
        request = replace(request, known=_known(first))
    closed, accepted = contact.closed, contact.accepted
    left = closed is not None and closed.outcome == wire.OUTCOME_ABANDONED and closed.pool != BOT
    served = accepted is not None and closed is not None and closed.outcome == wire.OUTCOME_HUMAN
    waited = accepted.waited_ms / 1000 if accepted is not None else None
    if closed is not None and accepted is None and left:
        waited = closed.waited_ms / 1000
    return Visit(
        request,
        bot=_bot(contact),
        service_s=max(0.0, _s(accepted.accepted_at, closed.closed_at)) if served and accepted and closed else None,
        waited_s=waited,
        abandoned=accepted is None and left,
        said=tuple(event for event in contact.said if not isinstance(event, _SIMULATED)),
        pool=closed.pool if closed is not None else (contact.triaged[-1].pool if contact.triaged else ""),
    )


_SIMULATED = (events.HandoverRequested, events.ContactEnded, events.ContactAbandoned)
"""What the simulation lets happen by itself."""


def _bot(contact: _Contact) -> BotPart | None:
    """What the bot did; None where it never had the contact, or still has it."""
    if not contact.triaged:
        return _bot_by_hearsay(contact)
    first, closed = contact.triaged[0], contact.closed
    if first.pool != BOT:
        return None
    if len(contact.triaged) > 1:
        then = contact.triaged[-1]
        after = _s(first.decided_at, then.decided_at)
        return BotPart(BotDid.HANDED_OVER, max(0.0, after), then.inputs.handover, _known(then))
    if closed is None or closed.pool != BOT:
        return None
    did = BotDid.ABANDONED if closed.outcome == wire.OUTCOME_ABANDONED else BotDid.ENDED
    return BotPart(did, max(0.0, _s(first.decided_at, closed.closed_at)))


def _bot_by_hearsay(contact: _Contact) -> BotPart | None:
    """The same where only the customers' events were recorded."""
    if contact.request is None:
        return None
    for event in contact.said:
        after = max(0.0, (event.time - contact.request.time).total_seconds())
        if isinstance(event, events.HandoverRequested):
            return BotPart(BotDid.HANDED_OVER, after, event.reason)
        if isinstance(event, events.ContactEnded | events.ContactAbandoned):
            did = BotDid.ENDED if isinstance(event, events.ContactEnded) else BotDid.ABANDONED
            return BotPart(did, after)
    return None


def _known(triaged: wire.ContactTriaged) -> Known:
    seen = triaged.inputs
    return Known(
        mood=seen.mood if seen.HasField("mood") else None,
        nps_score=seen.nps_score if seen.HasField("nps_score") else None,
        risk=seen.risk if seen.HasField("risk") else None,
        missing=tuple(seen.missing),
    )


def _request(triaged: wire.ContactTriaged) -> ContactRequested:
    """The request as the decision recorded it, where the request itself was not."""
    seen = triaged.inputs
    return ContactRequested(
        event_id=triaged.contact_id, source="recording", time=moment(triaged.requested_at),
        customer_id=triaged.customer_id, contact_id=triaged.contact_id, channel=seen.channel,
        touchpoint=seen.touchpoint, topic=seen.topic, language=seen.language, tier=seen.tier,
        vulnerable=seen.vulnerable, wants_human=seen.wants_human,
    )  # fmt: skip


def _already_there(heard: _Heard) -> list[SeatSignedIn]:
    """A sign-in for each seat that took offers before it signed in: able to do what it took."""
    signed_in: dict[tuple[str, str], datetime] = {}
    for event in heard.seats:
        if isinstance(event, SeatSignedIn):
            signed_in.setdefault((event.pool, event.seat_id), event.time)
    skills: dict[tuple[str, str], dict[str, int]] = {}
    for contact in heard.contacts.values():
        for offer in contact.offers.values():
            seat = (offer.pool, offer.seat_id)
            if seat not in signed_in or signed_in[seat] > moment(offer.offered_at):
                able = skills.setdefault(seat, {})
                for name, level in (contact.queued.skills if contact.queued is not None else {}).items():
                    able[name] = max(level, able.get(name, 0))
    begins = heard.begins
    return [
        SeatSignedIn(
            event_id=f"{seat_id}/there", source="recording", time=begins, pool=pool, seat_id=seat_id, skills=able
        )
        for (pool, seat_id), able in sorted(skills.items())
        if begins is not None
    ]


def _rings(heard: _Heard) -> Rings:
    declined, missed = heard.returned.count("declined"), heard.returned.count("timeout")
    every = max(1, len(heard.rung) + declined + missed)
    taken: Iterable[float] = heard.rung
    return Rings(
        quantiles(np.array(taken), GRID) if heard.rung else Quantiles((0.0,)), declined / every, missed / every
    )


def _s(start: Any, end: Any) -> float:
    return float((moment(end) - moment(start)).total_seconds())
