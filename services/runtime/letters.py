"""Dead letters: a record that could not be read or decided, as it was, with the reason in its headers."""

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
    headers = dict(letter.headers)
    if TOPIC not in headers:
        raise Unreadable(TOPIC, "header is missing")
    kept = tuple((name, value) for name, value in letter.headers if name not in ADDED)
    return Outgoing(headers[TOPIC].decode(), letter.key or b"", letter.value or b"", kept)
