"""The Analyzer tab: one verdict, what the photos cover, every finding with its photos and its fix, the table of buckets."""

from __future__ import annotations

import functools
from html import escape
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import gradio as gr

from core.analysis_tasks import analysis_log, caption_again, kept_report, remedy, start_analysis
from core.analyzer.report import AnalysisReport
from core.analyzer.report_html import KINDS, THUMBNAIL_SIDE, report_body
from core.dataset import history
from core.dataset.folder import files_state, open_dataset
from core.errors import Refused, UserError
from core.settings import Settings
from ui.caption_panel import NOTHING_SEEN, model_to_ask
from ui.dataset_tab import DatasetTab, undo_and_redo
from ui.messages import QUIET, as_html, shows_errors
from ui.pictures import nothing_yet, photo_address
from ui.remedies import read_pressed, remedy_buttons
from ui.run_view import RunView
from ui.settings_form import SettingsForm
from ui.studio import Studio, changing_photos
from ui.texts import analyzer as texts


def wire(studio: Studio, form: SettingsForm, analyze: gr.Button, undo: gr.Button, analyzed: gr.Textbox, dataset: DatasetTab, tabs: gr.Tabs) -> None:
    """A remedy changes the photos, so that they are analyzed again and drawn anew in the Dataset tab; so they are once `analyzed` tells of a new report.

    Captions made anew are proposals: the tab and the panel open where they are accepted.
    """
    pressed, again = gr.Textbox(visible="hidden", elem_id="remedy"), gr.Textbox(visible="hidden", elem_id="caption-again")
    captions = dataset.captions

    def start(*values: Any) -> None:
        start_analysis(studio.analyst, form.read(values), studio.store)

    def do(text: str, *values: Any) -> list[Any]:
        settings, button = form.read(values), read_pressed(text)
        _require_idle()
        remedy(settings, button.finding, button.photos, studio.store)
        return _again(settings)

    def propose(text: str, chosen: str, *values: Any) -> list[Any]:
        settings, button = form.read(values), read_pressed(text)
        _require_idle()
        if not model_to_ask(studio, button.captioner):
            raise Refused("That captioner is not here.", button.captioner[:80], "Choose one in the Dataset tab under 'Caption them for me'.")
        caption_again(studio.captioner, settings, button.finding, button.photos, button.captioner, studio.store)
        return [gr.Tabs(selected="dataset"), gr.Accordion(open=True), *captions.show(settings.dataset.folder, chosen, NOTHING_SEEN)]

    def take_back(*values: Any) -> list[Any]:
        settings = form.read(values)
        _require_idle()
        with changing_photos(studio):
            history.undo(Path(settings.dataset.folder))
        return _again(settings)

    def _require_idle() -> None:
        """The report on the screen is about to be replaced; its numbers would mean other findings."""
        if studio.analyst.is_busy():
            raise Refused("The photos are being analyzed.", "", "Press again when the new report is there.")

    def _again(settings: Settings) -> list[Any]:
        start_analysis(studio.analyst, settings, studio.store)
        return dataset.show(settings.dataset.folder, settings.dataset.trigger_word)

    analyzed.change(shows_errors(dataset.show), [dataset.folder, dataset.trigger], dataset.drawn, **QUIET)
    analyze.click(shows_errors(start), form.inputs, None, **QUIET)
    pressed.change(shows_errors(do), [pressed, *form.inputs], dataset.drawn, **QUIET)
    again.change(shows_errors(propose), [again, captions.captioner, *form.inputs], [tabs, captions.fold, *captions.shown], **QUIET)
    undo.click(shows_errors(take_back), form.inputs, dataset.drawn, **QUIET)


def render(studio: Studio, dataset_folder: str, trigger_word: str, resolution: float | None, captioner: str, seen: tuple) -> tuple[tuple, list[Any]]:
    """A key that changes with what is shown; the report, what it means for a training, when it was made if that was while somebody looked, and what Undo would take back.

    Nothing is sent when the key is `seen`.
    """
    if dataset_folder not in studio.listing("dataset"):
        return (dataset_folder,), [nothing_yet(texts.CHOOSE_FOLDER), "", gr.skip(), undo_and_redo(None)[0]]
    try:
        events, view = studio.reader.look(analysis_log(dataset_folder, studio.store))
    except UserError as error:
        return (dataset_folder, error.what), [f'<div class="verdict fix">{as_html(error)}</div>', "", gr.skip(), undo_and_redo(Path(dataset_folder))[0]]
    state = files_state(Path(dataset_folder))
    model = model_to_ask(studio, captioner)
    key = (dataset_folder, len(events), events[-1].time if events else 0, studio.analyst.is_busy(), state, trigger_word, resolution, model)
    if key == seen:
        return key, [gr.skip()] * 4
    report, made = kept_report(dataset_folder, studio.store)
    since = changed_since(report, state, trigger_word, resolution) if report else ""
    is_watched = report is not None and seen[:1] == key[:1]
    return key, [_html(studio, dataset_folder, view, report, since, model), readiness(report, since), str(made) if is_watched else gr.skip(), undo_and_redo(Path(dataset_folder))[0]]


def changed_since(report: AnalysisReport, state: str, trigger_word: str, resolution: float | None) -> str:
    """Why a report no longer tells how things are; empty while it does."""
    if report.files_state != state:
        return texts.CHANGED_FILES
    if report.trigger_word != trigger_word.strip():
        return texts.CHANGED_TRIGGER.format(word=report.trigger_word)
    if resolution is not None and report.resolution != resolution:
        return texts.CHANGED_RESOLUTION.format(then=report.resolution, now=resolution)
    return ""


def readiness(report: AnalysisReport | None, since: str) -> str:
    """For who is about to train: the verdict, and that nobody is stopped by it."""
    if report is None:
        return f'<p class="readiness">{texts.READINESS_NONE}</p>'
    if since:
        return f'<p class="readiness old"><b>{texts.READINESS_OLD}</b> {escape(since)} {texts.READINESS_AGAIN}</p>'
    return f'<p class="readiness {KINDS[report.verdict]}"><b>{escape(report.summary)}</b> {texts.READINESS[report.verdict]}</p>'


def _html(studio: Studio, dataset_folder: str, view: RunView, report: AnalysisReport | None, since: str, captioner: str) -> str:
    if view.failure:
        return f'<div class="verdict fix"><b>{escape(view.failure.what)}</b><span>{escape(view.failure.fix)}</span></div>'
    if studio.analyst.is_busy() and view.state == "running":  # Else it is busy with another folder.
        done = f" {view.phase_done} of {view.phase_total}" if view.phase_total else ""
        return f'<div class="verdict" role="status">{escape(view.phase)}{done}</div>'
    if report is None:
        return nothing_yet(texts.NOT_YET, texts.LOOKED_FOR)
    try:
        samples = {sample.name: sample for sample in open_dataset(Path(dataset_folder)).samples}
    except UserError:
        samples = {}  # The photos are gone since; the report is still worth reading.
    body = report_body(report, lambda name: photo_address(dataset_folder, samples[name], THUMBNAIL_SIDE) if name in samples else None, functools.partial(remedy_buttons, captioner=captioner))
    out_of_date = f'<p class="readiness old" role="status"><b>{texts.OUT_OF_DATE}</b> {escape(since)} {texts.ANALYZE_AGAIN}</p>' if since else ""
    return f'{out_of_date}{body}<p class="download"><a href="report?{urlencode({"folder": dataset_folder})}" download>{texts.DOWNLOAD}</a></p>'
