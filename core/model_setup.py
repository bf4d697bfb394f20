"""Gets FLUX.1-dev onto this machine from the page: what it takes is known first, a job with a log downloads it, and it goes on where it was stopped."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from core.errors import UserError
from core.events import Phase, RunEvent, RunFinished, RunStopped
from core.jobs import Job, Worker
from core.runs import EventLog, Request, RunStore

if TYPE_CHECKING:
    from core.flux.download import Forecast, Hub

SECONDS_BETWEEN_RECORDS = 2.0


def hub_of(token: str | None) -> Hub:
    """The Hugging Face hub and cache as its own library is set up here; the token is given, never looked for."""
    from huggingface_hub import constants

    from core.flux.download import Hub

    return Hub(Path(constants.HF_HUB_CACHE), constants.ENDPOINT, token)


def flux_dev() -> str:
    from core.flux.model_folder import FLUX_DEV

    return FLUX_DEV


def downloaded() -> list[str]:
    """Hub ids that can be chosen as base model because they are here whole."""
    from core.flux.model_folder import cached_folder

    return [flux_dev()] if cached_folder(flux_dev()) else []


def download_log(store: RunStore) -> EventLog:
    return EventLog(store.root / ".download.jsonl")


def stop_request(store: RunStore) -> Request:
    return Request(store.root / ".stop-download")


def look(hub_id: str, hub: Hub) -> Forecast:
    """What a download would take. Asks the hub; raises Refused with what is missing (token, licence, access, network)."""
    from core.flux.download import forecast

    return forecast(hub_id, hub, with_transformer=True)


def start_download(worker: Worker, hub_id: str, hub: Hub, store: RunStore) -> None:
    """On the worker's thread, beside whatever uses the device. Raises Refused when a download runs here already."""

    def prepare() -> tuple[Job, EventLog]:
        store.root.mkdir(parents=True, exist_ok=True)
        log = download_log(store)
        log.file.unlink(missing_ok=True)
        stop_request(store).withdraw()
        return (lambda: download(hub_id, hub, stop_request(store))), log

    worker.start(contextlib.nullcontext(), prepare)  # it needs no device, and has a lock of its own in the cache


def download(hub_id: str, hub: Hub, stop: Request) -> Iterator[RunEvent]:
    """The job's events; a stop is an end like another, not a fault."""
    began = time.monotonic()
    yield Phase(what="Asking the hub")
    from core.flux.download import download as fetch

    plan = look(hub_id, hub)
    try:
        yield from _thinned(fetch(plan, hub, stop.is_made))
    except UserError:
        if not stop.is_made():
            raise
        yield RunStopped(step=0, seconds=time.monotonic() - began)
        return
    yield RunFinished(seconds=time.monotonic() - began)


def _thinned(phases: Iterator[Phase]) -> Iterator[Phase]:
    """A record every few seconds and one for each part: hours of download stay a short log."""
    said_at, said = float("-inf"), ""
    for phase in phases:
        if phase.what != said or phase.done == phase.total or time.monotonic() - said_at >= SECONDS_BETWEEN_RECORDS:
            said_at, said = time.monotonic(), phase.what
            yield phase
