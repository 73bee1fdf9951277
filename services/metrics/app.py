"""The Faust application: counters in, metrics out. Everything in it can be rebuilt from its topics."""

import asyncio
import logging
import time
from typing import Any

import faust
from faust.contrib.opentelemetry import setup_opentelemetry

from services.metrics import codec
from services.metrics.domain.cells import merge
from services.metrics.domain.keeping import Keeping
from services.metrics.settings import MetricsSettings
from services.runtime import records, signals, telemetry
from services.runtime.clock import Clock
from services.runtime.errors import Unreadable
from services.runtime.settings import KafkaSettings
from services.runtime.topics import COUNTERS

log = logging.getLogger(__name__)

GROUP = "touchline-metrics"

# Faust commits only once its producer has nothing left to send. Under a steady stream that moment never comes by itself,
# and a crash would begin again where the stream began.
FLUSH_AFTER = 250


class Projection:
    """One table of cells, and the agent that keeps it. `failed` is the end of it: a bug, which no counter is to survive unseen."""

    def __init__(self, kafka: KafkaSettings, settings: MetricsSettings, clock: Clock) -> None:
        self.app = faust.App(
            GROUP,
            broker=";".join(f"kafka://{address}" for address in kafka.bootstrap.split(",")),
            broker_credentials=_credentials(kafka),
            store="memory://",
            datadir=settings.data_dir,
            processing_guarantee="at_least_once",
            stream_ack_exceptions=False,
            web_enabled=False,
            topic_partitions=settings.partitions,
            topic_replication_factor=settings.replicas,
            topic_disable_leader=True,
            topic_allow_declare=True,
            broker_session_timeout=settings.session_timeout.total_seconds(),
            broker_heartbeat_interval=settings.session_timeout.total_seconds() / 4,
            broker_commit_interval=settings.commit_every.total_seconds(),
            consumer_auto_offset_reset="earliest",
            # A dashboard does not see it, and Kafka takes what gathers in this time at once.
            producer_linger=0.02,
            stream_wait_empty=False,
            worker_redirect_stdouts=False,
        )
        self._clock = clock
        self._counters = self.app.topic(
            COUNTERS, key_type=bytes, value_type=bytes, key_serializer="raw", value_serializer="raw"
        )
        self._cells = self.app.Table("cells", partitions=settings.partitions, on_changelog_event=self._recovered)
        self._metrics: dict[str, Any] = {}
        self._keeping = Keeping()
        self.taken = 0
        """Counters since the process began, those that could not be read among them."""
        self.failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._seconds = telemetry.meters().histogram(signals.BATCH_SECONDS)
        self._events = telemetry.meters().counter(signals.EVENTS)
        setup_opentelemetry(self.app)
        self.app.agent(self._counters, concurrency=1, name="project")(self._project)

    def ready(self) -> bool:
        """Whether the table has been recovered and counters are being taken."""
        recovery: Any = getattr(self.app.tables, "recovery", None)
        return bool(self.app.started and not self.app.rebalancing and recovery and recovery.completed.is_set())

    def fail(self, error: Exception) -> None:
        """Ends it, for a new process to begin where it stood."""
        if not self.failed.done():
            self.failed.set_exception(error)

    async def _project(self, stream: Any) -> None:
        async for event in stream.events():
            began = time.monotonic()
            self.taken += 1
            try:
                await self._take(event)
                self._events.add(1, {"pipeline": GROUP, "outcome": "handled"})
                if self.taken % FLUSH_AFTER == 0:
                    await self.app.producer.flush()
            except Unreadable as error:
                # Only services write this topic, so that this is a bug of ours; the cell's next version mends the figure.
                log.error("a counter could not be read: %s", error)
                self._events.add(1, {"pipeline": GROUP, "outcome": "unreadable"})
            except Exception as error:
                # Faust acknowledges what a raising agent was given. So none raises: this one stands still, and the process ends.
                self.fail(error)
                await asyncio.Event().wait()
            self._seconds.record(time.monotonic() - began, {"pipeline": GROUP})

    async def _take(self, event: Any) -> None:
        message = event.message
        record = records.Record(
            message.topic,
            message.partition,
            message.offset,
            message.key,
            message.value,
            message.headers or (),
        )
        cell, share, told = codec.read(records.read(record, self._clock()))
        key = message.key.decode()
        known = self._cells.get(key)
        before = codec.restored(known) if known else cell
        after = merge(before, share, told)
        if after is not before or known is None:
            self._cells[key] = codec.stored(after)
            self._keeping.remember(message.partition, key, cell.window, cell.start)
        # A repeated version is published again all the same: the crash that repeats it may have lost the publication.
        await self._send(after.metric, codec.metric_key(after), codec.metric_value(after))
        await self._sweep(message.partition)

    async def _send(self, metric: str, key: bytes, value: bytes | None) -> None:
        topic = self._metrics.get(metric)
        if topic is None:
            topic = self.app.topic(f"metrics.{metric}", key_serializer="raw", value_serializer="raw")
            self._metrics[metric] = topic
        traceparent = telemetry.traceparent_now()
        headers = {"content-type": b"application/json"}
        if telemetry.is_sampled(traceparent):
            headers["traceparent"] = traceparent.encode()
        # Not awaited: Faust flushes its producer before it commits the counter's offset.
        topic.send_soon(key=key, value=value, headers=headers)

    async def _recovered(self, event: Any) -> None:
        """A cell that a restart brings back: nothing may ever change it again, and its time comes all the same."""
        if event.value is not None:
            cell = codec.restored(event.value)
            self._keeping.remember(event.message.partition, event.key, cell.window, cell.start)

    async def _sweep(self, partition: int) -> None:
        """Drops cells that are past keeping, with a tombstone on the metric topic. In the agent, where Faust allows it."""
        for key in self._keeping.past(partition, self._clock()):
            known = self._cells.get(key)
            if known is not None:
                cell = codec.restored(known)
                self._cells.pop(key)
                await self._send(cell.metric, codec.metric_key(cell), None)


def _credentials(kafka: KafkaSettings) -> Any:
    if kafka.security_protocol == "PLAINTEXT":
        return None
    context = kafka.client()["ssl_context"]
    if kafka.security_protocol == "SSL":
        return faust.SSLCredentials(context=context)
    return faust.SASLCredentials(
        username=kafka.sasl_username, password=kafka.sasl_password, mechanism=kafka.sasl_mechanism, ssl_context=context
    )
