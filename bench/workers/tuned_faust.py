"""Faust, tuned in one of several ways, all by its own settings and documented calls, at least once as before.

uvloop: the faster event loop, and keys as they come, without JSON. buffers: that, and longer buffers, larger polls and batches, acks=1,
seldom commits, no watching of each event's time. threaded: that, and a producer in a thread of its own. take: as buffers, and a
thousand events at once, which saves the way through the stream for each.
"""

import sys
from typing import Any

from mode.loop import use

use("uvloop")  # before Faust is imported

import faust  # noqa: E402

bootstrap, source, sink, variant = sys.argv[1:5]

BUFFERS: dict[str, Any] = {
    "stream_buffer_maxsize": 65_536,
    "stream_wait_empty": False,
    "stream_processing_timeout": 0,
    "broker_max_poll_records": 4000,
    "broker_commit_every": 100_000,
    "producer_linger": 0.005,
    "producer_max_batch_size": 1_048_576,
    "producer_acks": 1,
}
SETTINGS = {
    "uvloop": {},
    "buffers": BUFFERS,
    "threaded": {**BUFFERS, "producer_threaded": True},
    "take": BUFFERS,
}[variant]

app = faust.App(
    f"bench-faust-{variant}",
    broker=f"kafka://{bootstrap}",
    store="memory://",
    topic_partitions=4,
    web_enabled=False,
    worker_redirect_stdouts=False,
    **SETTINGS,
)
RAW: dict[str, Any] = {
    "key_type": bytes,
    "value_type": bytes,
    "key_serializer": "raw",
    "value_serializer": "raw",
}
events, updates = app.topic(source, **RAW), app.topic(sink, **RAW)
# Within a batch there is no current event to take the changelog's partition from; the partitioner gives the same one.
counts = app.Table("counts", default=int, key_type=bytes, value_type=int, use_partitioner=variant == "take")


async def by_one(stream: Any) -> None:
    """Counts events by key and publishes each count."""
    async for key, _ in stream.items():
        found = counts[key] + 1
        counts[key] = found
        await updates.send(key=key, value=b"%d" % found)


async def by_batch(stream: Any) -> None:
    """The same, a thousand at once."""
    async for batch in stream.take_events(1000, within=0.005):
        for event in batch:
            found = counts[event.key] + 1
            counts[event.key] = found
            await updates.send(key=event.key, value=b"%d" % found, force=True)


app.agent(events)(by_batch if variant == "take" else by_one)

if __name__ == "__main__":
    faust.Worker(app, loglevel="WARN").execute_from_commandline()
