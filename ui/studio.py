"""Studio: what every tab and handler works on. One per process; nothing of a run lives here, only the way to it."""

from __future__ import annotations

import functools
import secrets
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path

from core.at_work import at_work
from core.captioning.model_place import is_caption_model
from core.captioning.request import CAPTION_MODELS, TEMPLATE
from core.dataset.folder import IMAGE_SUFFIXES, Dataset, open_dataset
from core.dataset.subjects import CACHE_FOLDER, DATA_FOLDER
from core.errors import Refused
from core.gauges import Gauges
from core.jobs import DESKTOP, Worker
from core.machine import Machine
from core.model_setup import downloaded
from core.pod_stop import PodStop
from core.presets import Resolved, preset_names, resolve
from core.queue_runner import QueueRunner
from core.run_history import Account, account_of
from core.run_queue import RunQueue
from core.runs import Run, RunStore
from core.settings import POCKET_FLUX
from core.tasks import lora_names
from core.trash import Trash
from ui.forecast import ForecastDesk
from ui.log_reader import LogReader
from ui.server.downloads import Downloads

MODELS_FOLDER = Path("models")
DEFAULT_DATASET = Path("data/subject")


class AccountBook:
    """The account of each run, read anew only when its log has changed."""

    def __init__(self) -> None:
        self._known: dict[Path, tuple[tuple[int, int], Account]] = {}

    def of(self, run: Run) -> Account:
        """Raises UserError for a log that cannot be read."""
        try:
            status = run.log.file.stat()
            mark = (status.st_size, status.st_mtime_ns)
        except FileNotFoundError:
            mark = (0, 0)
        known = self._known.get(run.log.file)
        if known is None or known[0] != mark:
            known = self._known[run.log.file] = (mark, account_of(run))
        return known[1]


@dataclass(frozen=True)
class Studio:
    """`environment` holds the variables the page was started with; they seed the form. `server` tells a page that was open
    before a restart that it must be loaded anew. `notes` are sentences the page says on top; `pod_stop` is None where there is no pod to stop; `hub_token` goes to
    the hub and nowhere else; `asks_token` where people log in, and may log out."""

    store: RunStore
    environment: Mapping[str, str]
    trainer: Worker = field(default_factory=Worker)
    analyst: Worker = field(default_factory=Worker)
    captioner: Worker = field(default_factory=Worker)
    reader: LogReader = field(default_factory=LogReader)
    server: str = field(default_factory=lambda: secrets.token_hex(8))
    fetcher: Worker = field(default_factory=Worker)
    hub_token: str | None = field(default=None, repr=False)
    machine: Machine = DESKTOP
    notes: tuple[str, ...] = ()
    downloads: Downloads = field(default_factory=Downloads)
    pod_stop: PodStop | None = None
    asks_token: bool = False

    @functools.cached_property
    def queue(self) -> RunQueue:
        return RunQueue(self.store.root)

    @functools.cached_property
    def runner(self) -> QueueRunner:
        return QueueRunner(self.trainer, self.store)

    @functools.cached_property
    def trash(self) -> Trash:
        return Trash(self.store)

    @functools.cached_property
    def gauges(self) -> Gauges:
        return Gauges(self.store.root)

    @functools.cached_property
    def forecasts(self) -> ForecastDesk:
        return ForecastDesk(lambda: self.store.holder() is not None)

    @functools.cached_property
    def accounts(self) -> AccountBook:
        return AccountBook()

    def resolved(self, preset: str) -> Resolved:
        return resolve(preset, self.environment)

    def first_preset(self) -> str:
        """demo until there are photos or a model of one's own, then fast."""
        own_photos = DEFAULT_DATASET.is_dir() and any(file.suffix.lower() in IMAGE_SUFFIXES for file in DEFAULT_DATASET.rglob("*"))
        own = own_photos or self.environment.get("MODEL_PATH") or self.environment.get("DATA_DIR")
        return "fast" if own and "fast" in preset_names() else "demo"

    def listing(self, place: str) -> list[str]:
        """The only values a path setting may take on the page."""
        match place:
            case "dataset":
                return _unique([self.environment.get("DATA_DIR", ""), *_subfolders(DATA_FOLDER, leave_out={CACHE_FOLDER.name}), str(DEFAULT_DATASET)])
            case "model":
                return _unique([self.environment.get("MODEL_PATH", ""), *downloaded(), *_subfolders(MODELS_FOLDER, leave_out=set()), *_model_files(MODELS_FOLDER), POCKET_FLUX])
            case "lora":
                return ["", *_unique([self.environment.get("RESUME_FROM", ""), *(str(self.store.root / name) for name in lora_names(self.store))])]
            case "captioner":
                own = [folder for folder in _subfolders(MODELS_FOLDER, leave_out=set()) if is_caption_model(Path(folder))]
                return [TEMPLATE, *(model.name for model in CAPTION_MODELS), *own]
            case "regularization":
                return ["", *_unique([self.environment.get("REG_DIR", ""), *_subfolders(DATA_FOLDER, leave_out={CACHE_FOLDER.name})])]
            case "evaluator":
                return ["", *_unique([*_subfolders(MODELS_FOLDER, leave_out=set()), *sorted(str(file) for file in MODELS_FOLDER.glob("*.onnx"))])]
            case "output":
                return [str(self.store.root)]
        raise ValueError(f"{place!r} is no kind of place")


def changing_photos(studio: Studio) -> AbstractContextManager[None]:
    """Around opening a dataset and writing into it: nobody is deleted meanwhile. Raises Refused on entering while somebody is."""
    return at_work(studio.store.root, "changing photos")


def opened(studio: Studio, folder_name: str) -> Dataset:
    """Raises Refused for a folder that is not listed, UserError for one that is missing or empty."""
    require_listed(studio, folder_name)
    return open_dataset(Path(folder_name))


def require_listed(studio: Studio, folder_name: str) -> None:
    if folder_name not in studio.listing("dataset"):
        raise Refused(f"'{str(folder_name)[:80]}' is not one of the dataset folders.", "dataset.folder", "Choose one of the list.")


def _subfolders(folder: Path, leave_out: set[str]) -> list[str]:
    if not folder.is_dir():
        return []
    return sorted(str(entry) for entry in folder.iterdir() if entry.is_dir() and not entry.is_symlink() and not entry.name.startswith(".") and entry.name not in leave_out)


def _model_files(folder: Path) -> list[str]:
    """Single transformer files, as people have them for ComfyUI."""
    return sorted(str(file) for file in folder.glob("*.safetensors") if file.is_file() and not file.is_symlink() and not file.name.startswith(".")) if folder.is_dir() else []


def _unique(values: list[str]) -> list[str]:
    return list(dict.fromkeys(value for value in values if value))
