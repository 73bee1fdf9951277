"""The projections' process: `python -m services.metrics.main`, configured by its environment."""

import asyncio
import logging
import time
from typing import Any

from touchline.runtime.v1 import status_pb2

from services.metrics.app import GROUP, Projection
from services.metrics.domain.still import Still
from services.metrics.settings import MetricsSettings
from services.runtime import signals, telemetry
from services.runtime.admin import GroupLag, group_lag
from services.runtime.clock import clock_from
from services.runtime.endings import ending, unheard
from services.runtime.errors import Transient
from services.runtime.rpc import RpcServer
from services.runtime.service import stop_signal, until_there
from services.runtime.settings import KafkaSettings, RpcSettings, ServiceSettings, load
from services.runtime.topics import COUNTERS

log = logging.getLogger(__name__)

LAG_EVERY_S = 5.0
STILL_S = 30.0
"""Three times the group's session: by then whoever can take counters does."""


async def _watch_lag(lag: GroupLag, projection: Projection) -> None:
    """Keeps the gauge of lag fresh, whether anybody asks for the status or not, and ends projections that stand still.

    After a broker that hung for longer than the group's session Faust may wait for ever, and call that well.
    """
    gauge, known, still = telemetry.meters().up_down(signals.LAG), 0, Still(STILL_S)
    while True:
        try:
            behind = await asyncio.wait_for(lag.read(), LAG_EVERY_S)
            gauge.add(behind - known, {"pipeline": GROUP})
            known = behind
            if still.seen(behind if projection.ready() else None, projection.taken, time.monotonic()):
                projection.fail(RuntimeError(f"{behind} counters wait, and none was taken for {STILL_S:.0f} s"))
        except (Transient, TimeoutError) as error:  # a gauge may go stale; it may not end the process
            log.debug("lag is not known now: %s", type(error).__name__)
            still.seen(None, projection.taken, time.monotonic())
        await asyncio.sleep(LAG_EVERY_S)


async def _run(settings: ServiceSettings) -> None:
    kafka, stopping = load(KafkaSettings), stop_signal()
    asyncio.get_running_loop().set_exception_handler(unheard)
    projection = Projection(kafka, load(MetricsSettings), clock_from(settings.touchline_clock))
    lag = await until_there(lambda: group_lag(kafka, GROUP, COUNTERS), stopping)

    async def status() -> status_pb2.GetStatusResponse:
        try:
            behind = await asyncio.wait_for(lag.read(), 2)
        except (Transient, TimeoutError) as error:
            return status_pb2.GetStatusResponse(service="metrics", lag=-1, detail=str(error) or "Kafka is slow")
        ready = projection.ready()
        return status_pb2.GetStatusResponse(
            service="metrics", healthy=ready, lag=behind, detail="" if ready else "recovering"
        )

    server = RpcServer(load(RpcSettings), [], status)
    await server.start()
    projection.app.finalize()
    watching = asyncio.create_task(_watch_lag(lag, projection))
    starting = asyncio.create_task(projection.app.start())
    stopped = asyncio.create_task(stopping.wait())
    ends: list[asyncio.Future[Any]] = [
        stopped,
        projection.failed,
        asyncio.create_task(projection.app.wait_until_stopped()),
    ]
    try:
        await asyncio.wait([starting, *ends], return_when=asyncio.FIRST_COMPLETED)
        if starting.done():
            starting.result()
            await server.healthy(True)
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        await server.healthy(False)
        if not stopping.is_set():
            reason = projection.failed.exception() if projection.failed.done() else projection.app.crash_reason
            raise RuntimeError("the projections ended by themselves") from reason
    finally:
        for task in (watching, starting, *ends):
            task.cancel()
        await asyncio.wait([asyncio.create_task(projection.app.stop())], timeout=6)
        await lag.stop()
        await server.stop()


def main() -> None:
    """Runs until SIGTERM or SIGINT. Exit code 2 where a setting is wrong, 1 where the projections failed."""
    with ending("metrics"):
        settings = load(ServiceSettings)
        telemetry.set_up("metrics", metrics_bind=settings.metrics_bind, log_level=settings.log_level, roots=False)
        asyncio.run(_run(settings))


if __name__ == "__main__":
    main()
