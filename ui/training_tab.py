"""The Training tab at work: buttons that ask the core, and the run as it goes: progress, loss, samples, log."""

from __future__ import annotations

import itertools
import time
from collections.abc import Collection
from html import escape
from typing import Any

import gradio as gr

from core.class_photo_tasks import class_photos_log, start_class_photos
from core.errors import Refused, UserError
from core.presets import Resolved
from core.runs import EventLog, Request
from core.settings import Settings
from core.tasks import check_startable, named, start_resume, start_training, text_encoder_advice
from ui.forecast import Trouble, forecast_html
from ui.history_panel import comparable, comparison_html, history_html, history_key
from ui.likeness_view import likeness_frame, likeness_html
from ui.messages import QUIET, as_html, shows_errors
from ui.pictures import NOTHING
from ui.pod_stop_panel import pod_stop_html
from ui.preset_table import preset_table
from ui.queue_panel import queue_html
from ui.run_log import log_html
from ui.run_status import legend_html, plot_frame, rate_frame, state_of, status_html
from ui.run_view import RunView
from ui.samples_view import samples_by_step
from ui.settings_form import SettingsForm
from ui.studio import Studio
from ui.texts import runs
from ui.texts import training as texts
from ui.training_layout import CLASS_PHOTOS, TrainingLayout, about

# A browser draws a plot anew for each point, which takes a core of a desktop while three plots get one each second.
SECONDS_BETWEEN_PLOTS = 5


class TrainingTab(TrainingLayout):
    def __init__(self, studio: Studio, form: SettingsForm, preset_name: str, page: gr.Blocks) -> None:
        super().__init__(studio, form, preset_name, page)
        self.class_log: EventLog | None = None

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
        return [gr.update(choices=self.studio.store.names(), value=settings.run.name), ""]

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

    def render(self, chosen: str | None, seen: tuple) -> tuple[tuple, list[Any]]:
        """A key that changes with what is shown, and a value for each of `outputs`; nothing is sent when the key is `seen`."""
        names, working = self.studio.store.names(), self.studio.store.training_now()
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
            *([gr.skip()] * 3 if live and _drawn_lately(key, seen) else _plots(view)),
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


def _drawn_lately(key: tuple, seen: tuple) -> bool:
    """Whether the plots of the same run were sent in these few seconds of its log; both are keys of `render`."""
    return len(seen) == len(key) and seen[0] == key[0] and seen[3] // SECONDS_BETWEEN_PLOTS == key[3] // SECONDS_BETWEEN_PLOTS


def _plots(view: RunView) -> list[Any]:
    """Loss, likeness and learning rate over the whole length of the run, so that the axis stands still while it grows; a little more, or its last two numbers touch."""
    hidden = gr.update(visible=False)
    if not view.losses.newest:
        return [hidden] * 3
    steps = [0, round(1.02 * max(view.steps, view.step))]
    likeness = gr.update(value=likeness_frame(view), x_lim=steps, visible=True) if any(measured.step for measured in view.likenesses) else hidden
    return [gr.update(value=plot_frame(view), x_lim=steps, visible=True), likeness, gr.update(value=rate_frame(view), x_lim=steps, visible=True)]
