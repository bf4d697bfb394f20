"""The components of the Training tab and where they stand: what to start on the left, what became of it on the right."""

from __future__ import annotations

import gradio as gr

from core.presets import load_preset, preset_names
from ui import guide, model_setup_panel
from ui.forecast import forecast_html
from ui.history_panel import comparable
from ui.likeness_view import make_likeness_plot
from ui.palette import PLOT
from ui.pictures import NOTHING
from ui.pod_stop_panel import pod_stop_html
from ui.preset_table import preset_table
from ui.run_log import TOOLS as LOG_TOOLS
from ui.samples_view import samples_by_step
from ui.settings_form import UP_FRONT, SettingsForm
from ui.studio import Studio
from ui.texts import runs
from ui.texts import training as texts

CLASS_PHOTOS = 40
NOTICES = '<div class="notices">' + "".join(f'<label><input type="checkbox" data-notice="{kind}">{words}</label>' for kind, words in texts.NOTICES.items()) + '<span id="notice-said" class="small" role="status"></span></div>'


class TrainingLayout:
    """Built where it is made; `outputs` are what a run fills each second, `lists` what changes with queue and past runs."""

    def __init__(self, studio: Studio, form: SettingsForm, preset_name: str, page: gr.Blocks) -> None:
        self.studio = studio
        self.form = form
        # Four parts in two columns; on a phone the style puts the state of the run right after the buttons that start one.
        with gr.Row(equal_height=False, elem_id="training-columns"):
            with gr.Column(scale=1, min_width=320):
                with gr.Column(elem_id="run-choice"):
                    self._place_choice(preset_name)
                with gr.Column(elem_id="run-settings"):
                    self._place_settings(page)
            with gr.Column(scale=2, min_width=320):
                with gr.Column(elem_id="run-state"):
                    self._place_state()
                with gr.Column(elem_id="run-output"):
                    self.samples = gr.HTML(samples_by_step(()), elem_id="samples")
                    gr.HTML(LOG_TOOLS)
                    self.log = gr.HTML(elem_id="log")
                    gr.HTML(f'<h2 class="section">{runs.QUEUE_TITLE}</h2>')
                    self.queue = gr.HTML(elem_id="queue")
        gr.HTML(f'<h2 class="section">{runs.HISTORY_TITLE}</h2>')
        self.history = gr.HTML(elem_id="history")
        with gr.Accordion(runs.COMPARE_TITLE, open=False, elem_id="compare"):
            self.other = gr.Dropdown(comparable(studio), value=None, label=runs.COMPARE_WITH, interactive=True, elem_id="compare-with")
            self.comparison = gr.HTML(elem_id="comparison")
        self.forecast_timer = gr.Timer(1.0, active=False)

    def _place_choice(self, preset_name: str) -> None:
        """What to start, what it will take, and the buttons that start it."""
        choices = [(load_preset(name).title, name) for name in preset_names()]
        self.preset = gr.Dropdown(choices, value=preset_name, label=texts.PRESET, interactive=True, elem_id="preset")
        self.about = gr.Markdown(about(preset_name), elem_id="preset-about")
        self.differs = gr.HTML(preset_table(preset_name), elem_id="preset-differs")
        self.form.place("text_encoder.two_phase")
        self.advice = gr.Markdown(elem_id="encoder-advice")
        self.forecast = gr.HTML(forecast_html(None), elem_id="forecast")
        self.form.place("run.price_per_hour")
        self.readiness = gr.HTML(elem_id="readiness")
        self.prepared = gr.HTML(elem_id="prepared")
        self.start = gr.Button(texts.START, variant="primary", elem_id="start")
        self.enqueue = gr.Button(runs.QUEUE_ADD, elem_id="enqueue")

    def _place_settings(self, page: gr.Blocks) -> None:
        for key in UP_FRONT:
            if key not in self.form.components:
                self.form.place(key)
        self.class_photos = gr.Button(texts.CLASS_PHOTOS.format(count=CLASS_PHOTOS), elem_id="draw-class-photos", visible=False)
        self.class_status = gr.Markdown(elem_id="class-photos-status")
        with gr.Accordion(texts.ADVANCED, open=False, elem_id="advanced"):
            self.form.place_advanced()
        model_setup_panel.build(self.studio, self.form.components["model.path"], page)
        for section in texts.GUIDE_SECTIONS:
            guide.place(section)

    def _place_state(self) -> None:
        """The run as it goes: its one big line, its buttons, its curves."""
        self.run = gr.Dropdown(self.studio.store.names(), label=texts.RUN, info=texts.RUN_HELP, interactive=True, elem_id="run")
        self.status = gr.HTML(NOTHING.format(texts.NO_RUN), elem_id="status")
        with gr.Row(elem_id="run-acts"):
            self.stop = gr.Button(texts.STOP, elem_id="stop", min_width=110, interactive=False)
            self.save_now = gr.Button(texts.SAVE_NOW, elem_id="save-now", min_width=110, interactive=False)
            self.sample_now = gr.Button(texts.SAMPLE_NOW, elem_id="sample-now", min_width=110, interactive=False)
            self.resume = gr.Button(texts.RESUME, elem_id="resume", min_width=110, interactive=False)
        gr.HTML(NOTICES)
        self.pod = gr.HTML(pod_stop_html(self.studio.pod_stop), elem_id="pod-stop", visible=self.studio.pod_stop is not None)
        self.likeness_words = gr.HTML(elem_id="likeness-words")
        self.plot = gr.LinePlot(x="step", y="loss", color="curve", color_map=PLOT, colors_in_legend=[], height=300, label=texts.PLOTS["loss"], buttons=[], visible=False, elem_id="loss")
        self.likeness = make_likeness_plot()
        self.rate = gr.LinePlot(x="step", y="learning rate", height=150, label=texts.PLOTS["rate"], buttons=[], visible=False, elem_id="learning-rate")

    @property
    def outputs(self) -> list[gr.components.Component]:
        return [self.run, self.status, self.likeness_words, self.plot, self.likeness, self.rate, self.samples, self.log, self.start, self.stop, self.save_now, self.sample_now, self.resume, self.class_status]

    @property
    def lists(self) -> list[gr.components.Component]:
        return [self.pod, self.queue, self.history, self.other]


def about(preset_name: str) -> str:
    return load_preset(preset_name).description
