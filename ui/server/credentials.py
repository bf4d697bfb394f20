"""The access token and the cookie made from it: kept on the volume for the owner only, signed so that a restart does not log out and a new token does."""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from core.durable import storage_error
from core.errors import Refused

COOKIE_SECONDS = 14 * 86400
SHORTEST_TOKEN = 16
FEWEST_CHARACTERS = 8  # different ones: a long row of the same is guessed at once
MAKE_ONE = "Leave APP_TOKEN out and one is made, or make one: python -c 'import secrets; print(secrets.token_urlsafe(24))'"


@dataclass
class Credentials:
    """`token` None: nobody has to log in. `secret` signs the cookies, `renew` makes the one that takes its place."""

    token: str | None = field(repr=False)
    secret: bytes = field(repr=False)
    renew: Callable[[], bytes] = field(default=lambda: secrets.token_bytes(32), repr=False)

    def __post_init__(self) -> None:
        if self.token is None:
            return
        if len(self.token) < SHORTEST_TOKEN or len(set(self.token)) < FEWEST_CHARACTERS:
            raise Refused(f"The access token is too easy to guess: {len(self.token)} characters, {len(set(self.token))} different ones. {SHORTEST_TOKEN} and {FEWEST_CHARACTERS} are the least.", "APP_TOKEN", MAKE_ONE)
        if not (self.token.isascii() and self.token.isprintable()) or " " in self.token:
            raise Refused("The access token has characters that do not survive an address or a header.", "APP_TOKEN", MAKE_ONE)

    def is_token(self, text: str) -> bool:
        """In a time that tells nothing."""
        return self.token is not None and hmac.compare_digest(text.encode("utf-8", "surrogatepass"), self.token.encode())

    def cookie(self) -> str:
        return self._signed(int(time.time()) + COOKIE_SECONDS)

    def is_cookie(self, text: str) -> bool:
        expires = text.partition(".")[0]
        if not (expires.isascii() and expires.isdigit() and len(expires) < 16):
            return False
        return int(expires) > time.time() and hmac.compare_digest(text.encode("utf-8", "surrogatepass"), self._signed(int(expires)).encode())

    def end_all_cookies(self) -> None:
        """Raises UserError when the new secret cannot be kept; the cookies are good then as they were."""
        self.secret = self.renew()

    def _signed(self, expires: int) -> str:
        message = f"{expires}:{hashlib.sha256((self.token or '').encode()).hexdigest()}"
        return f"{expires}.{hmac.new(self.secret, message.encode(), 'sha256').hexdigest()}"


def access_token(folder: Path, environment: Mapping[str, str]) -> str:
    """APP_TOKEN, else the one kept in `folder`, else a new one kept there."""
    return environment.get("APP_TOKEN", "").strip() or _kept(folder / "access_token", lambda: secrets.token_urlsafe(24))


def cookie_secret(folder: Path) -> bytes:
    """Kept, so that a restart does not log everybody out."""
    return _kept(folder / "cookie_secret", lambda: secrets.token_hex(32)).encode()


def new_cookie_secret(folder: Path) -> bytes:
    """Another one, kept in the place of the last. Raises UserError where that cannot be."""
    file = folder / "cookie_secret"
    try:
        file.unlink(missing_ok=True)
    except OSError as error:
        raise storage_error(error, file) from None
    return cookie_secret(folder)


def _kept(file: Path, make: Callable[[], str]) -> str:
    """What is in the file, or something new; only the owner may read it, also when it was copied here with wider rights."""
    try:
        if file.is_file() and (kept := file.read_text(encoding="utf-8").strip()):
            file.chmod(0o600)
            return kept
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        value = make()
        with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as opened:
            opened.write(value)
        file.chmod(0o600)
        return value
    except OSError as error:
        raise storage_error(error, file) from None
