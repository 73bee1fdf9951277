"""The weekly broadcast's page: asked of the nps service, and told as it is."""

from typing import Any

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from touchline.nps.v1 import nps_pb2, nps_pb2_grpc

from services.gateway.answers import error, refusal, trouble
from services.runtime.rpc import LookupFailed

WITHIN_S = 30.0
MOST_SEGMENTS = 16
# The page needs nothing but its own style; it is no place to run anything.
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"


class Broadcast:
    """The HTTP side. Who may read may read it (`Reading.guarded`)."""

    def __init__(self, channel: Any) -> None:
        """Take the channel to the nps service; None where its address is not told."""
        self._service = nps_pb2_grpc.NpsServiceStub(channel) if channel is not None else None

    async def page(self, request: Request) -> Response:
        """`?week=2026-W45&lang=zh&segment=region=华东`: where nothing is asked, the last whole week in Chinese, or the running one if nobody answered in that."""
        if self._service is None:
            return error(503, "NPS_ADDR is not set: nobody to ask")
        told = request.query_params.getlist("segment")
        pairs = [one.partition("=") for one in told]
        if len(pairs) > MOST_SEGMENTS or any(not (d and sign and v) for d, sign, v in pairs):
            return error(400, f"segment: must be dimension=value, {MOST_SEGMENTS} at most")
        named = [d for d, _, _ in pairs]
        twice = next((d for d in named if named.count(d) > 1), None)
        if twice is not None:  # a customer has one value of a dimension: only the last would be heard
            return error(400, f"segment: {twice} is told twice")
        asked = nps_pb2.GetReportRequest(
            week=request.query_params.get("week", ""),
            language=request.query_params.get("lang", ""),
            where={d: v for d, _, v in pairs},
        )
        try:
            found = await self._service.GetReport(asked, timeout=WITHIN_S)
        except LookupFailed as failed:
            refused = refusal(failed)
            if refused is None:
                return error(503, trouble(failed, "the nps service"), {"retry-after": "5"})
            return error(*refused)
        return HTMLResponse(found.html, headers={"content-security-policy": _POLICY, "cache-control": "no-store"})
