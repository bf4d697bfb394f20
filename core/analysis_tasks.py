"""The verbs of the analyzer: analyze, do what a finding proposes, have captions made anew. The page and the command call these; heavy libraries load inside."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path

from core.analyzer.report import AnalysisReport, Finding, read_report
from core.at_work import at_work
from core.caption_tasks import add_what_was_measured, caption_request, start_captioning
from core.captioning.request import TEMPLATE
from core.dataset.folder import open_dataset
from core.dataset.subjects import MEASURES_FOLDER
from core.durable import storage_error
from core.errors import Refused
from core.events import Phase, RunEvent
from core.jobs import Job, Worker
from core.loading import LOADING
from core.runs import EventLog, RunStore
from core.settings import Settings


def analysis_folder(output: Path, dataset_folder: str) -> Path:
    """Where the report and log of a dataset's analysis live."""
    return output / "analysis" / (Path(dataset_folder).name or "dataset")


def report_file(dataset_folder: str, store: RunStore) -> Path:
    return analysis_folder(store.root, dataset_folder) / "report.json"


def analysis_log(dataset_folder: str, store: RunStore) -> EventLog:
    return EventLog(analysis_folder(store.root, dataset_folder) / "events.jsonl")


def kept_report(dataset_folder: str, store: RunStore) -> tuple[AnalysisReport | None, float]:
    """The last report of a dataset and when it was made, in seconds since the epoch; none of another folder that has the same name."""
    file = report_file(dataset_folder, store)
    report = read_report(file)
    if report is None or Path(report.folder).resolve() != Path(dataset_folder).resolve():
        return None, 0.0
    return report, file.stat().st_mtime


def analyze(settings: Settings, store: RunStore) -> Iterator[RunEvent]:
    yield Phase(what="Starting")
    with LOADING:
        from core.analyzer.analyze import analyze as analyze_dataset

    file = report_file(settings.dataset.folder, store)
    with at_work(store.root, "analyzing photos"):
        yield from analyze_dataset(settings, file, file.relative_to(store.root).as_posix(), MEASURES_FOLDER)


def remedy(settings: Settings, number: int, names: Sequence[str], store: RunStore) -> None:
    """Do what the report's finding of this number proposes, with these of its photos. Raises Refused or UserError; then nothing was changed."""
    from core.analyzer.remedies import apply_remedy, require_photos_of

    with at_work(store.root, "changing photos"):
        finding = _finding(settings.dataset.folder, number, store)
        if finding.remedy == "caption again":
            require_photos_of(finding, names)
            add_what_was_measured(caption_request(settings, TEMPLATE, "all"), names)
            return
        apply_remedy(finding, names, open_dataset(Path(settings.dataset.folder)), settings, MEASURES_FOLDER)


def caption_again(worker: Worker, settings: Settings, number: int, names: Sequence[str], captioner: str, store: RunStore) -> None:
    """Have the captioner propose new captions for these photos of the report's finding; nothing is written before somebody accepts. Raises Refused or UserError; then nothing was started."""
    from core.analyzer.remedies import require_photos_of

    finding = _finding(settings.dataset.folder, number, store)
    if finding.remedy != "caption again":
        raise Refused("New captions are no remedy for this finding.", finding.check, finding.fix)
    require_photos_of(finding, names)
    start_captioning(worker, caption_request(settings, captioner, "all", names), store)


def _finding(dataset_folder: str, number: int, store: RunStore) -> Finding:
    report, _ = kept_report(dataset_folder, store)
    if report is None or not 0 <= number < len(report.findings):
        raise Refused("This report is no longer there.", dataset_folder, "Analyze again.")
    return report.findings[number]


def start_analysis(worker: Worker, settings: Settings, store: RunStore) -> None:
    """On the worker's thread, without the device lock: it needs no GPU and may run beside a training."""

    def prepare() -> tuple[Job, EventLog]:
        log = analysis_log(settings.dataset.folder, store)
        try:
            log.file.parent.mkdir(parents=True, exist_ok=True)
            log.file.unlink(missing_ok=True)
        except OSError as error:
            raise storage_error(error, log.file.parent) from None
        return (lambda: analyze(settings, store)), log

    worker.start(contextlib.nullcontext(), prepare)
