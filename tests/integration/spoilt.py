"""A record with a header whose name is not UTF-8: Kafka takes it, and no client that is decent would send it."""

from contextlib import ExitStack
from unittest.mock import patch

from aiokafka import AIOKafkaProducer
from aiokafka.producer import message_accumulator
from aiokafka.producer import producer as producing
from aiokafka.record.default_records import _DefaultRecordBatchBuilderPy

NAME = b"\xff\xfename"


class _Name(str):
    """A text that is encoded as no text is."""

    def encode(self, *_: object) -> bytes:
        return NAME


async def send_spoilt(bootstrap: str, topic: str, key: bytes, value: bytes, headers: list[tuple[str, bytes]]) -> None:
    """Sends a record with one more header, whose name can't be read. Only the client's builder in Python can be talked into it."""
    with ExitStack() as patched:
        for module in (message_accumulator, producing):
            patched.enter_context(patch.object(module, "DefaultRecordBatchBuilder", _DefaultRecordBatchBuilderPy))
        producer = AIOKafkaProducer(bootstrap_servers=bootstrap)
        await producer.start()
        try:
            await producer.send_and_wait(topic, value, key=key, headers=[*headers, (_Name("spoilt"), b"v")])
        finally:
            await producer.stop()
