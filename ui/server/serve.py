"""The server: our routes and the page behind one gate; the main thread owns the signals, so that a stop saves first."""

from __future__ import annotations

import logging
import signal
import threading
from pathlib import Path

import fastapi
import gradio as gr
import uvicorn

from core.caption_tasks import captions_stop
from ui.layout import build_page
from ui.server.files import add_file_routes
from ui.server.gate import Gate
from ui.server.scripts import HEAD as SCRIPTS
from ui.server.scripts import add_script_routes
from ui.server.uploads import add_upload_routes
from ui.studio import Studio
from ui.theme import CSS, HEAD, theme

SECONDS_TO_SAVE = 4.0
LARGEST_UPLOAD = "64mb"


def build_app(studio: Studio, token: str | None, secret: bytes) -> Gate:
    """The whole application; `token` None serves without login, for loopback only."""
    app = fastapi.FastAPI(docs_url=None, redoc_url=None, openapi_url=None)

    @app.get("/healthz")
    def healthz() -> dict[str, bool]:
        return {"ok": True}

    add_file_routes(app, studio)
    add_upload_routes(app, studio)
    add_script_routes(app)
    page = build_page(studio).queue(default_concurrency_limit=8, max_size=200)
    gr.mount_gradio_app(
        app, page, path="/", theme=theme(), css=CSS, head=HEAD + SCRIPTS, footer_links=[], show_error=False, run_history=False, enable_monitoring=False, ssr_mode=False,
        mcp_server=False, pwa=False, allowed_paths=[], max_file_size=LARGEST_UPLOAD,
    )  # fmt: skip
    return Gate(app, token, secret)


def serve(app: Gate, studio: Studio, host: str, port: int) -> int:
    """Until SIGINT or SIGTERM: then a running job finishes its step, saves, and the process ends. Returns the exit code."""
    config = uvicorn.Config(app, host=host, port=port, log_level="warning", access_log=False, server_header=False, proxy_headers=False, timeout_graceful_shutdown=1)
    server = uvicorn.Server(config)
    asked = threading.Event()

    def ask(number: int, _: object) -> None:
        if studio.trainer.is_busy():
            studio.store.stop_request().make("shutdown")
        if studio.captioner.is_busy():
            captions_stop(studio.store).make("shutdown")
        asked.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, ask)
    thread = threading.Thread(target=server.run, name="http", daemon=True)
    thread.start()
    while not asked.wait(0.5):
        if not thread.is_alive():
            return 1
    saved = studio.trainer.wait(SECONDS_TO_SAVE)
    logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)  # open streams of closing tabs are no news
    server.should_exit = True
    thread.join(2)
    return 0 if saved else 1


def secrets_folder(output: Path) -> Path:
    return output / ".secrets"
