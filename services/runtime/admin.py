"""What the stack and the command line ask of the clients: topics made, a service's status over gRPC."""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from services.runtime.errors import Transient
from services.runtime.settings import KafkaSettings, RpcSettings
from services.runtime.topics import Topic


@dataclass(frozen=True, slots=True)
class ServiceStatus:
    """A service's answer: `lag` and `backlog` in records, as in touchline.runtime.v1.GetStatusResponse."""

    service: str
    healthy: bool
    lag: int
    backlog: int
    detail: str


@dataclass(frozen=True, slots=True)
class Topics:
    """What was found on a Kafka, and made. created: names; others: name → partitions where they aren't as many as in the catalogue."""

    created: list[str]
    others: dict[str, int]


async def create_topics(kafka: KafkaSettings | str, catalogue: Iterable[Topic], replication: int = 1) -> Topics:
    """Makes the topics that don't exist yet. Raises aiokafka's KafkaError.

    kafka: how to get in; an address alone is one that is open.
    """
    from aiokafka.admin import AIOKafkaAdminClient, NewTopic
    from aiokafka.errors import TopicAlreadyExistsError, for_code

    settings = KafkaSettings(bootstrap=kafka) if isinstance(kafka, str) else kafka
    admin = AIOKafkaAdminClient(**settings.client(), client_id="touchline-admin")
    try:
        await admin.start()
        named = list(catalogue)
        present = set(await admin.list_topics())
        there = {t.name: t.partitions for t in named if t.name in present}
        found = {t["topic"]: len(t["partitions"]) for t in await admin.describe_topics(list(there))} if there else {}
        others = {name: count for name, count in found.items() if count != there[name]}
        missing = [topic for topic in named if topic.name not in present]
        if not missing:
            return Topics([], others)
        wanted = [NewTopic(t.name, t.partitions, replication, topic_configs=t.config) for t in missing]
        answer = await admin.create_topics(wanted)
        for name, code, *rest in answer.topic_errors:
            error = for_code(code)
            if code and error is not TopicAlreadyExistsError:
                raise error(f"{name}: {rest[0] if rest else error.__name__}")
        return Topics([topic.name for topic in missing], others)
    finally:
        await admin.close()


async def probe(address: str, deadline_s: float = 1.5, rpc: RpcSettings | None = None) -> ServiceStatus | None:
    """Asks a service how it is: the standard health check and its own status. None where it can't be reached in time.

    rpc: how peers are spoken to (TLS, our certificate); by default as GRPC_* says.
    """
    import grpc.aio
    from grpc_health.v1 import health_pb2, health_pb2_grpc
    from touchline.runtime.v1 import status_pb2, status_pb2_grpc

    from services.runtime.rpc import channel

    async with channel(address, rpc) as to:
        health = health_pb2_grpc.HealthStub(to)
        status = status_pb2_grpc.StatusServiceStub(to)
        try:
            checked, answer = await asyncio.gather(
                health.Check(health_pb2.HealthCheckRequest(), timeout=deadline_s),
                status.GetStatus(status_pb2.GetStatusRequest(), timeout=deadline_s),
            )
        except grpc.aio.AioRpcError:
            return None
    serving = checked.status == health_pb2.HealthCheckResponse.SERVING
    return ServiceStatus(answer.service, serving and answer.healthy, answer.lag, answer.backlog, answer.detail)


class GroupLag:
    """How far a consumer group that commits its offsets to Kafka is behind on one topic."""

    def __init__(self, consumer: Any, topic: str) -> None:
        self._consumer = consumer
        self._topic = topic

    async def read(self) -> int:
        """Records not yet committed by the group, asked of the broker now. Raises Transient where Kafka is away."""
        from aiokafka import TopicPartition
        from aiokafka.errors import KafkaError

        try:
            partitions = [
                TopicPartition(self._topic, p) for p in self._consumer.partitions_for_topic(self._topic) or ()
            ]
            if not partitions:
                raise Transient(f"Kafka does not know {self._topic} yet")
            ends = await self._consumer.end_offsets(partitions)
            begins = await self._consumer.beginning_offsets(partitions)
            committed = {tp: await self._consumer.committed(tp) for tp in partitions}
        except (KafkaError, OSError) as error:
            raise Transient(f"Kafka is away: {type(error).__name__}") from error
        return sum(max(0, ends[tp] - max(committed[tp] or 0, begins[tp])) for tp in partitions)

    async def stop(self) -> None:
        """Disconnects."""
        await self._consumer.stop()


async def group_lag(kafka: KafkaSettings, group: str, topic: str) -> GroupLag:
    """Watches a group without joining it. Raises Transient where Kafka is away."""
    from aiokafka import AIOKafkaConsumer, TopicPartition
    from aiokafka.errors import KafkaError

    from services.runtime.reach import why_away

    consumer = AIOKafkaConsumer(**kafka.client(), group_id=group, enable_auto_commit=False)
    try:
        await consumer.start()
    except (KafkaError, OSError) as error:
        await consumer.stop()
        raise Transient(f"Kafka is away: {await why_away(kafka, error)}") from error
    consumer.assign([TopicPartition(topic, 0)])
    return GroupLag(consumer, topic)
