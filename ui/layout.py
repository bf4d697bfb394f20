"""The page: four tabs, one form, one timer that shows what the logs say."""

from __future__ import annotations

from html import escape
from typing import Any

import gradio as gr

from ui import analyzer_tab
from ui.acts import Acts
from ui.clock import Clocks
from ui.dataset_tab import DatasetTab
from ui.doctor_view import DoctorView
from ui.evaluation_tab import EvaluationTab
from ui.gauges_row import gauges_html
from ui.guided_path import FactFinder, path_html
from ui.messages import QUIET, shows_errors
from ui.settings_form import SettingsForm
from ui.still import StillBlocks
from ui.studio import Studio
from ui.texts import analyzer as analyzer_texts
from ui.texts import frame as texts
from ui.training_tab import TrainingTab

LOG_OUT = f'<details class="log-out"><summary>{texts.LOG_OUT}</summary><form method="post" action="logout"><p>{texts.LOG_OUT_HELP}</p><button>{texts.LOG_OUT_EVERYWHERE}</button></form></details>'
NOTHING_SEEN: tuple[tuple, ...] = ((), (), (), ())
NO_FRAME_SEEN: tuple = ("", "", ())


def masthead(asks_token: bool) -> str:
    return f'<div class="masthead"><h1>{texts.TITLE}</h1><span>{texts.SUBTITLE}</span>{LOG_OUT if asks_token else ""}</div>'


def folder_shown(studio: Studio, folder: str) -> str:
    return folder if folder in studio.listing("dataset") else ""


def unlike(key: tuple) -> tuple:
    """No key of a tab, so that the tab draws all; which run stood there (the first part) and what was at work (the last) it still can tell."""
    return (*key[:-1], "unlike", *key[-1:])


def build_page(studio: Studio) -> gr.Blocks:
    preset = studio.first_preset()
    form = SettingsForm(studio, studio.resolved(preset))
    with StillBlocks(title=texts.TITLE, analytics_enabled=False, fill_width=True, delete_cache=(3600, 86400)) as page:
        gr.HTML(masthead(studio.asks_token))
        for note in studio.notes:
            gr.HTML(f'<p class="notice" role="alert">{escape(note)}</p>')
        # Drawn with the page, so that nothing moves when the first tick comes.
        gauges = gr.HTML(gauges_html(studio.gauges.latest()), elem_id="gauges")
        facts = FactFinder(studio)
        path = gr.HTML(path_html(facts.of(folder_shown(studio, form.first.settings.dataset.folder))), elem_id="path")
        frame_seen = gr.State(NO_FRAME_SEEN)
        seen = gr.State(NOTHING_SEEN)
        with gr.Tabs(overflow_behavior="wrap") as tabs:
            with gr.Tab(texts.TABS["dataset"], id="dataset", render_children=True):
                dataset = DatasetTab(studio, form, page)
            with gr.Tab(texts.TABS["analyzer"], id="analyzer", render_children=True):
                gr.Markdown(analyzer_texts.RULE)
                with gr.Row(elem_id="analyze-row"):
                    analyze = gr.Button(analyzer_texts.ANALYZE, variant="primary", elem_id="analyze")
                    undo = gr.Button(analyzer_texts.UNDO, elem_id="undo-remedy")
                report = gr.HTML(elem_id="report")
                analyzed = gr.Textbox(visible="hidden", elem_id="analyzed")
            with gr.Tab(texts.TABS["training"], id="training", render_children=True) as training_tab:
                training = TrainingTab(studio, form, preset, page)
            with gr.Tab(texts.TABS["evaluation"], id="evaluation", render_children=True):
                evaluation = EvaluationTab(studio, form)
                doctor = DoctorView(studio, form)

        def refresh(last: tuple, folder: str, run: str | None, lora: str | None, grid: str | None, patient: str | None, trigger_word: str | None, resolution: float | None, captioner: str | None) -> list[Any]:
            """Everything that may have changed since this tab last drew; what has not is not sent."""
            training_key, training_values = training.render(run, last[0])
            evaluation_key, evaluation_values = evaluation.render(lora, grid, last[1])
            report_key, report_values = analyzer_tab.render(studio, folder, trigger_word or "", resolution, captioner or "", last[2])
            doctor_key, doctor_values = doctor.render(patient, last[3])
            return [(training_key, evaluation_key, report_key, doctor_key), *training_values, *evaluation_values, *report_values, *doctor_values]

        def refresh_frame(last: tuple, folder: str) -> list[Any]:
            """Gauges, guided path, queue and past runs: on a clock of their own, so that none of them holds up a running run's."""
            gauge, steps = gauges_html(studio.gauges.latest()), path_html(facts.of(folder_shown(studio, folder)))
            lists_key, lists = training.render_lists(last[2])
            return [(gauge, steps, lists_key), gauge if gauge != last[0] else gr.skip(), steps if steps != last[1] else gr.skip(), *lists]

        inputs = [form.components["dataset.folder"], training.run, evaluation.lora, evaluation.grid, doctor.run, form.components["dataset.trigger_word"], form.components["dataset.resolution"], dataset.captions.captioner]
        outputs = [*training.outputs, *evaluation.outputs, report, training.readiness, analyzed, undo, *doctor.outputs]
        dataset.captions.wire(dataset, form, page)
        analyzer_tab.wire(studio, form, analyze, undo, analyzed, dataset, tabs)
        training.wire()
        training.look(training_tab)
        evaluation.wire(page)
        doctor.wire(tabs, training)
        Acts(studio, training.run, training.preset).wire()
        clocks = Clocks(page)
        clocks.every(2.0, refresh_frame, lambda _: NO_FRAME_SEEN, frame_seen, [form.components["dataset.folder"]], [gauges, path, *training.lists])
        clocks.every(1.0, refresh, lambda keys: tuple(map(unlike, keys)), seen, inputs, outputs)
        page.load(shows_errors(training.advise), form.inputs, training.advice, **QUIET)
    return page
