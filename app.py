"""Identity LoRA Studio: `python app.py [--host H] [--port P] [--public]` serves the page and runs the trainings it starts."""

from __future__ import annotations

import argparse
import functools
import os
import socket
import sys
import threading
import time
from collections.abc import Mapping
from concurrent.futures import Future
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from core.masking import Mask
    from core.ownership import Claim
    from core.runs import RunStore
    from ui.server.doorway import Doorway
    from ui.studio import Studio

LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
SECRET_VARIABLES = ("APP_TOKEN", "HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "RUNPOD_API_KEY", "JUPYTER_PASSWORD")
SECONDS_BETWEEN_KNOCKS = 2.0
VOLUME_PROBE = 64 << 20


def main() -> int:
    arguments = parsed_arguments()
    os.chdir(Path(__file__).resolve().parent)
    settle_gradio()

    from core.errors import UserError
    from core.masking import Mask, MaskedStream
    from core.ownership import Claim, Heartbeat
    from core.presets import resolve
    from core.runs import RunStore
    from ui.server.credentials import Credentials, access_token, cookie_secret, new_cookie_secret
    from ui.server.doorway import Doorway
    from ui.server.gate import Gate
    from ui.server.login import Brake
    from ui.server.serve import Server, catch_signals, secrets_folder, serve

    try:
        store = RunStore(Path(resolve("fast", os.environ).settings.run.output))
        secrets = secrets_folder(store.root)
        # A pod's image brings proxies of its own, which lead the world to loopback.
        needs_token = arguments.public or arguments.host not in LOOPBACK or bool(os.environ.get("RUNPOD_POD_ID"))
        token = access_token(secrets, os.environ) if needs_token else None
        mask = Mask([token or "", *(os.environ.get(name, "") for name in SECRET_VARIABLES)])
        sys.stdout, sys.stderr = MaskedStream(sys.stdout, mask), MaskedStream(sys.stderr, mask)
        door = Doorway()
        credentials = Credentials(token, cookie_secret(secrets), functools.partial(new_cookie_secret, secrets))
        server = Server(Gate(door, credentials, Brake()), arguments.host, arguments.port)
        asked = catch_signals()
        server.start()
        # The one place where the token is shown, to whoever may read this log.
        print(f"Identity LoRA Studio: {address(arguments.host, arguments.port, token)}", file=sys.__stdout__, flush=True)
        studio = furnished(store, mask, needs_token)
        claim = Claim(store.root, studio.machine.pod or socket.gethostname())
        heartbeat = Heartbeat(claim)
        opening: Future[None] = Future()
        threading.Thread(target=settle, args=(opening, open_studio, door, studio, claim, heartbeat.start), name="opening", daemon=True).start()
        code = serve(server, opening, studio, lambda: heartbeat.lost, asked)
        heartbeat.stop()
        claim.release()
        return code
    except (UserError, OSError) as error:
        print(f"Refused: {error}", file=sys.stderr)
        return 2


def parsed_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--host", default=os.environ.get("HOST") or "127.0.0.1")
    parser.add_argument("--port", type=int, default=os.environ.get("PORT") or "7860")
    parser.add_argument("--public", action="store_true", help="ask for the access token on loopback too; on a rented pod it always is")
    return parser.parse_args()


def settle_gradio() -> None:
    """Gradio and huggingface_hub read these when they are imported: nothing is reported anywhere, and no variable of the machine opens what we closed."""
    for name in [name for name in os.environ if name.startswith("GRADIO_") and name != "GRADIO_TEMP_DIR"]:
        del os.environ[name]
    os.environ.update(GRADIO_ANALYTICS_ENABLED="False", GRADIO_SHARE="False", GRADIO_RUN_HISTORY="False", GRADIO_MCP_SERVER="False", GRADIO_SSR_MODE="False")
    os.environ.update(HF_HUB_DISABLE_TELEMETRY="1", HF_HUB_DISABLE_PROGRESS_BARS="1")


def furnished(store: RunStore, mask: Mask, asks_token: bool) -> Studio:
    """The studio with what this machine is and can; the secrets only this process needs leave the environment of its children."""
    from core.errors import UserError
    from core.jobs import Worker
    from core.machine import this_machine
    from core.pod_stop import PodStop, stopper
    from core.presets import guide_variables
    from ui.server.downloads import Downloads
    from ui.studio import Studio

    api_key = os.environ.pop("RUNPOD_API_KEY", "")
    os.environ.pop("APP_TOKEN", None)
    machine = this_machine(os.environ)
    trainer, analyst, captioner, fetcher = (Worker(machine, mask) for _ in range(4))
    downloads = Downloads()

    def busy() -> str | None:
        if trainer.is_busy() or analyst.is_busy() or captioner.is_busy() or store.holder() is not None:
            return "A job is running."
        waiting = runs_waiting(store)
        if waiting:
            return waiting
        return "A download is running." if downloads.active or fetcher.is_busy() else None

    try:
        pod_stop = PodStop(stopper(machine, api_key), busy)
    except UserError:
        pod_stop = None  # not a pod, or one that cannot be stopped from inside: the page offers nothing
    notes = tuple(filter(None, (machine.note, *(volume_notes(store, os.environ) if machine.pod else ()))))
    for note in notes:
        print(f"\n*** {note} ***\n", file=sys.stderr, flush=True)
    return Studio(
        store, guide_variables(os.environ), trainer=trainer, analyst=analyst, captioner=captioner, fetcher=fetcher, machine=machine, notes=notes, downloads=downloads, pod_stop=pod_stop,
        hub_token=os.environ.get("HF_TOKEN") or None, asks_token=asks_token,
    )  # fmt: skip


def runs_waiting(store: RunStore) -> str | None:
    """A queue that is held waits for a person, who may have gone home: it keeps no pod running. One that cannot be read does, and says so."""
    from core.errors import UserError
    from core.run_queue import RunQueue

    try:
        queue = RunQueue(store.root).read()
    except UserError as error:
        return error.what
    return "Runs are waiting." if queue.waiting and not queue.held else None


def volume_notes(store: RunStore, environment: Mapping[str, str]) -> list[str | None]:
    """What a pod says loudly: what lies on a disk that is wiped, and a volume that is full."""
    from core.dataset.subjects import DATA_FOLDER
    from core.volume import free_bytes, room_note, storage_note

    cache = Path(environment.get("HF_HOME") or "~/.cache/huggingface").expanduser()
    notes = [storage_note({"photos (data)": DATA_FOLDER, "LoRAs and runs (output)": store.root, "downloaded models (HF_HOME)": cache})]
    if free_bytes(store.root) is None:
        notes.append(room_note(store.root, VOLUME_PROBE))
    return notes


def settle(opening: Future[None], work, *arguments) -> None:
    """Run `work` and let `opening` tell how it went: an exception on a thread is seen by nobody else."""
    try:
        work(*arguments)
        opening.set_result(None)
    except BaseException as error:
        opening.set_exception(error)


def open_studio(door: Doorway, studio: Studio, claim: Claim, start_heartbeat) -> None:
    """Wait until the folder is ours, build the page, lead everybody in; the heavy imports are here, behind a server that answers already."""
    from core.ownership import waiting_words

    while (holder := claim.take()) is not None:
        words = waiting_words(studio.store.root, holder)
        if door.words != words:
            door.words = words
            print(words, file=sys.stderr, flush=True)
        time.sleep(SECONDS_BETWEEN_KNOCKS)
    start_heartbeat()

    from core.loading import set_libraries_aside
    from core.pocket.demo import make_demo_subject
    from ui.server.build import build_app
    from ui.studio import DEFAULT_DATASET

    make_demo_subject()
    DEFAULT_DATASET.mkdir(parents=True, exist_ok=True)
    page = build_app(studio)
    set_libraries_aside()
    door.open(page)
    goes_on = os.environ.get("AUTO_RESUME", "") not in ("", "0")
    if goes_on:
        go_on(studio)
    studio.trash.sweep(time.time())
    studio.runner.begin(goes_on)


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
    base = f"https://{pod}-{port}.proxy.runpod.net" if pod and host not in LOOPBACK else f"http://{'localhost' if host in ('0.0.0.0', '::', '') else host}:{port}"
    return f"{base}/login#{token}" if token else base


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    sys.stderr.flush()
    # Everything that had to be saved is; a thread in the middle of an analysis must not keep the process from ending.
    os._exit(code)
