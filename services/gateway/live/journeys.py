"""Customers' stories: their last events, kept as they came and read only when somebody asks."""

from collections import deque
from dataclasses import dataclass, field
from typing import Any

from google.protobuf.message import Message
from touchline.escalation.v1.escalation_pb2 import ComplaintFlagged
from touchline.nps.v1.nps_pb2 import NpsChanged
from touchline.sentiment.v1.sentiment_pb2 import MessageScored

from services.gateway.live.rows import Bounded, trace_id
from services.gateway.live.steps import tell
from services.runtime import catalogue, records
from services.runtime.errors import Unreadable
from services.runtime.records import PROTOBUF

STEPS_KEPT = 200
CUSTOMERS_KEPT = 5000
# What the kept events may weigh together; the customers heard of longest ago are forgotten first.
BYTES_KEPT = 64 * 1024 * 1024
_OVERHEAD = 400  # of one kept event, beside its data


@dataclass(frozen=True, slots=True)
class Kept:
    """An event as it came."""

    name: tuple[str, str]  # source and id
    type: str
    time: str
    content_type: str
    value: bytes
    traceparent: str

    @property
    def weight(self) -> int:
        return _OVERHEAD + len(self.value)


@dataclass(slots=True)
class _Story:
    events: deque[Kept] = field(default_factory=deque)
    weight: int = 0


class Journeys:
    """The last events of the customers heard of last."""

    def __init__(self, customers: int = CUSTOMERS_KEPT, steps: int = STEPS_KEPT, weight: int = BYTES_KEPT) -> None:
        self._stories: Bounded[str, _Story] = Bounded(customers)
        self._customers = customers
        self._steps = steps
        self._most = weight
        self._weight = 0

    def add(self, customer_id: str, event: Kept) -> None:
        """Keeps an event, and forgets what is beyond the bounds."""
        story = self._stories.get(customer_id)
        if story is None:
            story = self._stories[customer_id] = _Story()
        else:
            self._stories.move_to_end(customer_id)
        story.events.append(event)
        added = event.weight
        if len(story.events) > self._steps:
            added -= story.events.popleft().weight
        story.weight += added
        self._weight += added
        while len(self._stories) > 1 and (self._weight > self._most or len(self._stories) > self._customers):
            _, gone = self._stories.popitem(last=False)
            self._weight -= gone.weight

    def tell(self, customer_id: str) -> dict[str, Any] | None:
        """The customer's story, oldest step first; None where nothing is known."""
        story = self._stories.get(customer_id)
        if story is None:
            return None
        told: dict[str, Any] = {"customer_id": customer_id, "mood": None, "nps": None, "risk": None, "steps": []}
        once = {event.name: event for event in story.events}
        places: dict[str, tuple[str | None, str | None]] = {}
        for event in sorted(once.values(), key=_moment):
            message = _read(event)
            if message is None:
                continue
            _figures(told, message)
            step = tell(message)
            if step is not None:
                contact_id = getattr(message, "contact_id", "")
                # What a contact's first events tell holds for its later ones, which don't repeat it.
                channel, touchpoint = places.get(contact_id, (None, None))
                place = (step.channel or channel, step.touchpoint or touchpoint)
                if contact_id:
                    places[contact_id] = place
                told["steps"].append(
                    {
                        "at": event.time,
                        "kind": step.kind,
                        "zh": step.zh,
                        "en": step.en,
                        "polarity": step.polarity,
                        "label": step.label,
                        "names": step.names,
                        "speaker": step.speaker,
                        "channel": place[0],
                        "touchpoint": place[1],
                        "contact_id": contact_id or None,
                        "trace_id": trace_id(event.traceparent),
                    }
                )
        return told


def _moment(event: Kept) -> float:
    try:
        return records.parse_time(event.time).timestamp()
    except Unreadable:
        return 0.0


def _figures(told: dict[str, Any], message: Message) -> None:
    if isinstance(message, MessageScored):
        told["mood"] = message.customer_mood
    elif isinstance(message, NpsChanged):
        told["nps"] = message.after if message.HasField("after") else None
    elif isinstance(message, ComplaintFlagged):
        told["risk"] = message.risk


def _read(event: Kept) -> Message | None:
    known = catalogue.by_name().get(event.type)
    if known is None:
        return None
    try:
        return records.decode(known.message, event.content_type or PROTOBUF, event.value)
    except Unreadable:
        return None  # it is among the dead letters, with the reason
