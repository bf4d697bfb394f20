"""Identity LoRA Studio: `python app.py [--host H] [--port P] [--public]` serves the page and runs the trainings it starts."""

from __future__ import annotations

import argparse
import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ui.studio import Studio

# Read by gradio and huggingface_hub when they are imported: nothing is reported anywhere, no bar fills the log.
os.environ.update(GRADIO_ANALYTICS_ENABLED="False", HF_HUB_DISABLE_TELEMETRY="1", HF_HUB_DISABLE_PROGRESS_BARS="1", GRADIO_SHARE="False")

LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--host", default=os.environ.get("HOST", "127.0.0.1"))
    parser.add_argument("--port", type=int, default=int(os.environ.get("PORT", "7860")))
    parser.add_argument("--public", action="store_true", help="ask for the access token on loopback too")
    arguments = parser.parse_args()
    os.chdir(Path(__file__).resolve().parent)

    from core.errors import UserError
    from core.pocket.demo import make_demo_subject
    from core.presets import guide_variables, resolve
    from core.runs import RunStore
    from ui.server.gate import access_token, cookie_secret
    from ui.server.serve import build_app, secrets_folder, serve
    from ui.studio import DEFAULT_DATASET, Studio

    try:
        make_demo_subject()
        DEFAULT_DATASET.mkdir(parents=True, exist_ok=True)
        settings = resolve("fast", os.environ).settings
        store = RunStore(Path(settings.run.output))
        secrets = secrets_folder(store.root)
        needs_token = arguments.public or arguments.host not in LOOPBACK
        token = access_token(secrets, os.environ) if needs_token else None
        studio = Studio(store, guide_variables(os.environ), hub_token=os.environ.get("HF_TOKEN") or None)
        app = build_app(studio, token, cookie_secret(secrets))
    except (UserError, OSError) as error:
        print(f"Refused: {error}", file=sys.stderr)
        return 2
    goes_on = os.environ.get("AUTO_RESUME", "") not in ("", "0")
    if goes_on:
        go_on(studio)
    studio.trash.sweep(time.time())
    studio.runner.begin(goes_on)
    print(f"Identity LoRA Studio: {address(arguments.host, arguments.port, token)}", flush=True)
    return serve(app, studio, arguments.host, arguments.port)


def go_on(studio: Studio) -> None:
    """Resume the run that was broken off when the machine went down; what stands in the way is printed, and the page comes up."""
    from core.errors import UserError
    from core.tasks import interrupted_run, start_resume

    try:
        name = interrupted_run(studio.store)
        if name:
            start_resume(studio.trainer, name, studio.store)
            print(f"Going on with run '{name}'", flush=True)
    except UserError as error:
        print(f"Not resumed: {error}", file=sys.stderr)


def address(host: str, port: int, token: str | None) -> str:
    """Where to point the browser; the token stands behind #, which browsers do not send."""
    pod = os.environ.get("RUNPOD_POD_ID")
    base = f"https://{pod}-{port}.proxy.runpod.net" if pod and host not in LOOPBACK else f"http://{'localhost' if host in ('0.0.0.0', '::') else host}:{port}"
    return f"{base}/login#{token}" if token else base


if __name__ == "__main__":
    sys.exit(main())
