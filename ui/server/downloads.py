"""Downloads: how many files are being fetched right now, so that no pod is stopped under one."""

from __future__ import annotations

import threading

from starlette.types import ASGIApp, Message, Receive, Scope, Send


class Downloads:
    """Counts answers that the browser saves as a file, from their first byte to their last."""

    def __init__(self) -> None:
        self._changing = threading.Lock()
        self._active = 0

    @property
    def active(self) -> int:
        return self._active

    def change(self, by: int) -> None:
        with self._changing:
            self._active += by


class CountDownloads:
    """ASGI middleware around every route, so that a new one is counted too."""

    def __init__(self, app: ASGIApp, downloads: Downloads) -> None:
        self.app = app
        self.downloads = downloads

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        counted = False

        async def count(message: Message) -> None:
            nonlocal counted
            if message["type"] == "http.response.start" and not counted and _is_download(message):
                counted = True
                self.downloads.change(1)
            await send(message)

        try:
            await self.app(scope, receive, count)
        finally:
            if counted:
                self.downloads.change(-1)


def _is_download(message: Message) -> bool:
    return any(name.lower() == b"content-disposition" and value.lower().startswith(b"attachment") for name, value in message.get("headers", []))
