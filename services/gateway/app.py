"""The routes of the gateway's HTTP side."""

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from services.gateway import pages
from services.gateway.answers import error
from services.gateway.broadcast import Broadcast
from services.gateway.crowd import Crowd
from services.gateway.followups import FollowUps
from services.gateway.ingest import Ingest
from services.gateway.keys import Right
from services.gateway.peers import Watch
from services.gateway.reading import Reading
from services.gateway.supervise import Supervise


async def _refused(_: Request, wrong: Exception) -> Response:
    """Starlette's own 404 and 405 in the gateway's form."""
    assert isinstance(wrong, HTTPException)
    return error(wrong.status_code, wrong.detail, dict(wrong.headers or {}))


async def _broken(_: Request, __: Exception) -> Response:
    """A defect of the gateway: what it was is in the log, and no caller's."""
    return error(500, "the gateway failed; its log says why")


def build(
    ingest: Ingest,
    reading: Reading,
    watch: Watch,
    most_requests: int = 1000,
    follow_ups: FollowUps | None = None,
    supervise: Supervise | None = None,
    broadcast: Broadcast | None = None,
) -> Starlette:
    """The application, from its parts. most_requests: open at once."""
    tasks = follow_ups or FollowUps(None)

    async def healthz(_: Request) -> Response:
        healthy = watch.well()
        return JSONResponse({"healthy": healthy}, 200 if healthy else 503)

    guarded = reading.guarded
    telling = broadcast or Broadcast(None)
    supervising = supervise or Supervise(None)
    return Starlette(
        routes=[
            Route("/v1/events", ingest.post_events, methods=["POST"]),
            Route("/v1/stream", guarded(reading.stream)),
            # A channel's ids may hold slashes.
            Route("/v1/customers/{customer_id:path}/journey", guarded(reading.journey)),
            Route("/v1/contacts/{contact_id:path}/explain", guarded(reading.explain)),
            Route("/v1/follow-ups", guarded(tasks.listed)),
            Route("/v1/follow-ups/{follow_up_id}/claim", guarded(tasks.claim, Right.ACT), methods=["POST"]),
            Route("/v1/follow-ups/{follow_up_id}/release", guarded(tasks.release, Right.ACT), methods=["POST"]),
            Route("/v1/follow-ups/{follow_up_id}/done", guarded(tasks.done, Right.ACT), methods=["POST"]),
            Route("/v1/follow-ups/{follow_up_id}/failed", guarded(tasks.failed, Right.ACT), methods=["POST"]),
            Route("/v1/nps/report", guarded(telling.page)),
            Route("/v1/pools/{pool}", guarded(supervising.pool)),
            Route("/v1/pools/{pool}/{command}", guarded(supervising.act, Right.SUPERVISE), methods=["POST"]),
            Route("/healthz", healthz),
            Route("/openapi.json", guarded(reading.description)),
            Route("/docs", guarded(reading.docs)),
            Route("/", guarded(pages.index)),
            Route("/static/plotly.min.js", guarded(pages.plotly)),
            Route("/static/{name}", guarded(pages.part)),
        ],
        middleware=[Middleware(Crowd, most=most_requests)],
        exception_handlers={HTTPException: _refused, Exception: _broken},
    )
