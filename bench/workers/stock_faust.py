"""Stock Faust: an agent, a table in memory with its changelog, and an update sent for each event. No tuning."""

import sys
from typing import Any

import faust

bootstrap, source, sink = sys.argv[1:4]

app = faust.App(
    "bench-faust",
    broker=f"kafka://{bootstrap}",
    store="memory://",
    topic_partitions=4,
    # Its web server listens on every interface unless it is told not to.
    web_enabled=False,
    worker_redirect_stdouts=False,
)
RAW: dict[str, Any] = {
    "key_type": bytes,
    "value_type": bytes,
    "key_serializer": "raw",
    "value_serializer": "raw",
}
events, updates = app.topic(source, **RAW), app.topic(sink, **RAW)
counts = app.Table("counts", default=int)


@app.agent(events)
async def count(stream: Any) -> None:
    """Counts events by key and publishes each count."""
    async for key, _ in stream.items():
        customer = key.decode()
        counts[customer] += 1
        await updates.send(key=key, value=b"%d" % counts[customer])


if __name__ == "__main__":
    faust.Worker(app, loglevel="WARN").execute_from_commandline()
