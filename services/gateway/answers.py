"""What the pages that act have in common: errors as JSON, a small JSON body, and a service's refusal in HTTP's words."""

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

LARGEST_BODY = 4096
# What a service refuses, with the HTTP status that says the same.
_REFUSALS = {"INVALID_ARGUMENT": 400, "NOT_FOUND": 404, "FAILED_PRECONDITION": 409, "PERMISSION_DENIED": 403}


def error(status: int, reason: str, headers: dict[str, str] | None = None) -> Response:
    """An error as the gateway tells it."""
    return JSONResponse({"error": reason}, status, headers)


async def small_json(request: Request) -> bytes | Response:
    """The body of a command, not yet decoded; the refusal where it is no JSON by its type, or too long."""
    # A page from elsewhere can't send this type without asking first, and nobody answers it.
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        return error(415, "content-type: must be application/json")
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > LARGEST_BODY:
            return error(413, f"the body: may have {LARGEST_BODY} bytes at most")
    return bytes(body)


def refusal(failed: BaseException) -> tuple[int, str] | None:
    """The HTTP status and reason of a lookup's failure where the service said no; None where it did not answer at all."""
    code = getattr(failed, "code", None)
    status = _REFUSALS.get(code().name) if code is not None else None
    return None if status is None else (status, str(getattr(failed, "details", lambda: "")() or "refused"))
