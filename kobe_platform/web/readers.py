"""Tells a page of the lounge what the portal knows of its reader (``reader.json``)."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import JSONResponse, Response


async def reader_file(request: Request) -> Response:
    """What a page needs to ask the portal for something; in a copy of the site the file says that there is none."""
    session = request.state.session
    return JSONResponse({"csrf": session.csrf}, headers={"Cache-Control": "no-store", "Vary": "Cookie"})
