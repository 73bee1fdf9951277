"""Rows of the outbox: all that one batch decided for one source partition, packed as one value."""

from collections.abc import Iterable

from touchline.runtime.v1 import outbox_pb2

from services.runtime.records import Outgoing


def pack(records: Iterable[Outgoing]) -> bytes:
    """Records as one row of the outbox."""
    batch = outbox_pb2.OutgoingBatch()
    for r in records:
        out = batch.records.add(topic=r.topic, key=r.key, value=r.value)
        for name, value in r.headers:
            out.headers.add(key=name, value=value)
    return batch.SerializeToString()


def unpack(body: bytes) -> tuple[Outgoing, ...]:
    """The inverse of `pack`."""
    batch = outbox_pb2.OutgoingBatch.FromString(body)
    return tuple(Outgoing(r.topic, r.key, r.value, tuple((h.key, h.value) for h in r.headers)) for r in batch.records)
