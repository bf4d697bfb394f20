"""The page's own scripts: served from here, loaded in the head of the page."""

from __future__ import annotations

import json
from pathlib import Path

from fastapi import FastAPI, Response
from fastapi.responses import FileResponse, PlainTextResponse

from ui.texts import scripts as texts

SCRIPTS = ("clocks.js", "upload.js", "photos.js", "cells.js", "doctor.js", "studio.js")
HEAD = "".join(f'<script src="scripts/{name}" defer></script>' for name in ("texts.js", *SCRIPTS))
SAFE = {"cache-control": "no-cache", "x-content-type-options": "nosniff"}
# Comes first: the others say nothing that does not stand in it.
TEXTS = f"""const SAID = {json.dumps(texts.SAID)};
window.worded = (name, values = {{}}) => SAID[name].replace(/{{(\\w+)}}/g, (_, value) => values[value]);
"""


def add_script_routes(app: FastAPI) -> None:
    @app.get("/scripts/{name}")
    def script(name: str) -> Response:
        if name == "texts.js":
            return Response(TEXTS, media_type="text/javascript", headers=SAFE)
        if name not in SCRIPTS:
            return PlainTextResponse("not found", 404)
        return FileResponse(Path(__file__).with_name(name), media_type="text/javascript", headers=SAFE)
