"""The verbs of class photos for regularization: the page and the command call these; heavy imports happen inside."""

from __future__ import annotations

from collections.abc import Iterator

from core.analysis_tasks import analysis_folder
from core.events import Phase, RunEvent
from core.jobs import Job, Worker, drain
from core.loading import loading_for_a_job
from core.runs import EventLog, RunStore
from core.settings import Settings
from core.tasks import Listener, check_device, check_startable


def class_photos_log(settings: Settings, store: RunStore) -> EventLog:
    return EventLog(analysis_folder(store.root, settings.dataset.folder) / "class-photos.jsonl")


def start_class_photos(worker: Worker, settings: Settings, count: int, store: RunStore) -> None:
    """Draw class photos for regularization on the worker's thread. Raises Refused or UserError; then nothing was started."""
    check_startable(settings)
    check_device(worker.machine, settings.model.path)
    worker.start(store.exclusive("drawing class photos"), lambda: _class_photos_job(settings, count, store))


def draw_class_photos_here(settings: Settings, count: int, store: RunStore, listen: Listener) -> RunEvent:
    check_startable(settings)
    with store.exclusive("drawing class photos"):
        job, log = _class_photos_job(settings, count, store)
        return drain(job, log, listen)


def _class_photos_job(settings: Settings, count: int, store: RunStore) -> tuple[Job, EventLog]:
    def draw() -> Iterator[RunEvent]:
        yield Phase(what="Starting: loading libraries")
        with loading_for_a_job():
            from core.evaluation.class_photos import draw_class_photos

        yield from draw_class_photos(settings, count, store.stop_request().is_made)

    log = class_photos_log(settings, store)
    log.file.parent.mkdir(parents=True, exist_ok=True)
    log.file.unlink(missing_ok=True)
    return draw, log
