"""The Evaluation tab: choose a LoRA and what to test; see the grid as it is drawn, what was measured, and what is recommended."""

from __future__ import annotations

from html import escape
from pathlib import Path
from typing import Any
from urllib.parse import quote

import gradio as gr

from core.analysis_tasks import kept_report
from core.dataset.folder import captions_of, open_dataset
from core.errors import Refused, UserError
from core.evaluation.choice import first_look_name, sources_of
from core.evaluation.compare import Evaluation, load_evaluation
from core.evaluation.coverage import covered, covered_words
from core.evaluation.grid import FINAL, SHEET_FILE, STRENGTHS, TRANSFORMER_ONLY, grid_names, parse_strengths, source_label, strength_label
from core.evaluation.job import Aim, EvaluationJob, begun_last, evaluation_names, grid_request
from core.evaluation.prompts import parse_prompts, prompts_file, read_prompts
from core.pace import duration
from core.settings import Settings
from core.tasks import grid_log, lora_names, resume_evaluation, start_evaluation
from ui.evaluation_cards import copied_photos, history_table, measures_card, recommendation_card
from ui.messages import QUIET, as_html, shows_errors
from ui.pictures import nothing_yet, photo_address, strength_grid
from ui.run_view import RunView
from ui.settings_form import SettingsForm
from ui.studio import Studio
from ui.texts import evaluation as texts

HISTORY = 20


