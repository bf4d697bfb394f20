"""The server: our routes and the page behind one gate; the main thread owns the signals, so that a stop saves first."""

from __future__ import annotations

import logging
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path

import uvicorn

from core.caption_tasks import captions_stop
from core.errors import UserError
from ui.server.gate import Gate
from ui.server.patience import PatientProtocol
from ui.studio import Studio

# A pod gives 5 s between SIGTERM and SIGKILL; the rest of them is for the machine.
SECONDS_TO_SAVE = 3.5
SECONDS_FOR_STREAMS = 1


class Server:
    """uvicorn on a thread: on the main thread it would end the process before anything is saved."""

    def __init__(self, gate: Gate, host: str, port: int) -> None:
        """Raises UserError when the port is taken: known at once, not in the log of a thread."""
        self.socket = open_port(host, port)
        config = uvicorn.Config(
            gate, http=PatientProtocol, ws="none", lifespan="on", log_level="warning", access_log=False, server_header=False, proxy_headers=False, timeout_graceful_shutdown=SECONDS_FOR_STREAMS,
        )  # fmt: skip
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, kwargs={"sockets": [self.socket]}, name="http", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def is_up(self) -> bool:
        return self._thread.is_alive()

    def leave(self) -> None:
        """Stop answering; open streams get a second. Returns at once."""
        logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)  # streams of closing tabs are no news
        self._server.should_exit = True

    def wait(self, seconds: float) -> None:
        self._thread.join(max(0.0, seconds))


def open_port(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=2048)
    except OSError as error:
        raise UserError(f"The address cannot be served: {error.strerror or error}.", f"{host}:{port}", "Choose another port (--port, or the variable PORT), or end what uses this one.") from None


def catch_signals() -> threading.Event:
    """Is set by SIGINT or SIGTERM from now on; a second SIGINT ends the process at once. For the main thread, before anybody is answered."""
    asked = threading.Event()

    def ask(number: int, _: object) -> None:
        if asked.is_set() and number == signal.SIGINT:
            os._exit(130)
        asked.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, ask)
    return asked


def serve(server: Server, opening: Future[None], studio: Studio, lost: Callable[[], str | None], asked: threading.Event) -> int:
    """Until `asked` is set: then a running job finishes its step and saves, while the page closes. Returns the exit code.

    `opening` is the studio being built elsewhere; `lost` says who took the folder over, if somebody did. Raises what `opening` raised.
    """
    while not asked.wait(0.2):
        if opening.done():
            opening.result()
        if not server.is_up():
            return _leave_for("The server ended by itself; the log above says why.", server, studio)
        if holder := lost():
            return _leave_for(f"Another studio has taken this folder over: {holder}.", server, studio)
    ask_to_save(studio)
    leave(server, studio)
    return 0


def _leave_for(reason: str, server: Server, studio: Studio) -> int:
    print(f"{reason} Saving and leaving.", file=sys.stderr)
    ask_to_save(studio)
    leave(server, studio)
    return 1


def leave(server: Server, studio: Studio) -> None:
    """Page and job end side by side. A step that takes longer than there is time for goes on: whoever kills us decides how long it may."""
    ends = time.monotonic() + SECONDS_TO_SAVE
    server.leave()
    if not studio.trainer.wait(SECONDS_TO_SAVE):
        print("The step under way takes long; all is saved when it ends. Ctrl+C again ends at once, back to the last checkpoint.", file=sys.stderr)
        while not studio.trainer.wait(1.0):
            pass
    studio.captioner.wait(max(0.0, ends - time.monotonic()))
    server.wait(ends - time.monotonic())


def ask_to_save(studio: Studio) -> None:
    studio.runner.end()
    if studio.trainer.is_busy():
        studio.store.stop_request().make("shutdown")
    if studio.captioner.is_busy():
        captions_stop(studio.store).make("shutdown")


def secrets_folder(output: Path) -> Path:
    return output / ".secrets"
