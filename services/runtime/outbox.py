"""Rows of the outbox: all that one batch decided for one source partition, packed as one value in MessagePack."""

from collections.abc import Sequence

import msgspec

from services.runtime.records import Outgoing

_decoder = msgspec.msgpack.Decoder(tuple[Outgoing, ...])


def pack(records: Sequence[Outgoing]) -> bytes:
    """Records as one row of the outbox. (Protobuf takes ten times as long for this in Python.)"""
    return msgspec.msgpack.encode(records)


def unpack(body: bytes) -> tuple[Outgoing, ...]:
    """The inverse of `pack`."""
    return _decoder.decode(body)
