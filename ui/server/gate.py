"""The gate around everything the server answers: a token once, a signed cookie from then on, and only our own pages may call.

Deny by default: a route that is added later is closed by construction. Only the login page and /healthz are open.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
import time
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from starlette.requests import HTTPConnection
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

OPEN_PATHS = frozenset({"/healthz"})
COOKIE_SECONDS = 14 * 86400
SHORTEST_TOKEN = 16
LARGEST_LOGIN = 4096
TRIES_PER_MINUTE = 10
LOCAL_HOSTS = frozenset({"localhost", "127.0.0.1", "[::1]"})
SAFE_HEADERS = ((b"x-content-type-options", b"nosniff"), (b"referrer-policy", b"same-origin"), (b"x-frame-options", b"SAMEORIGIN"), (b"x-robots-tag", b"noindex"))


class Gate:
    """ASGI middleware. Without a token (loopback) it still refuses calls from other origins."""

    def __init__(self, app: ASGIApp, token: str | None, secret: bytes) -> None:
        if token is not None and len(token) < SHORTEST_TOKEN:
            raise ValueError(f"the access token has {len(token)} characters; {SHORTEST_TOKEN} are the least")
        self.app = app
        self.token = token
        self.secret = secret
        self.failed_tries: list[float] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            return await self.app(scope, receive, send)
        connection = HTTPConnection(scope)
        is_http = scope["type"] == "http"
        if is_http and scope["path"] in OPEN_PATHS and scope["method"] in ("GET", "HEAD"):
            return await self.app(scope, receive, send)
        if is_http and scope["path"] == "/login" and self.token is not None:
            return await (await self._login(connection, scope, receive))(scope, receive, send)
        refusal = self._refusal(connection, scope)
        if refusal is None:
            headers = [(name, value) for name, value in scope["headers"] if name != b"origin"]
            return await self.app({**scope, "headers": headers}, receive, _with_safe_headers(send))
        if is_http:
            return await refusal(scope, receive, send)
        await receive()
        await send({"type": "websocket.close", "code": 4403})

    def _refusal(self, connection: HTTPConnection, scope: Scope) -> Response | None:
        """None for a request that may pass."""
        if self.token is not None and not self._is_known(connection):
            is_page = scope["type"] == "http" and scope["method"] in ("GET", "HEAD") and scope["path"] == "/"
            return RedirectResponse("login", 303) if is_page else PlainTextResponse("login required", 401)
        opens_page = scope["type"] == "http" and scope["method"] == "GET" and connection.headers.get("sec-fetch-dest") == "document"
        if not opens_page and not is_same_origin(connection):
            return PlainTextResponse("requests from other origins are refused", 403)
        return None

    def _is_known(self, connection: HTTPConnection) -> bool:
        bearer = connection.headers.get("authorization", "").removeprefix("Bearer ")
        return self._is_token(bearer) or self._is_signed(connection.cookies.get(cookie_name(connection), ""))

    def _is_token(self, text: str) -> bool:
        return self.token is not None and hmac.compare_digest(text.encode(), self.token.encode())

    def _sign(self, expires: int) -> str:
        message = f"{expires}:{hashlib.sha256((self.token or '').encode()).hexdigest()}"
        return f"{expires}.{hmac.new(self.secret, message.encode(), 'sha256').hexdigest()}"

    def _is_signed(self, cookie: str) -> bool:
        expires = cookie.partition(".")[0]
        if not (expires.isascii() and expires.isdigit() and len(expires) < 16):
            return False
        return int(expires) > time.time() and hmac.compare_digest(cookie.encode(), self._sign(int(expires)).encode())

    async def _login(self, connection: HTTPConnection, scope: Scope, receive: Receive) -> Response:
        if scope["method"] in ("GET", "HEAD"):
            return login_page("", 200)
        if scope["method"] != "POST" or not is_same_origin(connection):
            return PlainTextResponse("refused", 403)
        self.failed_tries = [then for then in self.failed_tries if time.monotonic() - then < 60]
        body = b""
        while True:
            message = await receive()
            body += message.get("body", b"")
            if len(body) > LARGEST_LOGIN:
                return PlainTextResponse("too large", 413)
            if not message.get("more_body"):
                break
        given = parse_qs(body.decode("utf-8", "replace")).get("token", [""])[0].strip()
        # The owner's token always opens; the brake only counts and slows what is wrong.
        if self._is_token(given):
            return self._welcome(connection)
        if len(self.failed_tries) >= TRIES_PER_MINUTE:
            return login_page("Too many wrong tries in this minute.", 429)
        self.failed_tries.append(time.monotonic())
        return login_page("That token is not right.", 401)

    def _welcome(self, connection: HTTPConnection) -> Response:
        response = RedirectResponse("./", 303)
        value = self._sign(int(time.time()) + COOKIE_SECONDS)
        response.set_cookie(cookie_name(connection), value, COOKIE_SECONDS, path="/", secure=not is_local(connection), httponly=True, samesite="lax")
        return response


def is_local(connection: HTTPConnection) -> bool:
    """Called as localhost: plain http, where browsers drop Secure cookies."""
    return connection.headers.get("host", "").rpartition(":")[0] in LOCAL_HOSTS or connection.headers.get("host") in LOCAL_HOSTS


def cookie_name(connection: HTTPConnection) -> str:
    """__Host- pins the cookie to this very host: another pod's page cannot plant one."""
    return "studio" if is_local(connection) else "__Host-studio"


