"""The Training tab: preset, settings, Start, Stop, Resume; then the run as it goes: progress, loss, samples, log."""

from __future__ import annotations

import itertools
import time
from collections.abc import Collection
from html import escape
from typing import Any

import gradio as gr

from core.class_photo_tasks import class_photos_log, start_class_photos
from core.errors import Refused, UserError
from core.presets import Resolved, load_preset, preset_names
from core.runs import EventLog, Request
from core.settings import Settings
from core.tasks import check_startable, named, start_resume, start_training, text_encoder_advice
from ui import guide, model_setup_panel
from ui.dataset_tab import QUIET
from ui.forecast import Trouble, forecast_html
from ui.history_panel import comparable, comparison_html, history_html, history_key
from ui.likeness_view import likeness_frame, likeness_html, make_likeness_plot
from ui.messages import as_html, shows_errors
from ui.palette import PLOT
from ui.pictures import NOTHING
from ui.pod_stop_panel import pod_stop_html
from ui.preset_table import preset_table
from ui.queue_panel import queue_html
from ui.run_log import TOOLS as LOG_TOOLS
from ui.run_log import log_html
from ui.run_status import legend_html, plot_frame, rate_frame, span_of, state_of, status_html
from ui.samples_view import samples_by_step
from ui.settings_form import UP_FRONT, SettingsForm
from ui.studio import Studio
from ui.texts import runs
from ui.texts import training as texts

CLASS_PHOTOS = 40
NOTICES = '<div class="notices">' + "".join(f'<label><input type="checkbox" data-notice="{kind}">{words}</label>' for kind, words in texts.NOTICES.items()) + '<span id="notice-said" class="small" role="status"></span></div>'


