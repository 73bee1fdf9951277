"""The dashboard's files, and its charts' library from the installed package: nothing comes from elsewhere."""

from importlib.resources import files
from pathlib import Path

import plotly as plotly_package
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, Response

FOLDER = Path(str(files("services.gateway"))) / "dashboard"
PLOTLY = Path(plotly_package.__file__).parent / "package_data" / "plotly.min.js"
_MEDIA = {".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}
_FRESH = {"cache-control": "no-cache"}


async def index(_: Request) -> Response:
    """The page itself."""
    return FileResponse(FOLDER / "index.html", media_type="text/html", headers=_FRESH)


async def part(request: Request) -> Response:
    """One of its modules, its style sheet or its mark; 404 for anything else."""
    # Only what lies in the folder itself is served, whatever the name says.
    found = {path.name: path for path in FOLDER.iterdir() if path.suffix in _MEDIA}.get(request.path_params["name"])
    if found is None:
        raise HTTPException(404)
    return FileResponse(found, media_type=_MEDIA[found.suffix], headers=_FRESH)


async def plotly(_: Request) -> Response:
    """Plotly."""
    return FileResponse(PLOTLY, media_type="text/javascript", headers={"cache-control": "max-age=86400"})
