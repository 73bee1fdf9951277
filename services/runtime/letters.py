"""Dead letters: a record that could not be read or decided, as it was, with the reason in its headers.

That a record was sent again is written on the same topic, as a mark that names its place: the topic alone tells what is
still to be mended, and no database has to be asked. A record that is sent again carries where it first lay and how often
it was sent: the letter that it may become again belongs to the first one, and nothing grows.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from opentelemetry import context as otel_context

from services.runtime.errors import Permanent, Unreadable
from services.runtime.records import Headers, Outgoing, Record
from services.runtime.telemetry import context_of
from services.runtime.topics import DEAD_LETTERS

log = logging.getLogger(__name__)

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
# Where the record first lay and how often it was sent again: the two that travel with the record itself.
FIRST, REPLAYS = "dlq_first", "dlq_replays"
RESERVED = frozenset((REASON, FIELD, TOPIC, PARTITION, OFFSET, PIPELINE, REPLAYED, BYTES, FIRST, REPLAYS))

# The field of an Unreadable whose record's headers the client could not give us: there is nothing to send again from.
HEADERS = "headers"

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
    A log line tells of it, in the trace that the record belongs to.
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
    sent_before = replays(record.headers)
    if sent_before:
        added[FIRST], added[REPLAYS] = str(first(record.headers)), str(sent_before)
    told = {"pipeline": pipeline, "place": str(Origin(record.topic, record.partition, record.offset))}
    with about(record.headers):
        log.warning("put aside", extra={"fields": {**told, "field": field, "reason": reason, "replays": sent_before}})
    if field == HEADERS:
        added[BYTES] = str(size)
    if size > LARGEST_LETTER:
        names = dict(headers)
        headers = tuple((name, names[name][:_NAME_KEPT]) for name in _NAMES if names.get(name))
        key, value = key if len(key) <= _NAME_KEPT else b"", b""
        added[BYTES] = str(size)
    headers += tuple((name, text.encode()) for name, text in added.items())
    return Outgoing(record.topic + DEAD_LETTERS, key, value, headers)


def refused_fact(fact: Outgoing, error: Permanent, pipeline: str, *, whole: bool = False) -> Outgoing:
    """A letter in the place of a fact that Kafka does not take.

    whole: with the fact itself, to be sent again once its topic takes it; else its names and the reason, which always fit.
    The letter's own place stands for the fact, for it never had one.
    """
    names = dict(fact.headers)
    if whole and not fact.topic.endswith(DEAD_LETTERS):
        headers = tuple((name, value) for name, value in fact.headers if name not in RESERVED)
        said = ((REASON, str(error).encode()), (PIPELINE, pipeline.encode()))
        return Outgoing(fact.topic + DEAD_LETTERS, fact.key, fact.value, (*headers, *said))
    kept = tuple((name, names[name][:_NAME_KEPT]) for name in _NAMES if names.get(name))
    # A dead letter that was refused itself still says whose it is.
    kept += tuple((name, names[name]) for name in (TOPIC, PARTITION, OFFSET, FIRST, REPLAYS) if name in names)
    added = {REASON: str(error), PIPELINE: pipeline, BYTES: str(len(fact.value))}
    return Outgoing(
        fact.topic.removesuffix(DEAD_LETTERS) + DEAD_LETTERS,
        fact.key[:_NAME_KEPT],
        b"",
        (*kept, *((name, text.encode()) for name, text in added.items())),
    )


def is_fact(letter: Record) -> bool:
    """Whether this is the letter of a fact that Kafka did not take, and not of a record."""
    names = {name for name, _ in letter.headers}
    return PIPELINE in names and REASON in names and TOPIC not in names


def original(letter: Record) -> Outgoing:
    """The record as it first came, to be sent again once the cause is mended, and how often that was done.

    Raises Unreadable where it is no dead letter, or does not hold it.
    """
    headers = dict(letter.headers)
    place = origin(letter)
    if BYTES in headers:
        if is_fact(letter):
            raise Unreadable(BYTES, "Kafka took no more of the fact than its names; its decision stands all the same")
        why = "headers cannot be read" if headers.get(FIELD) == HEADERS.encode() else "was too large for a letter"
        raise Unreadable(BYTES, f"the record {why}; it lies at its place while its topic keeps it")
    kept = tuple((name, value) for name, value in letter.headers if name not in RESERVED)
    count = ((FIRST, str(root(letter)).encode()), (REPLAYS, str(replays(letter.headers) + 1).encode()))
    return Outgoing(place.topic.removesuffix(DEAD_LETTERS), letter.key or b"", letter.value or b"", (*kept, *count))


def origin(letter: Record) -> Origin:
    """Where the letter's record lay; of a fact, where the letter lies. Raises Unreadable where it is neither a letter nor a mark."""
    if is_fact(letter):
        return Origin(letter.topic, letter.partition, letter.offset)
    headers = dict(letter.headers)
    topic, partition, offset = (headers.get(name, b"").decode(errors="replace") for name in (TOPIC, PARTITION, OFFSET))
    try:
        return Origin.parse(f"{topic}/{partition}/{offset}")
    except ValueError:
        raise Unreadable(TOPIC, "header is missing, or does not name a place") from None


def root(letter: Record) -> Origin:
    """Where the letter's record first lay, however often it was sent again since. Raises as `origin`."""
    place = origin(letter)
    return (first(letter.headers) or place) if replays(letter.headers) else place


def first(headers: Headers) -> Origin | None:
    """Where a record that was sent again first lay; None where it does not say."""
    try:
        return Origin.parse(dict(headers).get(FIRST, b"").decode())
    except ValueError:
        return None


def replays(headers: Headers) -> int:
    """How often a record was sent again; 0 where it does not say so in full."""
    text = dict(headers).get(REPLAYS, b"").decode(errors="replace")
    return int(text) if _whole(text) and len(text) < 7 and first(headers) else 0


def mark(letter: Record, place: Origin | None = None) -> Outgoing:
    """A record beside the letter that says: its record was sent again. It names the place where that first lay."""
    place = place or root(letter)
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


@contextmanager
def about(headers: Headers) -> Iterator[None]:
    """Log lines within belong to the trace that these headers carry, not to whichever one the batch is in."""
    token = otel_context.attach(context_of(dict(headers).get("traceparent", b"").decode(errors="replace")))
    try:
        yield
    finally:
        otel_context.detach(token)
