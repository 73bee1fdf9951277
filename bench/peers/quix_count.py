"""Quix Streams, counting by key; runs in an environment of its own, so it knows nothing of this repository.

Arguments: bootstrap, source, sink, "at-least-once" or "exactly-once", a folder for its state.
"""

import sys

from quixstreams import Application

bootstrap, source, sink, guarantee, folder = sys.argv[1:6]

app = Application(
    broker_address=bootstrap,
    consumer_group=f"{source}.{guarantee}",
    processing_guarantee=guarantee,
    auto_offset_reset="earliest",
    state_dir=folder,
    loglevel="WARNING",
)


def count(value, state):
    """One more of this key; as text, as the others publish it."""
    events = state.get("events", 0) + 1
    state.set("events", events)
    return str(events)


events = app.topic(source, key_deserializer="bytes", value_deserializer="bytes")
counts = app.topic(sink, key_serializer="bytes", value_serializer="string")
app.dataframe(events).apply(count, stateful=True).to_topic(counts)

if __name__ == "__main__":
    app.run()
