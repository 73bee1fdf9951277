"""The dashboard page: its files, and the routes under which the gateway serves them (nothing comes from elsewhere)."""

from __future__ import annotations

from pathlib import Path

import plotly
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import BaseRoute, Route

FOLDER = Path(__file__).parent
PLOTLY = Path(plotly.__file__).parent / "package_data" / "plotly.min.js"
MEDIA = {".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}

# The page may load only from its own origin; Plotly styles its drawings inline.
POLICY = (
    "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; "
    "object-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "Cache-Control": "no-cache",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}


async def page(_: Request) -> Response:
    """Answer with the page itself."""
    return FileResponse(FOLDER / "index.html", media_type="text/html", headers=HEADERS)


async def part(request: Request) -> Response:
    """Answer with one of the page's modules, its style sheet or its mark; 404 for anything else."""
    name = request.path_params["name"]
    file = FOLDER / name
    # A path parameter holds no slash, so the name can't lead out of the folder.
    if file.suffix not in MEDIA or not file.is_file():
        raise HTTPException(404)
    return FileResponse(file, media_type=MEDIA[file.suffix], headers=HEADERS)


async def charts(_: Request) -> Response:
    """Answer with Plotly from the installed package."""
    return FileResponse(PLOTLY, media_type=MEDIA[".js"], headers=HEADERS | {"Cache-Control": "max-age=86400"})


def routes() -> list[BaseRoute]:
    """Return the routes of the page: `/`, `/dashboard/{name}` and `/static/plotly.min.js`."""
    return [
        Route("/", page),
        Route("/dashboard/{name:str}", part),
        Route("/static/plotly.min.js", charts),
    ]
