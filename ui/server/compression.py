"""The page and the answers of its clocks, compressed: 300 kB of form become 40, which a phone waits for. Files, pictures and streams go as they are.

Nothing of this holds a secret, which the size of an answer with foreign text in it could give away: the token is only in the login's request and the cookie in a header.
"""

from __future__ import annotations

from starlette.middleware.gzip import GZipMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send

COMPRESSED = frozenset({"/", "/config", "/gradio_api/run/predict"})
LEVEL = 3  # the highest takes three times as long for a seventh of the size less


class CompressPage:
    """ASGI middleware; everything but COMPRESSED is passed by."""

    def __init__(self, app: ASGIApp) -> None:
        self._plain = app
        self._compressed = GZipMiddleware(app, compresslevel=LEVEL)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        chosen = self._compressed if scope["type"] == "http" and scope["path"] in COMPRESSED else self._plain
        await chosen(scope, receive, send)
