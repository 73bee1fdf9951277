"""Faust, tuned: its own settings and documented calls, at least once as before; what each was worth stands in the README."""

import sys
from typing import Any

from mode.loop import use

use("uvloop")  # before Faust is imported

import faust  # noqa: E402

bootstrap, source, sink = sys.argv[1:4]

app = faust.App(
    "bench-faust-tuned",
    broker=f"kafka://{bootstrap}",
    store="memory://",
    topic_partitions=4,
    web_enabled=False,
    worker_redirect_stdouts=False,
    stream_buffer_maxsize=65_536,
    stream_wait_empty=False,
    stream_processing_timeout=0,
    broker_max_poll_records=4000,
    broker_commit_every=100_000,
    producer_linger=0.005,
    producer_max_batch_size=1_048_576,
    producer_acks=1,
)
RAW: dict[str, Any] = {
    "key_type": bytes,
    "value_type": bytes,
    "key_serializer": "raw",
    "value_serializer": "raw",
}
events, updates = app.topic(source, **RAW), app.topic(sink, **RAW)
counts = app.Table("counts", default=int, key_type=bytes, value_type=int)


@app.agent(events)
async def count(stream: Any) -> None:
    """Counts events by key and publishes each count."""
    async for key, _ in stream.items():
        counts[key] += 1
        await updates.send(key=key, value=b"%d" % counts[key])


if __name__ == "__main__":
    faust.Worker(app, loglevel="WARN").execute_from_commandline()
