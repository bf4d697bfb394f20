"""The studio as one application: our routes and Gradio's page, everything of Gradio's switched off that could tell or keep anything."""

from __future__ import annotations

import fastapi
import gradio as gr
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse

from ui.layout import build_page
from ui.server.compression import CompressPage
from ui.server.downloads import CountDownloads
from ui.server.files import add_file_routes
from ui.server.runs import add_run_routes
from ui.server.scripts import HEAD as SCRIPTS
from ui.server.scripts import add_script_routes
from ui.server.serve import secrets_folder
from ui.server.uploads import add_upload_routes
from ui.studio import Studio
from ui.texts import frame as texts
from ui.theme import CSS, theme

LARGEST_UPLOAD = "32mb"
# Gradio keeps the form of every page load until there are more than so many. The one forgotten is the one unused for longest; should its tab still be open, everything is drawn anew there.
MOST_TABS = 16
# And a box for its messages, which must outlive whatever that page load has asked for.
MOST_MESSAGE_BOXES = 8 * MOST_TABS


def build_app(studio: Studio) -> fastapi.FastAPI:
    """Without the gate, which stands around it."""
    app = fastapi.FastAPI(docs_url=None, redoc_url=None, openapi_url=None)

    @app.api_route("/healthz", methods=["GET", "HEAD"])
    def healthz() -> dict[str, bool]:
        return {"ok": True}

    app.add_exception_handler(RequestValidationError, _not_understood)
    add_file_routes(app, studio)
    add_upload_routes(app, studio)
    add_script_routes(app)
    add_run_routes(app, studio)
    page = build_page(studio).queue(default_concurrency_limit=8, max_size=200)
    page.state_session_capacity = MOST_TABS
    page._queue.pending_messages_per_session.max_size = MOST_MESSAGE_BOXES
    page._queue.ANALYTICS_MAX_EVENTS = 1  # it takes notes of each question, for a page of figures that is off
    gr.mount_gradio_app(
        app, page, path="/", theme=theme(), css=CSS, head=SCRIPTS, footer_links=[], show_error=False, run_history=False, enable_monitoring=False, ssr_mode=False,
        mcp_server=False, pwa=False, allowed_paths=[], blocked_paths=[str(secrets_folder(studio.store.root).resolve())], max_file_size=LARGEST_UPLOAD,
    )  # fmt: skip
    # Gradio checks which files a request may name only once this is set, and a mounted page is never "launched": without it a made-up file value reads any file of the machine.
    page.has_launched = True
    app.add_middleware(CountDownloads, downloads=studio.downloads)
    app.add_middleware(CompressPage)
    return app


def _not_understood(_: fastapi.Request, error: RequestValidationError) -> fastapi.Response:
    """In words the page can show. Without what was sent: fastapi repeats it, and stumbles over names that are no text (Windows has such files) and over numbers that are none."""
    fault = error.errors()[0]
    return JSONResponse({"what": texts.NOT_UNDERSTOOD.format(part=fault["loc"][-1], fault=fault["msg"]), "fix": texts.NOT_UNDERSTOOD_FIX}, 422)
