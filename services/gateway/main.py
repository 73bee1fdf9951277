"""The gateway's process: `python -m services.gateway.main`, configured by its environment."""

import asyncio
import logging
import time
from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager
from typing import Any

import uvicorn
import uvloop
from starlette.applications import Starlette
from touchline.runtime.v1.status_pb2 import GetStatusResponse

from services.gateway import app, rpc
from services.gateway.broadcast import Broadcast
from services.gateway.door import Door
from services.gateway.followups import Desk, FollowUps
from services.gateway.ingest import Ingest
from services.gateway.intime import InTime
from services.gateway.keys import KeyRing
from services.gateway.live.hub import Hub
from services.gateway.live.view import LiveView
from services.gateway.peers import Explains, Seats, Watch
from services.gateway.reading import Reading
from services.gateway.settings import GatewaySettings
from services.gateway.supervise import Supervise
from services.runtime import telemetry
from services.runtime.clock import clock_from
from services.runtime.endings import ending, unheard
from services.runtime.errors import Transient
from services.runtime.patience import backoff
from services.runtime.publisher import Publisher
from services.runtime.rpc import RpcServer, channel
from services.runtime.service import stop_signal
from services.runtime.settings import KafkaSettings, RpcSettings, ServiceSettings, load

log = logging.getLogger(__name__)


class _Http(uvicorn.Server):
    """uvicorn, whose end is decided by us: signals belong to the whole process."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


async def _run(common: ServiceSettings, settings: GatewaySettings) -> None:
    kafka, grpc = load(KafkaSettings), load(RpcSettings)
    clock = clock_from(common.touchline_clock)
    keys = KeyRing(settings.gateway_keys_file, time.monotonic)
    stopping = stop_signal()
    asyncio.get_running_loop().set_exception_handler(unheard)
    async with AsyncExitStack() as closing:
        publisher = Publisher(kafka, timeout_s=settings.gateway_publish_timeout_s)
        closing.push_async_callback(publisher.stop)
        watch = Watch(settings.peers, clock, settings.zipkin_url, grpc)
        door = Door(keys, publisher, clock, settings)
        router, escalation = _peer(settings.router_addr, grpc, closing), _peer(settings.escalation_addr, grpc, closing)
        hub = Hub(LiveView(), watch.status, Seats(router).count if router else None)
        application = app.build(
            Ingest(door, settings),
            Reading(hub, Explains(router).explain if router else None, door, settings),
            watch,
            settings.gateway_max_requests,
            FollowUps(Desk(escalation) if escalation else None),
            Supervise(router),
            Broadcast(_peer(settings.nps_addr, grpc, closing)),
        )
        http = _Http(_config(application, settings))

        async def status() -> GetStatusResponse:
            up = watch.well()
            return GetStatusResponse(
                service="gateway", healthy=up, detail="" if up else "Kafka is away, or HTTP not up yet"
            )

        server = RpcServer(grpc, [rpc.servicer(door, settings)], status)
        await server.start()
        closing.push_async_callback(server.stop)

        async def connect() -> None:
            """Connects to Kafka however long that takes; until then events are answered with 503."""
            waits = backoff()
            while True:
                try:
                    await publisher.start()
                    break
                except Transient as error:
                    log.warning("waiting: %s", error)
                    await asyncio.sleep(next(waits))
            await hub.begun()
            while not http.started:  # noqa: ASYNC110 (uvicorn has no event for it)
                await asyncio.sleep(0.02)
            watch.well = lambda: door.well
            await server.healthy(True)
            log.info("ready", extra={"fields": {"http": settings.http_bind}})
            await asyncio.Event().wait()

        work = [
            asyncio.create_task(part, name=name)
            for name, part in (
                ("http", http.serve()),
                ("kafka", connect()),
                ("keys", keys.watch()),
                ("view", hub.follow(kafka, settings.gateway_live_history)),
                ("stream", hub.broadcast()),
                ("seats", hub.ask_seats()),
            )
        ]
        stop = asyncio.create_task(stopping.wait())
        done, _ = await asyncio.wait([stop, *work], return_when=asyncio.FIRST_COMPLETED)
        await server.healthy(False)
        hub.close()
        http.should_exit = True
        await asyncio.wait(work[:1], timeout=5)
        for task in (stop, *work):
            task.cancel()
        await asyncio.gather(stop, *work, return_exceptions=True)
        for ended in done - {stop}:
            ended.result()
            raise RuntimeError(f"{ended.get_name()} ended by itself")


def _peer(address: str, grpc: RpcSettings, closing: AsyncExitStack) -> Any:
    """A channel to a service; None where its address is not told."""
    if not address:
        return None
    made = channel(address, grpc)
    closing.push_async_callback(made.close)
    return made


def _config(application: Starlette, settings: GatewaySettings) -> uvicorn.Config:
    return uvicorn.Config(
        application,
        host=settings.host,
        port=settings.port,
        loop="none",
        http=InTime,
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=3,
        timeout_keep_alive=30,
        # Far beyond what `Crowd` lets in: only the memory of idle connections is bounded here, by a bare 503.
        limit_concurrency=4 * settings.gateway_max_requests,
        backlog=512,
    )


def main() -> None:
    """Runs until SIGTERM or SIGINT. Exit code 2 where a setting is wrong, 1 where the gateway failed."""
    with ending("gateway"):
        common = load(ServiceSettings)
        telemetry.set_up("gateway", metrics_bind=common.metrics_bind, log_level=common.log_level)
        uvloop.run(_run(common, load(GatewaySettings)))


if __name__ == "__main__":
    main()
