"""The page's own scripts: served from here, loaded in the head of the page."""

from __future__ import annotations

from pathlib import Path

from fastapi import FastAPI, Response
from fastapi.responses import FileResponse, PlainTextResponse

SCRIPTS = ("upload.js", "photos.js", "cells.js", "doctor.js", "studio.js")
HEAD = "".join(f'<script src="scripts/{name}" defer></script>' for name in SCRIPTS)


def add_script_routes(app: FastAPI) -> None:
    @app.get("/scripts/{name}")
    def script(name: str) -> Response:
        if name not in SCRIPTS:
            return PlainTextResponse("not found", 404)
        return FileResponse(Path(__file__).with_name(name), media_type="text/javascript", headers={"cache-control": "no-cache", "x-content-type-options": "nosniff"})
