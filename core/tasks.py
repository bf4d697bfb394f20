"""The verbs of the studio: train, evaluate, diagnose, delete a person. The page and the commands call these; heavy libraries load inside."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from core.analysis_tasks import analysis_folder, kept_report, report_file
from core.at_work import nobody_at_work
from core.dataset.folder import open_dataset
from core.dataset.subjects import CACHE_FOLDER
from core.doctor.diagnose import diagnose
from core.doctor.diagnosis import Diagnosis
from core.doctor.evaluations import evaluations_stamp, measures_of_run
from core.doctor.evidence import Evidence
from core.doctor.finished import finished_without_encoder
from core.errors import Refused
from core.evaluation.grid import GridRequest, evaluations_folder
from core.evaluation.job import AIM_WORDS, EvaluationJob, load_job, save_job
from core.events import Phase, RunEvent, RunStopped
from core.jobs import Job, Worker, drain
from core.loading import LOADING, loading_for_a_job
from core.machine import START_WITH_GPU, Machine
from core.presets import Resolved
from core.run_queue import RunQueue
from core.runs import EventLog, Run, RunStore, training_words
from core.settings import Settings
from core.traces import Traces, purge, traces_of
from core.training.prospect import Prospect

if TYPE_CHECKING:
    from core.training.advice import EncoderAdvice
    from core.training.world import World

Listener = Callable[[RunEvent], None]
# Hidden size up to which a model runs on a CPU in minutes: the pocket FLUX has 192, FLUX.1-dev 3072.
REHEARSAL_WIDTH = 512


def kept_of(dataset_folder: str, store: RunStore) -> Traces:
    """Everything the studio keeps of the person in a dataset folder."""
    return traces_of(Path(dataset_folder), analysis_folder(store.root, dataset_folder), CACHE_FOLDER, store)


def purge_log(store: RunStore) -> EventLog:
    return EventLog(store.root / ".purge.jsonl")


def start_purge(worker: Worker, dataset_folder: str, with_loras: bool, store: RunStore) -> None:
    """Delete all of that on the analyst's thread, inside the locks: refused while a run is at work, or anybody works on photos, by a command too."""

    def prepare() -> tuple[Job, EventLog]:
        log = purge_log(store)
        log.file.unlink(missing_ok=True)
        RunQueue(store.root).forget_dataset(Path(dataset_folder))
        return (lambda: purge(kept_of(dataset_folder, store), with_loras)), log

    worker.start(_alone(store), prepare)


@contextlib.contextmanager
def _alone(store: RunStore) -> Iterator[None]:
    with store.exclusive("deleting a person's files"), nobody_at_work(store.root):
        yield


def named(resolved: Resolved, store: RunStore) -> Settings:
    """The settings with a run name: the given one, else preset and date made unique."""
    settings = resolved.settings
    if settings.run.name:
        return settings
    name = store.free_name(f"{resolved.preset}-{time.strftime('%m%d-%H%M')}")
    return settings.model_copy(update={"run": settings.run.model_copy(update={"name": name})})


def train(run: Run, store: RunStore, resume: bool, world: World | None = None) -> Iterator[RunEvent]:
    yield Phase(what="Starting: loading libraries")
    with loading_for_a_job():
        from core.training.train import train as train_run

    for event in train_run(run, store.stop_request().is_made, resume, world, store.wishes()):
        yield event.model_copy(update={"by": store.stop_request().made_by()}) if isinstance(event, RunStopped) else event


def start_training(worker: Worker, settings: Settings, store: RunStore, preset: str = "") -> None:
    """Create the run inside the lock and train it on the worker's thread. Raises Refused or UserError; then nothing was started."""
    check_startable(settings)
    check_device(worker.machine, settings.model.path)

    def prepare() -> tuple[Job, EventLog]:
        run = store.create(settings, preset)
        return (lambda: train(run, store, resume=False)), run.log

    worker.start(store.exclusive(training_words(settings.run.name)), prepare)


