"""The headers every answer carries: no sniffing, no framing, no search engine, no shared cache, and scripts and pictures from here only."""

from __future__ import annotations

import re

from starlette.types import Message, Send

# Gradio's page needs inline scripts and eval (plots, its HTML component); what this policy stops is fetching from and sending to anywhere else.
POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; font-src 'self' data:; media-src 'self' data: blob:; "
    "connect-src 'self' data: blob:; worker-src 'self' blob:; object-src 'none'; base-uri 'self'; form-action 'self'; frame-ancestors 'self'"
)
ALWAYS = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"same-origin"),
    (b"x-frame-options", b"SAMEORIGIN"),
    (b"x-robots-tag", b"noindex, nofollow"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"content-security-policy", POLICY.encode()),
    # A content network in front keeps what looks like a picture or an archive for everybody, unless it is told not to.
    (b"cache-control", b"private, no-cache"),
)
# Proxies that collect a stream before they pass it on would show progress in jumps.
STREAMS = ((b"x-accel-buffering", b"no"), (b"cache-control", b"no-cache, no-transform"))


# Gradio names its scripts and styles by their content and answers no question whether they changed: without this each visit fetches all of them again.
NAMED_BY_CONTENT = re.compile(r"/assets/[\w./-]+-[\w-]{8}\.(?:js|css|woff2?)")
KEPT_FOR_GOOD = (b"cache-control", b"private, max-age=31536000, immutable")


def with_safe_headers(send: Send, path: str) -> Send:
    """Adds what an answer for this path does not set itself."""

    async def send_with(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = list(message.get("headers", []))
            if any(name.lower() == b"content-type" and value.startswith(b"text/event-stream") for name, value in headers):
                headers = [header for header in headers if header[0].lower() != b"cache-control"] + list(STREAMS)
            if message["status"] == 200 and NAMED_BY_CONTENT.fullmatch(path):
                headers = [header for header in headers if header[0].lower() != b"cache-control"] + [KEPT_FOR_GOOD]
            present = {name.lower() for name, _ in headers}
            message = {**message, "headers": [*headers, *(header for header in ALWAYS if header[0] not in present)]}
        await send(message)

    return send_with