def is_same_origin(connection: HTTPConnection) -> bool:
    """SameSite cookies are not enough: every pod on the provider's proxy is the same site."""
    if connection.headers.get("sec-fetch-site") in ("cross-site", "same-site"):
        return False
    origin = connection.headers.get("origin")
    return origin is None or urlsplit(origin).netloc == connection.headers.get("host")


def _with_safe_headers(send: Send) -> Send:
    async def send_with(message: Message) -> None:
        if message["type"] == "http.response.start":
            present = {name.lower() for name, _ in message.get("headers", [])}
            message = {**message, "headers": [*message.get("headers", []), *(header for header in SAFE_HEADERS if header[0] not in present)]}
        await send(message)

    return send_with


def access_token(folder: Path, environment: Mapping[str, str]) -> str:
    """APP_TOKEN, else the one kept in `folder`, else a new one kept there."""
    return environment.get("APP_TOKEN") or _kept(folder / "access_token", lambda: secrets.token_urlsafe(24))


def cookie_secret(folder: Path) -> bytes:
    """Kept, so that a restart does not log everybody out."""
    return _kept(folder / "cookie_secret", lambda: secrets.token_hex(32)).encode()


def _kept(file: Path, make) -> str:
    """What is in the file, or something new that only the owner may read."""
    if file.is_file() and (kept := file.read_text(encoding="utf-8").strip()):
        return kept
    file.parent.mkdir(parents=True, exist_ok=True)
    value = make()
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as opened:
        opened.write(value)
    return value


def login_page(message: str, status: int) -> Response:
    """The token may stand behind # in the address (printed so at start): it is never sent in a request line."""
    policy = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; form-action 'self'"
    return HTMLResponse(LOGIN_PAGE.replace("MESSAGE", message), status, headers={"content-security-policy": policy, "cache-control": "no-store", "x-frame-options": "DENY"})


LOGIN_PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1"><title>Identity LoRA Studio</title>
<style>body{font:16px system-ui,sans-serif;display:grid;place-items:center;min-height:90vh;margin:0;background:#f7f6f4;color:#24211d}
form{display:grid;gap:.8rem;width:min(22rem,88vw)}h1{font-size:1.3rem;margin:0}input,button{font:inherit;padding:.6rem .7rem;border-radius:.5rem;border:1px solid #b7b1a8}
button{background:#2f6f5e;color:#fff;border:0;cursor:pointer}p{color:#a3281c;min-height:1.2em;margin:0}
@media(prefers-color-scheme:dark){body{background:#1b1a18;color:#eee}input{background:#2a2825;color:#eee}p{color:#ff9d91}}</style>
<form method="post" action="login"><h1>Identity LoRA Studio</h1><label for="token">Access token</label>
<input id="token" name="token" type="password" autocomplete="current-password" autofocus required>
<p role="alert">MESSAGE</p><button>Open</button><small>The token was printed where the studio was started.</small></form>
<script>if(location.hash.length>1){document.getElementById("token").value=location.hash.slice(1);history.replaceState(null,"",location.pathname);document.forms[0].submit()}</script></html>"""