class TrainingTab:
    """The components that `render` fills, in the order of `outputs`."""

    def __init__(self, studio: Studio, form: SettingsForm, preset_name: str, page: gr.Blocks) -> None:
        self.studio = studio
        self.form = form
        self.class_log: EventLog | None = None
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
        self.run = gr.Dropdown(self.run_names(), label=texts.RUN, info=texts.RUN_HELP, interactive=True, elem_id="run")
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

    def wire(self) -> None:
        """Buttons ask the core and return at once; the timer shows what became of it."""
        filled = self.preset.change(shows_errors(lambda name: [about(name), preset_table(name), "", *self.form.fill(name)]), self.preset, [self.about, self.differs, self.prepared, *self.form.inputs], **QUIET)
        self.forecast_after(filled)
        self.start.click(shows_errors(self._start), [self.preset, *self.form.inputs], [self.run, self.prepared], **QUIET)
        self.enqueue.click(shows_errors(self._enqueue), [self.preset, *self.form.inputs], None, **QUIET)
        self.stop.click(shows_errors(self._stop), self.run, None, **QUIET)
        self.save_now.click(shows_errors(lambda: self._ask(self.studio.store.save_request(), texts.SAVE_NOW_SAID)), None, None, **QUIET)
        self.sample_now.click(shows_errors(lambda: self._ask(self.studio.store.sample_request(), texts.SAMPLE_NOW_SAID)), None, None, **QUIET)
        # What a person types, not what a preset fills in: fifty fields that change at once would ask fifty times.
        gr.on([component.input for component in self.form.inputs], shows_errors(self._forecast), self.form.inputs, [self.forecast, self.forecast_timer], trigger_mode="always_last", **QUIET)
        self.forecast_timer.tick(shows_errors(self._forecast), self.form.inputs, [self.forecast, self.forecast_timer], **QUIET)
        gr.on([self.other.change, self.run.change], shows_errors(lambda run, other: comparison_html(run, other, self.studio)), [self.run, self.other], self.comparison, **QUIET)
        self.resume.click(shows_errors(self._resume), self.run, None, **QUIET)
        self.class_photos.click(shows_errors(self._draw_class_photos), self.form.inputs, None, **QUIET)
        self.form.components["regularization.enabled"].change(lambda on: gr.update(visible=on), self.form.components["regularization.enabled"], self.class_photos, **QUIET)
        asked = [self.form.components[key] for key in ("text_encoder.two_phase", "dataset.folder", "dataset.trigger_word", "model.path")]
        for component in asked:
            component.change(shows_errors(self.advise), self.form.inputs, self.advice, **QUIET)

    def _start(self, preset: str, *values: Any) -> Any:
        settings = self._with_name(self.form.read(values), preset)
        start_training(self.studio.trainer, settings, self.studio.store, preset)
        return [gr.update(choices=self.run_names(), value=settings.run.name), ""]

    def look(self, tab: gr.Tab) -> None:
        """The forecast is worked out when somebody comes to see it: it loads the heavy libraries."""
        tab.select(shows_errors(self._forecast), self.form.inputs, [self.forecast, self.forecast_timer], **QUIET)

    def forecast_after(self, filled: gr.events.Dependency) -> None:
        """For what fills the whole form at once."""
        filled.then(shows_errors(self._forecast), self.form.inputs, [self.forecast, self.forecast_timer], **QUIET)

    def _enqueue(self, preset: str, *values: Any) -> None:
        settings = self._with_name(self.form.read(values), preset, {waiting.name for waiting in self.studio.queue.read().waiting})
        check_startable(settings)
        self.studio.queue.add(settings, preset)
        gr.Info(escape(runs.QUEUE_ADDED.format(name=settings.run.name)), duration=4)

    def _forecast(self, *values: Any) -> list[Any]:
        """Asked again by the timer until it is there; a form with a wrong value has no forecast, and Start says why."""
        try:
            settings = self.form.read(values)
        except UserError as error:
            return [forecast_html(Trouble(error.what, error.fix)), gr.update(active=False)]
        answer = self.studio.forecasts.ask(settings)
        return [forecast_html(answer, settings.run.price_per_hour), gr.update(active=answer is None)]

    def _ask(self, request: Request, said: str) -> None:
        """Raises Refused when no training runs that could grant it."""
        holder = self.studio.store.holder()
        if holder is None or not holder.startswith("training "):
            raise Refused(texts.NOTHING_RUNS, "", "")
        request.make()
        gr.Info(said, duration=5)

    def _draw_class_photos(self, *values: Any) -> None:
        settings = self.form.read(values)
        start_class_photos(self.studio.trainer, settings, CLASS_PHOTOS, self.studio.store)
        self.class_log = class_photos_log(settings, self.studio.store)

    def advise(self, *values: Any) -> str:
        """The guide's policy in a sentence or two, only while two-phase is on or would help."""
        settings = self.form.read(values)
        try:
            advice = text_encoder_advice(settings, self.studio.store)
        except UserError:
            return ""
        if not (settings.trains_text_encoder or advice.recommended):
            return ""
        verdict = texts.ADVICE_FOR if advice.recommended else texts.ADVICE_AGAINST
        return " ".join((f"**{verdict}**", *advice.reasons))

    def _with_name(self, settings: Settings, preset: str, taken: Collection[str] = ()) -> Settings:
        """A name of the form as it is; else one of preset and date that no run has, not even one that waits."""
        chosen = named(Resolved(settings, {}, preset), self.studio.store)
        if settings.run.name or chosen.run.name not in taken:
            return chosen
        number = next(number for number in itertools.count(2) if f"{chosen.run.name}-{number}" not in taken and self.studio.store.free_name(f"{chosen.run.name}-{number}") == f"{chosen.run.name}-{number}")
        return chosen.model_copy(update={"run": chosen.run.model_copy(update={"name": f"{chosen.run.name}-{number}"})})

    def _stop(self, name: str) -> None:
        if self.studio.store.holder() is None:
            raise Refused(texts.NOTHING_RUNS, "", "")
        self.studio.store.stop_request().make()
        gr.Info(texts.STOP_SAID, duration=5)

    def _resume(self, name: str) -> None:
        start_resume(self.studio.trainer, name, self.studio.store)

    def run_names(self) -> list[str]:
        return self.studio.store.names()

    def render(self, chosen: str | None, seen: tuple) -> tuple[tuple, list[Any]]:
        """A key that changes with what is shown, and a value for each of `outputs`; nothing is sent when the key is `seen`."""
        names, working = self.run_names(), self.studio.store.training_now()
        name = self._shown(chosen, names, working, seen)
        drawing = self._class_photos_words()
        if name is None:
            key = ("none", self.studio.store.holder(), drawing, working)
            return key, self._empty() if key != seen else [gr.skip()] * len(self.outputs)
        try:
            run = self.studio.store.load(name)
            events, view = self.studio.reader.look(run.log)
        except UserError as error:
            key = (name, tuple(names), error.what, drawing, working)
            return key, self._damaged(names, name, error) if key != seen else [gr.skip()] * len(self.outputs)
        holder = self.studio.store.holder()
        live = self.studio.store.is_training(run)
        stopping = self.studio.store.stop_request().is_made()
        state = state_of(view, live)
        quiet = view.silent_for(time.time()) if live else None
        key = (name, tuple(names), len(events), events[-1].time if events else 0, holder, stopping, quiet and int(quiet / 60), drawing, working)
        if key == seen:
            return key, [gr.skip()] * len(self.outputs)
        busy = holder is not None
        return key, [
            gr.update(choices=names, value=name),
            status_html(run, view, state, stopping and live, holder, quiet),
            likeness_html(view, events) + legend_html(view),
            gr.update(value=plot_frame(view), x_lim=span_of(view), visible=True) if view.losses else gr.update(visible=False),
            gr.update(value=likeness_frame(view), x_lim=span_of(view), visible=True) if any(measured.step for measured in view.likenesses) else gr.update(visible=False),
            gr.update(value=rate_frame(view), x_lim=span_of(view), visible=True) if view.losses else gr.update(visible=False),
            samples_by_step(view.images),
            log_html(view),
            gr.update(interactive=not busy),
            *[gr.update(interactive=live and not stopping)] * 3,
            gr.update(interactive=not busy and state in ("stopped", "failed", "interrupted")),
            drawing,
        ]

    def _shown(self, chosen: str | None, names: list[str], working: str | None, seen: tuple) -> str | None:
        """The chosen run; a fresh page and a run that has just begun show what is being trained, else the newest."""
        began = working in names and (not seen or seen[-1] != working)
        return working if began else chosen if chosen in names and seen else next(iter(names), None)

    def _class_photos_words(self) -> str:
        """How far the class photos are that were asked for in this session of the server."""
        if self.class_log is None:
            return ""
        view = self.studio.reader.look(self.class_log)[1]
        if view.failure:
            return f"**{texts.CLASS_PHOTOS_TITLE}** {view.failure.what} {view.failure.fix}"
        if view.state == "finished":
            return texts.CLASS_PHOTOS_DONE.format(count=CLASS_PHOTOS)
        if view.state == "stopped":
            return texts.CLASS_PHOTOS_STOPPED
        return f"**{texts.CLASS_PHOTOS_TITLE}** " + (texts.FACTS["phase"].format(phase=view.phase, done=view.phase_done, total=view.phase_total) if view.phase_total else view.phase)

    def _damaged(self, names: list[str], name: str, error: UserError) -> list[Any]:
        """A run whose files cannot be read takes nothing else down."""
        status = f'<div class="status failed" role="status"><p class="failure">{as_html(error)}</p></div>'
        idle = gr.update(interactive=self.studio.store.holder() is None)
        return [gr.update(choices=names, value=name), status, "", *[gr.update(visible=False)] * 3, "", "", idle, *[gr.update(interactive=False)] * 4, self._class_photos_words()]

    def _empty(self) -> list[Any]:
        status = NOTHING.format(texts.NO_RUN)
        busy = self.studio.store.holder() is not None
        return [gr.update(choices=[], value=None), status, "", *[gr.update(visible=False)] * 3, samples_by_step(()), "", gr.update(interactive=not busy), *[gr.update(interactive=False)] * 4, self._class_photos_words()]

    def render_lists(self, seen: tuple) -> tuple[tuple, list[Any]]:
        """Stop of the pod, queue, past runs and what can be compared, for `lists`; drawn anew when they changed, not with each step of a run."""
        pod, queue, key = pod_stop_html(self.studio.pod_stop), queue_html(self.studio.queue), history_key(self.studio)
        if (pod, queue, key) == seen:
            return seen, [gr.skip()] * len(self.lists)
        if seen and (queue, key) == seen[1:]:
            return (pod, queue, key), [pod, *[gr.skip()] * (len(self.lists) - 1)]
        return (pod, queue, key), [pod, queue, history_html(self.studio), gr.update(choices=comparable(self.studio))]

    @property
    def lists(self) -> list[gr.components.Component]:
        return [self.pod, self.queue, self.history, self.other]


def about(preset_name: str) -> str:
    return load_preset(preset_name).description
