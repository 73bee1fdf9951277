"""What the stack and the command line ask of the clients: topics made, a service's status over gRPC."""

from collections.abc import Iterable
from dataclasses import dataclass

from services.runtime.topics import Topic


@dataclass(frozen=True, slots=True)
class ServiceStatus:
    """A service's answer: `lag` and `backlog` in records, as in touchline.runtime.v1.GetStatusResponse."""

    service: str
    healthy: bool
    lag: int
    backlog: int
    detail: str


async def create_topics(bootstrap: str, catalogue: Iterable[Topic], replication: int = 1) -> list[str]:
    """Makes the topics that don't exist yet and gives their names. Raises aiokafka's KafkaError."""
    from aiokafka.admin import AIOKafkaAdminClient, NewTopic
    from aiokafka.errors import TopicAlreadyExistsError, for_code

    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap, client_id="touchline-admin")
    await admin.start()
    try:
        present = set(await admin.list_topics())
        missing = [topic for topic in catalogue if topic.name not in present]
        if not missing:
            return []
        wanted = [NewTopic(t.name, t.partitions, replication, topic_configs=t.config) for t in missing]
        answer = await admin.create_topics(wanted)
        for name, code, *rest in answer.topic_errors:
            error = for_code(code)
            if code and error is not TopicAlreadyExistsError:
                raise error(f"{name}: {rest[0] if rest else error.__name__}")
        return [topic.name for topic in missing]
    finally:
        await admin.close()


async def probe(address: str, deadline_s: float = 1.5) -> ServiceStatus | None:
    """Asks a service how it is: standard health first, then its status. None where it can't be reached in time."""
    import grpc
    import grpc.aio
    from grpc_health.v1 import health_pb2, health_pb2_grpc
    from touchline.runtime.v1 import status_pb2, status_pb2_grpc

    async with grpc.aio.insecure_channel(address) as channel:
        health = health_pb2_grpc.HealthStub(channel)
        status = status_pb2_grpc.StatusServiceStub(channel)
        try:
            checked = await health.Check(health_pb2.HealthCheckRequest(), timeout=deadline_s)
            answer = await status.GetStatus(status_pb2.GetStatusRequest(), timeout=deadline_s)
        except grpc.aio.AioRpcError:
            return None
    serving = checked.status == health_pb2.HealthCheckResponse.SERVING
    return ServiceStatus(answer.service, serving and answer.healthy, answer.lag, answer.backlog, answer.detail)