def start_resume(worker: Worker, name: str, store: RunStore) -> None:
    """Go on with an interrupted, stopped or failed run from its newest whole checkpoint."""
    run = resumable(name, store)
    check_device(worker.machine, run.settings.model.path)

    def prepare() -> tuple[Job, EventLog]:
        return (lambda: train(run, store, resume=True)), run.log

    worker.start(store.exclusive(training_words(name)), prepare)


def train_here(settings: Settings, store: RunStore, listen: Listener, preset: str = "") -> RunEvent:
    """The command's way: same lock, same log, on the calling thread."""
    check_startable(settings)
    with store.exclusive(training_words(settings.run.name)):
        run = store.create(settings, preset)
        return drain(lambda: train(run, store, resume=False), run.log, listen)


def train_together(settings: Settings, store: RunStore, listen: Listener, world: World) -> bool:
    """One of several processes that train one run (`accelerate launch`); the first owns lock, log and files. Whether the run finished."""
    check_startable(settings)
    if not world.is_main:
        run = store.load(world.tell(""))
        return all(event.kind != "failed" for event in train(run, store, resume=False, world=world))
    with store.exclusive(training_words(settings.run.name)):
        run = store.create(settings)
        world.tell(run.name)
        return drain(lambda: train(run, store, resume=False, world=world), run.log, listen).kind == "finished"


def interrupted_run(store: RunStore) -> str | None:
    """The newest run, when it was broken off by a kill or a shutdown rather than by its end, a person or a fault, and nobody works on it."""
    newest = next(iter(store.names()), None)
    if newest is None or store.holder() is not None:
        return None
    run = store.load(newest)
    if not run.log.read()[0]:
        return None
    last = run.log.ended()
    broken_off = last is None or (isinstance(last, RunStopped) and last.by == "shutdown")
    return newest if broken_off else None


def resume_here(name: str, store: RunStore, listen: Listener) -> RunEvent:
    run = resumable(name, store)
    with store.exclusive(training_words(name)):
        return drain(lambda: train(run, store, resume=True), run.log, listen)


def evaluate(job: EvaluationJob, name: str, store: RunStore) -> Iterator[RunEvent]:
    yield Phase(what="Starting: loading libraries")
    with loading_for_a_job():
        from core.evaluation.perform import perform

    yield from perform(job, name, store.root, store.stop_request().is_made)


def start_evaluation(worker: Worker, job: EvaluationJob, store: RunStore) -> str:
    """Draw and measure on the worker's thread and return the name. The request's `lora` must be one of lora_names.

    Raises Refused or UserError; then nothing was started.
    """
    if job.request.lora not in lora_names(store):
        raise Refused(f"There is no LoRA called '{job.request.lora}'.", str(store.root), f"LoRA files here: {', '.join(lora_names(store)) or 'none yet'}.")
    check_device(worker.machine, job.request.model_path)
    return _start_evaluation(worker, job, new_grid_name(job.request, store), store)


def resume_evaluation(worker: Worker, name: str, store: RunStore) -> str:
    """Draw what is missing of a stopped evaluation. Raises Refused or UserError; then nothing was started."""
    return _start_evaluation(worker, load_job(name, store.root), name, store)


def _start_evaluation(worker: Worker, job: EvaluationJob, name: str, store: RunStore) -> str:
    def prepare() -> tuple[Job, EventLog]:
        save_job(job, name, store.root)
        return (lambda: evaluate(job, name, store)), grid_log(name, store)

    worker.start(store.exclusive(f"{AIM_WORDS[job.aim]} '{job.request.lora}'"), prepare)
    return name


def evaluate_here(job: EvaluationJob, name: str, store: RunStore, listen: Listener) -> RunEvent:
    """The command's way; the request's `lora` may be any file's absolute path. A name that is there goes on. Returns the last event."""
    with store.exclusive(f"{AIM_WORDS[job.aim]} '{Path(job.request.lora).name}'"):
        save_job(job, name, store.root)
        return drain(lambda: evaluate(job, name, store), grid_log(name, store), listen)


