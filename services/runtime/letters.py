"""Dead letters: a record that could not be read or decided, as it was, with the reason in its headers.

That a record was sent again is written on the same topic, as a mark that names its place: the topic alone tells what is
still to be mended, and no database has to be asked.
"""

from dataclasses import dataclass

from services.runtime.errors import Permanent, Unreadable
from services.runtime.records import Outgoing, Record
from services.runtime.topics import DEAD_LETTERS

REASON, FIELD, TOPIC, PARTITION, OFFSET, PIPELINE = (
    "dlq_reason",
    "dlq_field",
    "dlq_topic",
    "dlq_partition",
    "dlq_offset",
    "dlq_pipeline",
)
ADDED = frozenset((REASON, FIELD, TOPIC, PARTITION, OFFSET, PIPELINE))
REPLAYED = "dlq_replayed"


@dataclass(frozen=True, slots=True, order=True)
class Origin:
    """Where a dead letter's record first lay; as text `topic/partition/offset`."""

    topic: str
    partition: int
    offset: int

    def __str__(self) -> str:
        return f"{self.topic}/{self.partition}/{self.offset}"

    @classmethod
    def parse(cls, text: str) -> "Origin":
        """The inverse of `str`. Raises ValueError."""
        topic, partition, offset = text.rsplit("/", 2)
        if not (topic and _whole(partition) and _whole(offset)):
            raise ValueError(text)
        return cls(topic, int(partition), int(offset))


def _whole(text: str) -> bool:
    return text.isascii() and text.isdigit()


def dead_letter(record: Record, error: Exception, pipeline: str) -> Outgoing:
    """The record on its topic's dead letters. The reason names a field and a rule, never what the customer wrote."""
    if isinstance(error, Unreadable):
        field, reason = error.field, error.reason
    elif isinstance(error, Permanent):
        field, reason = "", str(error)
    else:
        field, reason = "", f"could not be decided: {type(error).__name__}"
    added = {
        REASON: reason,
        FIELD: field,
        TOPIC: record.topic,
        PARTITION: str(record.partition),
        OFFSET: str(record.offset),
        PIPELINE: pipeline,
    }
    headers = (*record.headers, *((name, value.encode()) for name, value in added.items()))
    return Outgoing(record.topic + DEAD_LETTERS, record.key or b"", record.value or b"", headers)


def original(letter: Record) -> Outgoing:
    """The record as it first came, to be sent again once the cause is mended. Raises Unreadable where it is no dead letter."""
    kept = tuple((name, value) for name, value in letter.headers if name not in ADDED and name != REPLAYED)
    return Outgoing(origin(letter).topic, letter.key or b"", letter.value or b"", kept)


def origin(letter: Record) -> Origin:
    """Where the letter's record lay. Raises Unreadable where it is neither a dead letter nor a mark."""
    headers = dict(letter.headers)
    topic, partition, offset = (headers.get(name, b"").decode(errors="replace") for name in (TOPIC, PARTITION, OFFSET))
    try:
        return Origin.parse(f"{topic}/{partition}/{offset}")
    except ValueError:
        raise Unreadable(TOPIC, "header is missing, or does not name a place") from None


def mark(letter: Record) -> Outgoing:
    """A record beside the letter that says: its record was sent again. Whoever looks for its place finds the same headers."""
    place = origin(letter)
    headers = {
        REPLAYED: str(place),
        REASON: "replayed",
        TOPIC: place.topic,
        PARTITION: place.partition,
        OFFSET: place.offset,
    }
    return Outgoing(letter.topic, letter.key or b"", b"", tuple((k, str(v).encode()) for k, v in headers.items()))


def is_mark(letter: Record) -> bool:
    """Whether this is a mark. A letter always names a pipeline, even where its record came with headers of these names."""
    names = {name for name, _ in letter.headers}
    return REPLAYED in names and PIPELINE not in names