class EvaluationTab:
    """The components that `render` fills, in the order of `outputs`."""

    def __init__(self, studio: Studio, form: SettingsForm) -> None:
        self.studio = studio
        self.form = form
        names = lora_names(studio.store)
        # On a phone the style puts what was drawn right after the buttons, before the settings of the next one.
        with gr.Row(equal_height=False, elem_id="evaluation-columns"):
            with gr.Column(scale=1, min_width=300):
                with gr.Column(elem_id="grid-choice"):
                    self.lora = gr.Dropdown(names, value=next(iter(names), None), label=texts.LORA, info=texts.LORA_HELP, interactive=True, elem_id="lora")
                    self.choose = gr.Button(texts.CHOOSE, variant="primary", elem_id="choose")
                    gr.HTML(f'<p class="pick-help">{texts.CHOOSE_HELP}</p>')
                    with gr.Row():
                        self.draw = gr.Button(texts.DRAW, elem_id="draw")
                        self.twins = gr.Button(texts.TWINS, elem_id="twins", visible=False)
                    self.stop = gr.Button(texts.STOP, interactive=False, elem_id="stop-grid")
                    self.resume = gr.Button(texts.RESUME, visible=False, elem_id="resume-grid")
                with gr.Column(elem_id="grid-settings"):
                    self.strengths = gr.Textbox(" ".join(map(strength_label, STRENGTHS)), label=texts.STRENGTHS, info=texts.STRENGTHS_HELP, max_lines=1, elem_id="strengths")
                    self.base = gr.Checkbox(True, label=texts.BASE, info=texts.BASE_HELP, elem_id="with-base")
                    self.seeds = gr.Number(1, precision=0, minimum=1, maximum=8, label=texts.SEEDS, info=texts.SEEDS_HELP, elem_id="seeds")
                    self.sources = gr.Dropdown([(source_label(FINAL), FINAL)], value=[FINAL], multiselect=True, label=texts.SOURCES, info=texts.SOURCES_HELP, interactive=True, elem_id="sources")
                    self.prompts = gr.Textbox(self._shipped_prompts(form.first.settings), label=texts.PROMPTS, info=texts.PROMPTS_HELP, lines=8, max_lines=16, elem_id="prompts")
                    self.check = gr.Button(texts.CHECK, size="sm", elem_id="check-prompts")
                    self.coverage = gr.HTML(elem_id="coverage")
            with gr.Column(scale=3, min_width=360, elem_id="grid-results"):
                self.grid = gr.Dropdown(evaluation_names(studio.store.root), label=texts.GRID, info=texts.GRID_HELP, interactive=True, elem_id="grid")
                self.status = gr.HTML(elem_id="grid-status")
                self.card = gr.HTML(elem_id="recommendation")
                self.cells = gr.HTML(elem_id="cells")
                self.measures = gr.HTML(elem_id="measures")
                with gr.Accordion(texts.HISTORY, open=False):
                    self.history = gr.HTML(elem_id="evaluations")

    @property
    def outputs(self) -> list[gr.components.Component]:
        return [self.lora, self.grid, self.status, self.card, self.cells, self.measures, self.history, self.choose, self.draw, self.stop, self.resume]

    def wire(self, page: gr.Blocks) -> None:
        asked = [self.lora, self.strengths, self.base, self.seeds, self.sources, self.prompts, *self.form.inputs]
        for button, aim in ((self.draw, "grid"), (self.choose, "choose"), (self.twins, "twins")):
            button.click(shows_errors(self._starter(aim)), asked, self.grid, **QUIET)
        self.stop.click(shows_errors(self._stop), None, None, **QUIET)
        self.resume.click(shows_errors(self._resume), self.grid, self.grid, **QUIET)
        self.check.click(shows_errors(self._check), [self.lora, self.prompts, *self.form.inputs], self.coverage, **QUIET)
        for event in (self.lora.change, page.load):
            event(shows_errors(self._follow), [self.lora, self.prompts, *self.form.inputs], [self.sources, self.twins, self.prompts], **QUIET)

    def _starter(self, aim: Aim):
        def start(lora: str | None, strengths: str, with_base: bool, seeds: float, sources: list[str], prompts: str, *values: Any) -> Any:
            if not lora:
                raise Refused("There is no LoRA to draw with.", "Evaluation", "Train one first; Demo takes minutes.")
            chosen = parse_strengths(strengths)
            if with_base and 0 not in chosen:
                chosen = (0.0, *chosen)
            known = sources_of(lora, self.studio.store.root)
            request = grid_request(self._settings_of(lora, values), lora, parse_prompts(prompts), chosen, self.form.read(values).evaluation)
            changes = {"seeds_each": min(8, max(1, int(seeds or 1))), "sources": tuple(source for source in sources if source in known) or (FINAL,)}
            name = start_evaluation(self.studio.trainer, EvaluationJob(aim=aim, request=request.model_copy(update=changes)), self.studio.store)
            return gr.update(choices=evaluation_names(self.studio.store.root), value=name)

        return start

    def _settings_of(self, lora: str, values: tuple[Any, ...]) -> Settings:
        """A run's own settings for its LoRA; for a file from elsewhere what the form says."""
        name = lora.removesuffix(".safetensors")
        return self.studio.store.load(name).settings if name in self.studio.store.names() else self.form.read(values)

    def _shipped_prompts(self, settings: Settings) -> str:
        return "\n".join(prompt.line for prompt in read_prompts(prompts_file(settings.model.path)))

    def _follow(self, lora: str | None, prompts: str, *values: Any) -> tuple[Any, Any, Any]:
        """What another LoRA changes: its checkpoints, whether it has a twin, and the prompts, unless a person wrote their own."""
        if not lora:
            return gr.skip(), gr.update(visible=False), gr.skip()
        settings, known = self._settings_of(lora, values), sources_of(lora, self.studio.store.root)
        choices = [(source_label(source), source) for source in reversed(known)]
        has_twin = lora.replace(".safetensors", f".{TRANSFORMER_ONLY}.safetensors") in lora_names(self.studio.store)
        shipped = {prompts_file(settings.model.path), prompts_file("")}
        is_shipped = prompts.strip() in {"\n".join(prompt.line for prompt in read_prompts(file)) for file in shipped}
        return gr.update(choices=choices, value=[FINAL]), gr.update(visible=has_twin), self._shipped_prompts(settings) if is_shipped else gr.skip()

    def _check(self, lora: str | None, prompts: str, *values: Any) -> str:
        """Prompts the photos answer already. Raises UserError for prompts that cannot be read or photos that are not there."""
        settings, asked = self._settings_of(lora, values) if lora else self.form.read(values), parse_prompts(prompts)
        dataset = settings.dataset
        captions = captions_of(open_dataset(Path(dataset.folder)).samples)
        report, _ = kept_report(dataset.folder, self.studio.store)
        found = covered(asked, captions, report.coverage.cells if report else {}, dataset.trigger_word, dataset.class_word)
        if not found:
            return f'<div class="verdict ready"><b>{texts.ALL_NEW}</b></div>'
        items = "".join(f"<li>{escape(covered_words(one, asked[one.prompt]))}</li>" for one in found)
        return f'<div class="verdict test"><b>{texts.NOT_NEW.format(count=len(found), asked=len(asked))}</b><ol>{items}</ol></div>'

    def _resume(self, name: str | None) -> Any:
        return gr.update(value=resume_evaluation(self.studio.trainer, name or "", self.studio.store))

    def _stop(self) -> None:
        if self.studio.store.holder() is None:
            raise Refused(texts.NOTHING_RUNS, "", "")
        self.studio.store.stop_request().make()

    def render(self, lora: str | None, chosen: str | None, seen: tuple) -> tuple[tuple, list[Any]]:
        """A key that changes with what is shown, and a value for each of `outputs`; nothing is sent when the key is `seen`."""
        root, holder = self.studio.store.root, self.studio.store.holder()
        loras, names = lora_names(self.studio.store), evaluation_names(root)
        name = chosen if chosen in names else next(iter(names), None)
        idle = gr.update(interactive=holder is None)
        try:
            events, view = self.studio.reader.look(grid_log(name, self.studio.store)) if name else ([], RunView())
            key = (tuple(loras), tuple(names), name, lora, len(events), holder)
            if key == seen:
                return key, [gr.skip()] * len(self.outputs)
            grids = grid_names(root)
            drawn = next((one for one in (name, first_look_name(name or "")) if one in grids), None)
            evaluation = load_evaluation(drawn, root) if drawn else None
        except UserError as error:
            key = (name, error.what)
            shown = [gr.update(choices=loras), gr.update(choices=names, value=name), f'<div class="verdict fix">{as_html(error)}</div>', "", "", "", "", idle, idle, gr.update(interactive=False), gr.update(visible=False)]
            return key, shown if key != seen else [gr.skip()] * len(self.outputs)
        live = holder is not None and holder.startswith("drawing")
        is_mine = live and name == begun_last(root)
        left = evaluation is not None and not live and view.state in ("running", "stopped", "interrupted", "failed")
        return key, [
            gr.update(choices=loras, value=lora if lora in loras else next(iter(loras), None)),
            gr.update(choices=names, value=name),
            self._status_html(name, view, is_mine, holder),
            self._card(evaluation),
            strength_grid(evaluation.grid if evaluation else None, evaluation.scores if evaluation else None) if name else "",
            measures_card(evaluation),
            history_table(self._history(names)),
            idle, idle, gr.update(interactive=live), gr.update(visible=left),
        ]  # fmt: skip

    def _card(self, evaluation: Evaluation | None) -> str:
        return recommendation_card(evaluation) + copied_photos(evaluation, self._photo_addresses(evaluation))

    def _photo_addresses(self, evaluation: Evaluation | None) -> dict[str, str]:
        """Of the photos a grid was compared with, where their folder is one of those listed."""
        folder = evaluation.grid.request.dataset if evaluation else ""
        if folder not in self.studio.listing("dataset"):
            return {}
        try:
            return {sample.name: photo_address(folder, sample, 256) for sample in open_dataset(Path(folder)).samples}
        except UserError:
            return {}

    def _history(self, names: list[str]) -> list[Evaluation]:
        """The newest ones; one whose files are damaged is left out, it says so where it is opened."""
        found = []
        for name in names[:HISTORY]:
            try:
                found.append(load_evaluation(name, self.studio.store.root))
            except UserError:
                continue
        return found

    def _status_html(self, name: str | None, view, live: bool, holder: str | None) -> str:
        if name is None:
            return nothing_yet(texts.RUNNING_NOW.format(job=holder) if holder else texts.NO_GRID)
        if view.failure:
            return f'<div class="verdict fix"><b>{escape(view.failure.what)}</b><span>{escape(view.failure.fix)}</span></div>'
        if live:
            done = f": {view.phase_done} of {view.phase_total}" if view.phase_total else ""
            return f'<div class="verdict" role="status" aria-live="polite"><b>{escape(view.phase)}{done}</b></div>'
        links = f'<a href="pictures/evaluations/{quote(name)}/{SHEET_FILE}" download="{escape(name, quote=True)}.png">{texts.ONE_PICTURE}</a>'
        page = f'<a href="sheet/{quote(name)}" download>{texts.ONE_FILE}</a>'
        if view.state == "running":
            return f'<div class="verdict test"><b>{texts.INTERRUPTED}</b><span>{texts.INTERRUPTED_WHY}</span></div>'
        words = texts.STOPPED if view.state in ("stopped", "interrupted") else texts.DRAWN
        return f'<div class="verdict ready" role="status"><b>{words.format(time=duration(view.seconds))}</b>{links}{page}</div>'