def prospect(settings: Settings, speeds: dict[str, float]) -> Prospect:
    """What a run of these settings would take here; `speeds` remembers what was measured, by device and precision. Takes seconds at first. Raises UserError or Refused."""
    check_startable(settings)
    with LOADING:
        from core.flux.model_folder import open_model_folder
        from core.training.outlook import measured_flops
        from core.training.plan import prospect_of

    def speed(hardware) -> float:
        key = f"{hardware.device} {hardware.dtype}"
        if key not in speeds:
            speeds[key] = measured_flops(hardware)
        return speeds[key]

    return prospect_of(open_dataset(Path(settings.dataset.folder)), settings, open_model_folder(Path(settings.model.path)), speed)


def text_encoder_advice(settings: Settings, store: RunStore) -> EncoderAdvice:
    """The guide's policy for this dataset, and what came of it without. Raises UserError for a dataset that cannot be opened."""
    with LOADING:
        from core.training.advice import advise_text_encoder

    return advise_text_encoder(open_dataset(Path(settings.dataset.folder)), settings.dataset.trigger_word, Path(settings.model.path), finished_without_encoder(settings.dataset.folder, store))


def diagnoses_of(run: Run, store: RunStore) -> list[Diagnosis]:
    """What the doctor says of a run, by its log, its newest evaluation and the report on its photos. Raises UserError for a damaged log."""
    return diagnose(Evidence(run.settings, run.log.read()[0], kept_report(run.settings.dataset.folder, store)[0], measures_of_run(run, store.root)))


def doctors_stamp(run: Run, store: RunStore) -> tuple[int, ...]:
    """Changes whenever the doctor has something new to look at."""
    files = (run.log.file, report_file(run.settings.dataset.folder, store))
    return (*(file.stat().st_mtime_ns if file.exists() else 0 for file in files), evaluations_stamp(store.root))


def grid_log(name: str, store: RunStore) -> EventLog:
    return EventLog(evaluations_folder(store.root) / name / "events.jsonl")


def new_grid_name(request: GridRequest, store: RunStore) -> str:
    """LoRA name and time, made unique."""
    wish = name = f"{Path(request.lora).stem}-{time.strftime('%m%d-%H%M%S')}"
    number = 1
    while (evaluations_folder(store.root) / name).exists():
        number += 1
        name = f"{wish}-{number}"
    return name


def lora_names(store: RunStore) -> list[str]:
    """File names of all LoRA files in the output folder, newest first."""
    if not store.root.is_dir():
        return []
    files = [file for file in store.root.glob("*.safetensors") if not file.name.startswith(".") and file.is_file()]
    return [file.name for file in sorted(files, key=lambda file: file.stat().st_mtime, reverse=True)]


def check_startable(settings: Settings) -> None:
    """What can be known before a run exists. Raises Refused or UserError."""
    from core.dataset.folder import open_class_photos, open_photos
    from core.flux.model_folder import open_model_folder

    open_model_folder(Path(settings.model.path))
    open_photos(settings.dataset)
    open_class_photos(settings.regularization)


def check_device(machine: Machine, model_path: str) -> None:
    """A pod that came back without a GPU is no place for a large model: weeks on its CPU, by the minute. Raises Refused; a model for rehearsal may run."""
    if not machine.is_pod_without_gpu:
        return
    from core.flux.model_folder import open_model_folder

    if open_model_folder(Path(model_path)).hidden > REHEARSAL_WIDTH:
        raise Refused("This pod has no GPU, and this model needs one.", model_path, f"{START_WITH_GPU} The pocket FLUX runs here as a rehearsal, and everything made so far can be downloaded.")


def resumable(name: str, store: RunStore) -> Run:
    """Raises Refused when the run has finished: there is nothing left to do."""
    run = store.load(name)
    ended = run.log.ended()
    if ended is not None and ended.kind == "finished":
        raise Refused(f"Run '{name}' has finished; there is nothing to resume.", str(run.folder), "Start a new run, or start from its LoRA (RESUME_FROM).")
    return run
