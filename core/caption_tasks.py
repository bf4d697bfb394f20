"""The verbs of captioning: start it, write what was accepted, fetch a caption model. The page and the command call these; heavy libraries load inside."""

from __future__ import annotations

import contextlib
import functools
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from core.at_work import at_work
from core.captioning.proposals import Proposal, proposals_of
from core.captioning.request import CaptionModel, CaptionRequest, Which, model_named, photos_of
from core.dataset.folder import open_dataset
from core.dataset.names import studio_folder
from core.dataset.subjects import MEASURES_FOLDER
from core.durable import storage_error
from core.errors import Refused
from core.events import Phase, RunEvent, RunFinished, RunStarted
from core.jobs import Job, Worker, drain
from core.runs import EventLog, Request, RunStore
from core.settings import Settings

if TYPE_CHECKING:
    from core.flux.download import Hub

JOB_WORDS = "captioning photos"


def captions_log(dataset_folder: str) -> EventLog:
    """Of the last captioning; beside the photos, so that it goes with them."""
    return EventLog(studio_folder(Path(dataset_folder)) / "captioning.jsonl")


def captions_stop(store: RunStore) -> Request:
    """Not the one of the device: captioning without a model may run beside a training, which shall go on."""
    return Request(store.root / ".stop-captioning")


def caption_request(settings: Settings, captioner: str, which: Which, photos: Sequence[str] = ()) -> CaptionRequest:
    """With the trigger and class word, the base model and the precision of these settings."""
    dataset, model = settings.dataset, settings.model
    return CaptionRequest(
        folder=dataset.folder, trigger_word=dataset.trigger_word, class_word=dataset.class_word, model_path=model.path, precision=model.precision, captioner=captioner, which=which, photos=tuple(photos),
    )  # fmt: skip


def caption_photos(request: CaptionRequest, store: RunStore) -> Iterator[RunEvent]:
    """Propose captions; nothing is written. Raises Refused or UserError."""
    yield Phase(what="Starting")
    from core.analyzer.readings import read_faces
    from core.captioning.caption import caption

    should_stop = captions_stop(store).is_made
    read = functools.partial(read_faces, model_path=Path(request.model_path), cache=MEASURES_FOLDER, should_stop=should_stop)
    yield from caption(request, read, should_stop)


def start_captioning(worker: Worker, request: CaptionRequest, store: RunStore) -> None:
    """On the worker's thread; with a model inside the device lock. Raises Refused or UserError; then nothing was started."""
    check_captioning(request)
    worker.start(_lock(request, store), lambda: _job(request, store))


def caption_here(request: CaptionRequest, store: RunStore, listen: Callable[[RunEvent], None]) -> tuple[list[Proposal], RunEvent]:
    """The command's way, on the calling thread. Returns what was proposed and the last event."""
    check_captioning(request)
    meant = {sample.name for sample in photos_of(request, open_dataset(Path(request.folder)))}
    with _lock(request, store):
        job, log = _job(request, store)
        last = drain(job, log, listen)
    return [proposal for proposal in proposals_of(open_dataset(Path(request.folder))) if proposal.photo in meant], last


def check_captioning(request: CaptionRequest) -> None:
    """What can be known before it starts: which photos are meant, and that the captioner is there. Raises Refused or UserError."""
    photos_of(request, open_dataset(Path(request.folder)))
    if request.uses_a_model:
        from core.captioning.model_place import open_caption_model

        open_caption_model(request.captioner)


def add_what_was_measured(request: CaptionRequest, photos: Sequence[str]) -> None:
    """To the captions of these photos, at once: whoever wrote them, their words stay, and one undo takes it back. Raises Refused or UserError; then nothing was changed."""
    from core.analyzer.readings import read_faces
    from core.captioning.caption import with_what_was_measured
    from core.dataset.edits import counted, write_captions

    dataset = open_dataset(Path(request.folder))
    reading = functools.partial(read_faces, model_path=Path(request.model_path), cache=MEASURES_FOLDER, should_stop=lambda: False)
    added = with_what_was_measured(request.model_copy(update={"which": "all", "photos": tuple(photos)}), dataset, reading)
    if not added:
        raise Refused("These photos cannot be read.", ", ".join(photos)[:200], "Remove them, or save them again as JPG or PNG.")
    write_captions(dataset, added, f"add what was measured: {counted(list(added))}")


def is_here(captioner: str) -> bool:
    """Whether a caption model was downloaded to the end; a folder of one's own is here."""
    from core.captioning.model_place import cached_model

    known = model_named(captioner)
    return known is None or cached_model(known.hub_id) is not None


def free_gigabytes() -> float:
    """Of the disk that caption models are downloaded to."""
    from core.flux.download import free_bytes

    return free_bytes(public_hub().cache) / 1e9


def public_hub() -> Hub:
    """The hub without a token: both caption models are open to everybody."""
    from huggingface_hub import constants

    from core.flux.download import Hub

    return Hub(Path(constants.HF_HUB_CACHE), constants.ENDPOINT)


def download_log(store: RunStore) -> EventLog:
    return EventLog(store.root / ".caption-model.jsonl")


def download_caption_model(model: CaptionModel, hub: Hub, store: RunStore) -> Iterator[RunEvent]:
    """Into the Hugging Face cache; what arrived is kept when it ends early. Raises Refused or UserError."""
    began = time.monotonic()
    yield RunStarted(job="download", name=model.name)
    yield Phase(what=f"Asking the hub for {model.hub_id}")
    from core.captioning.model_place import LAST_FILE
    from core.flux.download import download, forecast_flat

    yield from download(forecast_flat(model.hub_id, hub, LAST_FILE), hub, captions_stop(store).is_made)
    yield RunFinished(seconds=time.monotonic() - began)


def start_download(worker: Worker, captioner: str, store: RunStore) -> None:
    """On the worker's thread, without the device lock: it needs the network only. Raises Refused; then nothing was started."""
    model = model_named(captioner)
    if model is None:
        raise Refused("Only the caption models of the list can be downloaded.", captioner[:80], "Choose one of them.")

    def prepare() -> tuple[Job, EventLog]:
        return (lambda: download_caption_model(model, public_hub(), store)), _fresh(download_log(store), store)

    worker.start(contextlib.nullcontext(), prepare)


@contextlib.contextmanager
def _lock(request: CaptionRequest, store: RunStore) -> Iterator[None]:
    with store.exclusive(JOB_WORDS) if request.uses_a_model else contextlib.nullcontext(), at_work(store.root, "making captions"):
        yield


def _job(request: CaptionRequest, store: RunStore) -> tuple[Job, EventLog]:
    return (lambda: caption_photos(request, store)), _fresh(captions_log(request.folder), store)


def _fresh(log: EventLog, store: RunStore) -> EventLog:
    """An empty log, and no wish to stop left from before."""
    try:
        store.root.mkdir(parents=True, exist_ok=True)
        captions_stop(store).withdraw()
        log.file.parent.mkdir(parents=True, exist_ok=True)
        log.file.unlink(missing_ok=True)
    except OSError as error:
        raise storage_error(error, log.file.parent) from None
    return log
