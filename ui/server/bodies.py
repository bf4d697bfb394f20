"""The limit on what a request may send: counted as it arrives, because a body in chunks announces no length."""

from __future__ import annotations

from starlette.requests import ClientDisconnect
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

LARGEST_BODY = 32 << 20


def is_a_length(text: str | None) -> bool:
    """A content-length that is missing, or a plain number."""
    return text is None or (text.isascii() and text.isdigit() and len(text) < 20)


async def answer_with_limit(app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
    """Call `app`; a body beyond the limit is cut off for it and answered with 413, whatever it makes of that."""
    body = _Body(receive, send, dict(scope["headers"]).get(b"content-length"))
    try:
        await app(scope, body.receive, body.send)
    except ClientDisconnect:
        if not body.is_too_large:
            raise
    if body.is_too_large and not body.is_answered:
        await PlainTextResponse(f"a request may send {LARGEST_BODY >> 20} MiB", 413, {"connection": "close"})(scope, receive, send)


class _Body:
    """Stands between an application and the server; once too much has come, neither hears the other any more."""

    def __init__(self, receive: Receive, send: Send, announced: bytes | None) -> None:
        self._receive = receive
        self._send = send
        self._left = LARGEST_BODY
        self.is_too_large = announced is not None and int(announced) > LARGEST_BODY
        self.is_answered = False

    async def receive(self) -> Message:
        if self.is_too_large:
            return {"type": "http.disconnect"}
        message = await self._receive()
        self._left -= len(message.get("body", b""))
        if self._left >= 0:
            return message
        self.is_too_large = True
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        if self.is_too_large and not self.is_answered:
            return
        self.is_answered = True
        await self._send(message)
