"""The Evaluation tab: choose a LoRA, prompts and strengths; see the grid as it is drawn and keep it as one picture."""

from __future__ import annotations

from html import escape
from typing import Any
from urllib.parse import quote

import gradio as gr

from core.errors import Refused, UserError
from core.evaluation.grid import SHEET_FILE, STRENGTHS, grid_names, load_grid, parse_strengths, strength_label
from core.evaluation.job import EvaluationJob
from core.evaluation.prompts import parse_prompts, prompts_file, read_prompts
from core.settings import Settings
from core.tasks import grid_log, grid_request, lora_names, start_evaluation
from ui.dataset_tab import QUIET
from ui.messages import as_html, duration, shows_errors
from ui.pictures import nothing_yet, strength_grid
from ui.run_view import fold
from ui.settings_form import SettingsForm
from ui.studio import Studio


class EvaluationTab:
    """The components that `render` fills, in the order of `outputs`."""

    def __init__(self, studio: Studio, form: SettingsForm) -> None:
        self.studio = studio
        self.form = form
        with gr.Row(equal_height=False):
            with gr.Column(scale=1, min_width=300):
                names = lora_names(studio.store)
                self.lora = gr.Dropdown(names, value=next(iter(names), None), label="LoRA", info="Finished and stopped runs, newest first.", interactive=True, elem_id="lora")
                self.strengths = gr.Textbox(" ".join(map(strength_label, STRENGTHS)), label="Strengths", info="0.5 is half, 1.0 as trained.", max_lines=1, elem_id="strengths")
                self.base = gr.Checkbox(True, label="Base model as first column", info="Strength 0: what the model draws without the LoRA.", elem_id="with-base")
                self.prompts = gr.Textbox("\n".join(prompt.line for prompt in read_prompts(prompts_file(studio.resolved(studio.first_preset()).settings.model.path))), label="Prompts", info="One per line; {trigger} and {class} are filled in.", lines=8, max_lines=16, elem_id="prompts")
                self.draw = gr.Button("Draw the grid", variant="primary", elem_id="draw")
                self.stop = gr.Button("Stop, keep finished rows", interactive=False, elem_id="stop-grid")
            with gr.Column(scale=3, min_width=360):
                self.grid = gr.Dropdown(grid_names(studio.store.root), label="Grid", info="The newest unless you choose another.", interactive=True, elem_id="grid")
                self.status = gr.HTML(elem_id="grid-status")
                self.cells = gr.HTML(elem_id="cells")

    @property
    def outputs(self) -> list[gr.components.Component]:
        return [self.lora, self.grid, self.status, self.cells, self.draw, self.stop]

    def wire(self) -> None:
        self.draw.click(shows_errors(self._draw), [self.lora, self.strengths, self.base, self.prompts, *self.form.inputs], self.grid, **QUIET)
        self.stop.click(shows_errors(self._stop), None, None, **QUIET)

    def _draw(self, lora: str | None, strengths: str, with_base: bool, prompts: str, *values: Any) -> Any:
        if not lora:
            raise Refused("There is no LoRA to draw with.", "Evaluation", "Train one first; Demo takes minutes.")
        chosen = parse_strengths(strengths)
        if with_base and 0 not in chosen:
            chosen = (0.0, *chosen)
        request = grid_request(self._settings_of(lora, values), lora, parse_prompts(prompts), chosen)
        name = start_evaluation(self.studio.trainer, EvaluationJob(aim="grid", request=request), self.studio.store)
        return gr.update(choices=[name, *grid_names(self.studio.store.root)], value=name)

    def _settings_of(self, lora: str, values: tuple[Any, ...]) -> Settings:
        """A run's own settings for its LoRA; for a file from elsewhere what the form says."""
        name = lora.removesuffix(".safetensors")
        return self.studio.store.load(name).settings if name in self.studio.store.names() else self.form.read(values)

    def _stop(self) -> None:
        if self.studio.store.holder() is None:
            raise Refused("Nothing is running.", "", "")
        self.studio.store.stop_request().make()

    def render(self, lora: str | None, chosen: str | None, seen: tuple) -> tuple[tuple, list[Any]]:
        """A key that changes with what is shown, and a value for each of `outputs`; nothing is sent when the key is `seen`."""
        root, holder = self.studio.store.root, self.studio.store.holder()
        loras, names = lora_names(self.studio.store), grid_names(root)
        name = chosen if chosen in names else next(iter(names), None)
        try:
            events = self.studio.reader.events(grid_log(name, self.studio.store)) if name else []
            grid = load_grid(name, root) if name else None
        except UserError as error:
            key = (name, error.what)
            shown = [gr.update(choices=loras), gr.update(choices=names, value=name), f'<div class="verdict fix">{as_html(error)}</div>', "", gr.update(interactive=holder is None), gr.update(interactive=False)]
            return key, shown if key != seen else [gr.skip()] * len(self.outputs)
        key = (tuple(loras), tuple(names), name, lora, len(events), holder)
        if key == seen:
            return key, [gr.skip()] * len(self.outputs)
        view = fold(events)
        drawing = holder is not None and holder.startswith("drawing")
        return key, [
            gr.update(choices=loras, value=lora if lora in loras else next(iter(loras), None)),
            gr.update(choices=names, value=name),
            self._status_html(name, view, drawing and name == next(iter(names), None), holder),
            strength_grid(grid),
            gr.update(interactive=holder is None),
            gr.update(interactive=drawing),
        ]

    def _status_html(self, name: str | None, view, live: bool, holder: str | None) -> str:
        if name is None:
            return nothing_yet(f"Running now: {holder}." if holder else "No grid yet. Choose a LoRA and draw one.")
        if view.failure:
            return f'<div class="verdict fix"><b>{escape(view.failure.what)}</b><span>{escape(view.failure.fix)}</span></div>'
        if live:
            done = f" row {view.phase_done + 1} of {view.phase_total}" if view.phase_total else ""
            return f'<div class="verdict" role="status" aria-live="polite"><b>{escape(view.phase)}{done}</b></div>'
        if view.state == "running":
            return '<div class="verdict test"><b>Interrupted</b><span>The process ended before the grid was finished.</span></div>'
        address = f"pictures/evaluations/{quote(name)}/{SHEET_FILE}"
        return f'<div class="verdict ready" role="status"><b>Drawn in {duration(view.seconds)}</b><a href="{address}" download="{escape(name)}.png">Download as one picture</a></div>'
