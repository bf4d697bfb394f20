"""What stands before the page: the waiting page and the login."""

from __future__ import annotations

STARTING = "The studio is starting. This takes some seconds."
TOKEN = "Access token"
TOKEN_WHERE = "The token was printed where the studio was started: on a pod, in its container log."
OPEN = "Open"
NOT_RIGHT = "That token is not right."
TOO_MANY = "Too many wrong tries in this minute; answers come slowly now. The right token opens at any time."
NOT_ENCRYPTED = "This address is not encrypted, so the browser will not stay logged in and others can read along. Use the pod's https address, or an SSH tunnel and http://localhost."
NOT_LOCAL = "This studio asks for no access token, so it answers to localhost only, and to nothing that a proxy passes on. Open it as http://localhost, or start it with --public."
STILL_LOGGED_IN = "Nobody was logged out. {error}"
