"""Routes of runs: what runs now, a run's log as text, everything of a run as one ZIP. Names come from our own listings only."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from fastapi import FastAPI, Response
from fastapi.responses import JSONResponse, PlainTextResponse, StreamingResponse

from core.errors import UserError
from core.events import RunStarted, StepDone
from core.run_archive import members, stream
from core.runs import Run
from ui.run_view import fold
from ui.studio import Studio

SAFE = {"x-content-type-options": "nosniff", "cache-control": "no-store"}


def add_run_routes(app: FastAPI, studio: Studio) -> None:
    @app.get("/now")
    def now() -> Response:
        return JSONResponse(state_now(studio), headers=SAFE)

    @app.get("/runs/{name}/log.txt")
    def log(name: str) -> Response:
        run = _listed(name, studio)
        if run is None:
            return _not_found()
        try:
            view = fold(run.log.read()[0])
        except UserError as error:
            return PlainTextResponse(str(error), 409, headers=SAFE)
        lines = [f"{clock}  {text}" for clock, text in view.log] + ([view.failure.detail] if view.failure else [])
        return PlainTextResponse("\n".join(lines) + "\n", headers={**SAFE, **_attachment(f"{name}-log.txt")})

    @app.get("/runs/{name}/everything.zip")
    def everything(name: str, checkpoints: bool = False, photos: bool = False) -> Response:
        run = _listed(name, studio)
        if run is None:
            return _not_found()
        try:
            files = members(run, checkpoints, photos)
        except UserError as error:
            return PlainTextResponse(str(error), 409, headers=SAFE)
        return StreamingResponse(stream(files), media_type="application/zip", headers={**SAFE, **_attachment(f"{name}.zip")})


def state_now(studio: Studio) -> dict[str, Any]:
    """Of the newest run, and whether it is being trained: what a hidden page asks for to say when it ended."""
    working = studio.store.training_now()
    name = working or next(iter(studio.store.names()), None)
    idle: dict[str, Any] = {"running": False, "name": name or "", "step": 0, "steps": 0, "ended": ""}
    if name is None:
        return idle
    try:
        run = studio.store.load(name)
        events = studio.reader.events(run.log)
    except UserError:
        return idle
    step = next((event.step for event in reversed(events) if isinstance(event, StepDone)), 0)
    steps = next((event.steps for event in reversed(events) if isinstance(event, RunStarted)), run.settings.train.steps)
    ended = events[-1].kind if events and events[-1].kind in ("finished", "stopped", "failed") else ""
    return {**idle, "running": working is not None, "step": step, "steps": steps, "ended": ended}


def _listed(name: str, studio: Studio) -> Run | None:
    """None for what is no run here, or one whose record cannot be read."""
    try:
        return studio.store.load(name) if name in studio.store.names() else None
    except UserError:
        return None


def _attachment(name: str) -> dict[str, str]:
    return {"content-disposition": f"attachment; filename*=UTF-8''{quote(name)}"}


def _not_found() -> Response:
    return PlainTextResponse("not found", 404)
