"""What the pages that act have in common: errors as JSON, a small JSON body, and a service's refusal in HTTP's words."""

import asyncio
from typing import TypeVar
from uuid import uuid4

from msgspec import Struct, json
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response

LARGEST_BODY = 4096
BODY_WITHIN_S = 20.0
LONGEST_COMMAND_ID = 200
# What a service refuses, with the HTTP status that says the same.
_REFUSALS = {"INVALID_ARGUMENT": 400, "NOT_FOUND": 404, "FAILED_PRECONDITION": 409, "PERMISSION_DENIED": 403}

# No answer came, or not in time. Any other code is the service's own answer.
_SILENT = ("", "UNAVAILABLE", "DEADLINE_EXCEEDED", "CANCELLED")


class Command(Struct, forbid_unknown_fields=True, kw_only=True):
    """The body of a page that acts.

    command_id: names the call, so that it can be repeated safely; the gateway names it where the caller doesn't.
    """

    command_id: str = ""


C = TypeVar("C", bound=Command)


def error(status: int, reason: str, headers: dict[str, str] | None = None) -> Response:
    """An error as the gateway tells it."""
    return JSONResponse({"error": reason}, status, headers)


async def command(request: Request, kind: type[C]) -> C | Response:
    """The command in a small JSON body, with its name; the refusal where it is none, and why."""
    # A page from elsewhere can't send this type without asking first, and nobody answers it.
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        return error(415, "content-type: must be application/json")
    body = bytearray()
    try:
        async with asyncio.timeout(BODY_WITHIN_S):
            async for part in request.stream():
                body += part
                if len(body) > LARGEST_BODY:
                    return error(413, f"the body: may have {LARGEST_BODY} bytes at most")
    except TimeoutError:
        return error(408, "the body: took too long to arrive", {"connection": "close"})
    except ClientDisconnect:
        return Response(status_code=400)
    try:
        said = json.decode(bytes(body), type=kind)
    except UnicodeDecodeError:
        return error(400, "the body: is not UTF-8")
    except ValueError as wrong:  # msgspec's errors are
        return error(400, f"the body: {wrong}")
    if len(said.command_id) > LONGEST_COMMAND_ID or not said.command_id.isprintable():
        return error(400, f"command_id: must be at most {LONGEST_COMMAND_ID} printable characters")
    said.command_id = said.command_id or str(uuid4())
    return said


def refusal(failed: BaseException) -> tuple[int, str] | None:
    """The HTTP status and reason of a lookup's failure where the service said no; None where it did not answer at all."""
    status = _REFUSALS.get(_code(failed))
    return None if status is None else (status, str(getattr(failed, "details", lambda: "")() or "refused"))


def trouble(failed: BaseException, service: str) -> str:
    """What is told where a service did not say no: that it does not answer, or that it did, and failed."""
    code = _code(failed)
    return f"{service} does not answer" if code in _SILENT else f"{service} failed ({code}); its log says why"


def failure(failed: BaseException, service: str, command_id: str = "") -> Response:
    """A failed call to a service, as the gateway tells it.

    command_id: of a call that changes something: no answer does not mean that it was not done, so it is told how to ask again.
    """
    if (refused := refusal(failed)) is not None:
        return error(*refused)
    if not command_id:
        return error(503, trouble(failed, service), {"retry-after": "2"})
    again = "it may yet be carried out; ask again with the same command_id"
    if _code(failed) == "DEADLINE_EXCEEDED":
        return JSONResponse({"error": again, "command_id": command_id}, 504)
    reason = f"{trouble(failed, service)}: {again}"
    return JSONResponse({"error": reason, "command_id": command_id}, 503, {"retry-after": "2"})


def _code(failed: BaseException) -> str:
    code = getattr(failed, "code", None)
    return code().name if code is not None else ""
