"""The page: four tabs, one form, one timer that shows what the logs say."""

from __future__ import annotations

from html import escape
from typing import Any

import gradio as gr

from ui import analyzer_tab
from ui.dataset_tab import QUIET, DatasetTab
from ui.doctor_view import DoctorView
from ui.evaluation_tab import EvaluationTab
from ui.messages import shows_errors
from ui.settings_form import SettingsForm
from ui.studio import Studio
from ui.training_tab import TrainingTab

MASTHEAD = '<div class="masthead"><h1>Identity LoRA Studio</h1><span>photos &rarr; check &rarr; train &rarr; compare, with FLUX.1-dev</span></div>'
NOTHING_SEEN: tuple[tuple, tuple, tuple, tuple] = ((), (), (), ())


def build_page(studio: Studio) -> gr.Blocks:
    preset = studio.first_preset()
    form = SettingsForm(studio, studio.resolved(preset))
    with gr.Blocks(title="Identity LoRA Studio", analytics_enabled=False, fill_width=True, delete_cache=(3600, 86400)) as page:
        gr.HTML(MASTHEAD)
        for note in studio.notes:
            gr.HTML(f'<p class="notice" role="alert">{escape(note)}</p>')
        seen = gr.State(NOTHING_SEEN)
        with gr.Tabs(overflow_behavior="wrap") as tabs:
            with gr.Tab("1 Dataset", id="dataset", render_children=True):
                dataset = DatasetTab(studio, form, page)
            with gr.Tab("2 Analyzer", id="analyzer", render_children=True):
                gr.Markdown("Photos first, optimizer second: what is wrong in the dataset cannot be trained away.")
                with gr.Row(elem_id="analyze-row"):
                    analyze = gr.Button("Analyze", variant="primary", elem_id="analyze")
                    undo = gr.Button("Undo the last change", elem_id="undo-remedy")
                report = gr.HTML(elem_id="report")
            with gr.Tab("3 Training", id="training", render_children=True):
                training = TrainingTab(studio, form, preset)
            with gr.Tab("4 Evaluation", id="evaluation", render_children=True):
                evaluation = EvaluationTab(studio, form)
                doctor = DoctorView(studio, form)

        def refresh(last: tuple, folder: str, run: str | None, lora: str | None, grid: str | None, patient: str | None, trigger_word: str | None, resolution: float | None) -> list[Any]:
            """Everything that may have changed since this tab last drew; what has not is not sent."""
            training_key, training_values = training.render(run, last[0])
            evaluation_key, evaluation_values = evaluation.render(lora, grid, last[1])
            report_key, report_values = analyzer_tab.render(studio, folder, trigger_word or "", resolution, last[2])
            doctor_key, doctor_values = doctor.render(patient, last[3])
            return [(training_key, evaluation_key, report_key, doctor_key), *training_values, *evaluation_values, *report_values, *doctor_values]

        inputs = [form.components["dataset.folder"], training.run, evaluation.lora, evaluation.grid, doctor.run, form.components["dataset.trigger_word"], form.components["dataset.resolution"]]
        outputs = [seen, *training.outputs, *evaluation.outputs, report, training.readiness, *doctor.outputs]
        dataset.captions.wire(dataset, form, page)
        analyzer_tab.wire(studio, form, analyze, undo, report, dataset)
        training.wire()
        evaluation.wire(page)
        doctor.wire(tabs, training)
        page.load(lambda *values: refresh(NOTHING_SEEN, *values), inputs, outputs, **QUIET)
        page.load(shows_errors(training.advise), form.inputs, training.advice, **QUIET)
        gr.Timer(1.0).tick(refresh, [seen, *inputs], outputs, queue=False, trigger_mode="once", **QUIET)
    return page
