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
REPLAYED = "dlq_replayed"
BYTES = "dlq_bytes"
RESERVED = frozenset((REASON, FIELD, TOPIC, PARTITION, OFFSET, PIPELINE, REPLAYED, BYTES))

# A record just below Kafka's limit would be above it with our headers, and its letter would hold up everything behind it.
LARGEST_LETTER = 900_000
_NAMES = ("ce_id", "ce_source", "ce_type", "ce_time", "ce_subject", "content-type")
_NAME_KEPT = 200


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
    """The record on its topic's dead letters. The reason names a field and a rule, never what the customer wrote.

    Of a record that is too large for a letter only its names are kept, and its size; the record itself lies at its place.
    """
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
    key, value = record.key or b"", record.value or b""
    headers = tuple((name, text) for name, text in record.headers if name not in RESERVED)
    size = len(key) + len(value) + sum(len(name) + len(text or b"") for name, text in headers)
    if size > LARGEST_LETTER:
        names = dict(headers)
        headers = tuple((name, names[name][:_NAME_KEPT]) for name in _NAMES if names.get(name))
        key, value = key if len(key) <= _NAME_KEPT else b"", b""
        added[BYTES] = str(size)
    headers += tuple((name, text.encode()) for name, text in added.items())
    return Outgoing(record.topic + DEAD_LETTERS, key, value, headers)


def refused_fact(fact: Outgoing, error: Permanent, pipeline: str) -> Outgoing:
    """A letter in the place of a fact that Kafka never takes: its names and the reason. It has no place of its own to be read at."""
    names = dict(fact.headers)
    kept = tuple((name, names[name][:_NAME_KEPT]) for name in _NAMES if names.get(name))
    added = {REASON: str(error), PIPELINE: pipeline, BYTES: str(len(fact.value))}
    return Outgoing(
        fact.topic.removesuffix(DEAD_LETTERS) + DEAD_LETTERS,
        fact.key[:_NAME_KEPT],
        b"",
        (*kept, *((name, text.encode()) for name, text in added.items())),
    )


def original(letter: Record) -> Outgoing:
    """The record as it first came, to be sent again once the cause is mended. Raises Unreadable where it is no dead letter, or does not hold it."""
    if BYTES in dict(letter.headers):
        raise Unreadable(BYTES, "the record was too large for a letter; it lies at its place while its topic keeps it")
    kept = tuple((name, value) for name, value in letter.headers if name not in RESERVED)
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
