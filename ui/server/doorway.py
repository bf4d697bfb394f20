"""The door: answers from the first second on, says what it waits for, and leads into the studio once that is built."""

from __future__ import annotations

import asyncio
from concurrent.futures import Future
from html import escape

from fastapi import FastAPI
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from ui.server.door_style import DOOR_STYLE
from ui.texts import door as texts
from ui.texts.frame import TITLE


class Doorway:
    """The ASGI application behind the gate. `words` may change while people wait; everything else is told to come back."""

    def __init__(self) -> None:
        self.words = texts.STARTING
        self._studio: ASGIApp | None = None
        self._built: Future[FastAPI] = Future()
        self._opened: Future[None] = Future()

    def open(self, studio: FastAPI) -> None:
        """From another thread: start the studio inside the server and lead everybody in. Raises what its start raised."""
        self._built.set_result(studio)
        self._opened.result()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            return await self._live(receive, send)
        if self._studio is not None:
            return await self._studio(scope, receive, send)
        await self._not_yet(scope)(scope, receive, send)

    def _not_yet(self, scope: Scope) -> Response:
        if scope["path"] == "/healthz":
            return JSONResponse({"ok": False}, 503, {"retry-after": "1"})
        if scope["path"] == "/" and scope["method"] in ("GET", "HEAD"):
            return HTMLResponse(WAITING_PAGE.replace("WORDS", escape(self.words).replace("\n", "<br>")), headers={"cache-control": "no-store"})
        return PlainTextResponse("the studio is not open yet", 503, {"retry-after": "1"})

    async def _live(self, receive: Receive, send: Send) -> None:
        """The server's life: started at once, the studio's own life inside it, in one task as its context demands."""
        await receive()
        await send({"type": "lifespan.startup.complete"})
        ending = asyncio.ensure_future(receive())
        await asyncio.wait({ending, asyncio.wrap_future(self._built)}, return_when=asyncio.FIRST_COMPLETED)
        if not ending.done():
            await self._lead_in(self._built.result(), ending)
        await send({"type": "lifespan.shutdown.complete"})

    async def _lead_in(self, studio: FastAPI, ending: asyncio.Future) -> None:
        try:
            async with studio.router.lifespan_context(studio):
                self._studio = studio
                self._opened.set_result(None)
                await ending
        except Exception as error:
            if self._opened.done():
                raise
            self._opened.set_exception(error)
            await ending


WAITING_PAGE = f"""<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1"><meta http-equiv="refresh" content="2">
<link rel="icon" href="data:,"><title>{TITLE}</title>
{DOOR_STYLE}
<main><h1>{TITLE}</h1><p role="status">WORDS</p></main></html>"""
