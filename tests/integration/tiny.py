"""The smallest service that the supervisor can watch over: gRPC health and status, nothing else."""

import asyncio
import os

import grpc.aio
from grpc_health.v1 import health, health_pb2_grpc
from touchline.runtime.v1 import status_pb2, status_pb2_grpc
from typing_extensions import override


class Status(status_pb2_grpc.StatusServiceServicer):
    @override
    async def GetStatus(self, request: status_pb2.GetStatusRequest, context: object) -> status_pb2.GetStatusResponse:
        return status_pb2.GetStatusResponse(service=os.environ["OTEL_SERVICE_NAME"], healthy=True, lag=7)


async def serve() -> None:
    server = grpc.aio.server()
    health_pb2_grpc.add_HealthServicer_to_server(health.aio.HealthServicer(), server)
    status_pb2_grpc.add_StatusServiceServicer_to_server(Status(), server)
    server.add_insecure_port(os.environ["GRPC_BIND"])
    await server.start()
    await server.wait_for_termination()


if __name__ == "__main__":
    asyncio.run(serve())
