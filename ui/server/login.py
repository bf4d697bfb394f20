"""The login page, and the brake on guessing that never stands in the owner's way."""

from __future__ import annotations

import asyncio
import json
import time
from collections import deque
from collections.abc import Awaitable, Callable
from html import escape
from urllib.parse import parse_qs

from starlette.responses import HTMLResponse, Response
from starlette.types import Receive

from ui.server.door_style import DOOR_STYLE
from ui.texts import door as texts
from ui.texts.frame import TITLE

LARGEST_LOGIN = 4096
SECONDS_TO_SEND = 10
TRIES_PER_MINUTE = 10
FIRST_DELAY, LONGEST_DELAY = 0.1, 8.0
MOST_WAITING = 64
POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'unsafe-inline'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"


class Brake:
    """Counts wrong tokens, whoever sent them (addresses are forged behind proxies), and answers ever later.

    A right token is looked at before the brake is: nobody can lock the owner out by guessing.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep) -> None:
        self._wrong: deque[float] = deque(maxlen=1000)
        self._waiting = 0
        self._clock = clock
        self._sleep = sleep

    async def wrong(self) -> int:
        """The status of the answer to a wrong token, after the delay it has earned: 401, or 429 beyond ten in a minute."""
        now = self._clock()
        while self._wrong and now - self._wrong[0] >= 60:
            self._wrong.popleft()
        self._wrong.append(now)
        too_many = len(self._wrong) - TRIES_PER_MINUTE
        if too_many <= 0:
            return 401
        if self._waiting < MOST_WAITING:  # more are not held: their connections would cost us more than them
            self._waiting += 1
            try:
                await self._sleep(min(FIRST_DELAY * 2.0 ** min(too_many - 1, 10), LONGEST_DELAY))
            finally:
                self._waiting -= 1
        return 429


async def given_token(receive: Receive) -> str | None:
    """What the form holds; None when it is too large, does not come in time, or breaks off."""
    try:
        async with asyncio.timeout(SECONDS_TO_SEND):
            body = b""
            while True:
                message = await receive()
                body += message.get("body", b"")
                if message["type"] != "http.request" or len(body) > LARGEST_LOGIN:
                    return None
                if not message.get("more_body"):
                    return parse_qs(body.decode("utf-8", "replace")).get("token", [""])[0].strip()
    except TimeoutError:
        return None


def login_page(message: str, status: int) -> Response:
    """The token may stand behind # in the address (printed so at start): it is never sent in a request line."""
    headers = {"content-security-policy": POLICY, "cache-control": "no-store", "x-frame-options": "DENY"}
    if status == 429:
        headers["retry-after"] = "60"
    return HTMLResponse(LOGIN_PAGE.replace("MESSAGE", escape(message)), status, headers=headers)


LOGIN_PAGE = f"""<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1"><link rel="icon" href="data:,"><title>{TITLE}</title>
{DOOR_STYLE}
<form method="post" action="login"><h1>{TITLE}</h1><label for="token">{texts.TOKEN}</label>
<input id="token" name="token" type="password" autocomplete="current-password" autofocus required>
<p role="alert" id="message">MESSAGE</p><button>{texts.OPEN}</button><small>{texts.TOKEN_WHERE}</small></form>
<script>const plain=location.protocol==="http:"&&!["localhost","127.0.0.1","[::1]"].includes(location.hostname);
if(plain)document.getElementById("message").textContent={json.dumps(texts.NOT_ENCRYPTED)};
if(location.hash.length>1){{document.getElementById("token").value=location.hash.slice(1);history.replaceState(null,"",location.pathname);if(!plain)document.forms[0].submit()}}</script></html>"""
