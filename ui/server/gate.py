"""The gate around everything the server answers: a token once, a signed cookie from then on, and only our own pages may call.

Deny by default: a route that is added later is closed by construction. Only the login page and /healthz are open.
"""

from __future__ import annotations

from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import HTTPConnection
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from core.errors import UserError
from ui.server.bodies import answer_with_limit, is_a_length
from ui.server.credentials import COOKIE_SECONDS, Credentials
from ui.server.headers import with_safe_headers
from ui.server.login import Brake, given_token, login_page
from ui.texts import door as texts

OPEN_PATHS = frozenset({"/healthz"})
LOCAL_HOSTS = frozenset({"localhost", "127.0.0.1", "[::1]"})
# What proxies add to a request they pass on. Many also put the local name in place of the one that was called: nginx does so unless it is told otherwise, on the images of rented pods too.
FORWARDING = frozenset({"forwarded", "via", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-real-ip", "cf-connecting-ip"})
# What Gradio serves and this page never asks for: not even the owner's browser may be led there.
SHUT_PATHS = (
    "/monitoring", "/pwa_icon", "/gradio_api/api", "/gradio_api/call", "/gradio_api/custom_component", "/gradio_api/deep_link", "/gradio_api/dev", "/gradio_api/mcp", "/gradio_api/monitoring", "/gradio_api/openapi.json",
    "/gradio_api/process_recording", "/gradio_api/proxy=", "/gradio_api/run-history", "/gradio_api/runs", "/gradio_api/stream", "/gradio_api/vibe",
)  # fmt: skip


class Gate:
    """ASGI middleware. Without a token (loopback) it still refuses other origins, other names of this machine and what a proxy passes on."""

    def __init__(self, app: ASGIApp, credentials: Credentials, brake: Brake) -> None:
        self.app = app
        self.credentials = credentials
        self.brake = brake

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            return await self.app(scope, receive, send)
        if scope["type"] == "websocket":
            return await self._websocket(scope, receive, send)
        await self._http(scope, receive, with_safe_headers(send, scope["path"]))

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        connection = HTTPConnection(scope)
        if scope["path"] in OPEN_PATHS and scope["method"] in ("GET", "HEAD"):
            return await self.app(scope, receive, send)
        if not is_a_length(connection.headers.get("content-length")):
            return await PlainTextResponse("the content-length is no number", 400)(scope, receive, send)
        if scope["path"] == "/login":
            return await (await self._login(connection, scope, receive))(scope, receive, send)
        refusal = await self._refusal(connection, scope)
        if refusal is not None:
            return await refusal(scope, receive, send)
        if scope["path"] == "/logout" and self.credentials.token is not None:
            return await (await self._logout(connection, scope))(scope, receive, send)
        # Gradio reflects any Origin it sees with credentials allowed; it sees none.
        headers = [(name, value) for name, value in scope["headers"] if name != b"origin"]
        await answer_with_limit(self.app, {**scope, "headers": headers}, receive, send)

    async def _websocket(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The page uses none; one that passes here finds no route behind."""
        connection = HTTPConnection(scope)
        code = 4401 if not self._is_known(connection) else 4403 if not is_same_origin(connection) else None
        if code is None:
            return await self.app(scope, receive, send)
        await receive()
        await send({"type": "websocket.close", "code": code})

    async def _refusal(self, connection: HTTPConnection, scope: Scope) -> Response | None:
        """None for a request that may pass."""
        if not self._is_known(connection):
            if self.credentials.token is None:
                return PlainTextResponse(texts.NOT_LOCAL, 403)
            if connection.headers.get("authorization"):
                return PlainTextResponse("login required", await self.brake.wrong())
            is_page = scope["method"] in ("GET", "HEAD") and scope["path"] == "/"
            return RedirectResponse("login", 303) if is_page else PlainTextResponse("login required", 401)
        if not self._opens_page(connection, scope) and not is_same_origin(connection):
            return PlainTextResponse("requests from other origins are refused", 403)
        if scope["path"].startswith(SHUT_PATHS):
            return PlainTextResponse("not found", 404)
        return None

    def _opens_page(self, connection: HTTPConnection, scope: Scope) -> bool:
        """A link from elsewhere may open the page itself in a tab of its own, and nothing else."""
        return scope["method"] == "GET" and scope["path"] == "/" and connection.headers.get("sec-fetch-dest") == "document"

    def _is_known(self, connection: HTTPConnection) -> bool:
        """Without a token, whoever calls this machine by its local name and not through a proxy: a page that makes another name point here gets nothing, and neither does the world."""
        if self.credentials.token is None:
            return is_local(connection.headers.get("host", "")) and FORWARDING.isdisjoint(connection.headers.keys())
        scheme, _, bearer = connection.headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer" and self.credentials.is_token(bearer.strip()):
            return True
        return self.credentials.is_cookie(connection.cookies.get(cookie_name(connection), ""))

    async def _login(self, connection: HTTPConnection, scope: Scope, receive: Receive) -> Response:
        if self.credentials.token is None:
            return RedirectResponse("./", 303)
        if scope["method"] in ("GET", "HEAD"):
            return login_page("", 200)
        if scope["method"] != "POST":
            return PlainTextResponse("method not allowed", 405, {"allow": "GET, HEAD, POST"})
        if not is_same_origin(connection):
            return PlainTextResponse("requests from other origins are refused", 403)
        given = await given_token(receive)
        if given is None:
            return PlainTextResponse("no token arrived", 413)
        if self.credentials.is_token(given):
            return self._welcome(connection)
        status = await self.brake.wrong()
        return login_page(texts.NOT_RIGHT if status == 401 else texts.TOO_MANY, status)

    def _welcome(self, connection: HTTPConnection) -> Response:
        response = RedirectResponse("./", 303)
        response.set_cookie(value=self.credentials.cookie(), max_age=COOKIE_SECONDS, **cookie_kind(connection))
        return response


    async def _logout(self, connection: HTTPConnection, scope: Scope) -> Response:
        """Ends every browser's login: a cookie that was copied, or left on a machine of somebody else, with them."""
        if scope["method"] != "POST":
            return PlainTextResponse("method not allowed", 405, {"allow": "POST"})
        try:
            await run_in_threadpool(self.credentials.end_all_cookies)
        except UserError as error:
            return PlainTextResponse(texts.STILL_LOGGED_IN.format(error=error), 507)
        response = RedirectResponse("login", 303)
        response.delete_cookie(**cookie_kind(connection))
        return response


def host_of(connection: HTTPConnection) -> str:
    """As the browser named it. A page of another origin cannot add the forwarding header without being asked for permission first."""
    return connection.headers.get("x-forwarded-host") or connection.headers.get("host", "")


def is_local(host: str) -> bool:
    """Called as localhost: plain http, where browsers drop Secure cookies."""
    return host.lower() in LOCAL_HOSTS or host.lower().rpartition(":")[0] in LOCAL_HOSTS


def cookie_name(connection: HTTPConnection) -> str:
    """__Host- pins the cookie to this very host: another pod's page cannot plant one."""
    return "studio" if is_local(host_of(connection)) else "__Host-studio"


def cookie_kind(connection: HTTPConnection) -> dict[str, Any]:
    """What the cookie is apart from its value; a browser deletes only one that is named and kept in the same way."""
    return {"key": cookie_name(connection), "path": "/", "secure": not is_local(host_of(connection)), "httponly": True, "samesite": "lax"}


def is_same_origin(connection: HTTPConnection) -> bool:
    """SameSite cookies are not enough: every pod on the provider's proxy is the same site."""
    if connection.headers.get("sec-fetch-site") in ("cross-site", "same-site"):
        return False
    origin = connection.headers.get("origin")
    # An origin is a scheme and a host, nothing else (RFC 6454, 6.2): cut, not parsed, so that no text a stranger makes up can be a fault.
    return origin is None or origin.partition("://")[2].lower() in {connection.headers.get("host", "").lower(), host_of(connection).lower()} - {""}
