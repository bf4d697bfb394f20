"""The form of all settings, made from their declarations: one component each, values back to Settings."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import gradio as gr

from core.errors import Refused
from core.presets import Resolved
from core.settings import Declaration, Settings, declarations, parse_settings, value_of
from ui.studio import Studio

# Where a setting stands on the page: beside the photos, on top of the Training tab, or (all others) in its Advanced fold.
WITH_PHOTOS = ("dataset.folder", "dataset.trigger_word", "dataset.class_word")
UP_FRONT = ("run.price_per_hour", "run.name", "model.path", "train.steps", "dataset.resolution", "lora.rank", "optimizer.learning_rate", "text_encoder.two_phase", "regularization.enabled")
NOT_ON_THE_PAGE = ("run.output",)
# What belongs to the machine, not to a preset or a run: choosing one leaves it alone.
OF_THE_MACHINE = ("run.price_per_hour",)


def make_component(declaration: Declaration, studio: Studio, value: Any) -> gr.components.Component:
    """A switch, a choice, a listing, a number or a text, with the declaration's own title and help."""
    common = {"label": declaration.title, "info": declaration.help, "interactive": True, "elem_id": element_id(declaration.key)}
    if declaration.place:
        choices = studio.listing(declaration.place)
        return gr.Dropdown(choices, value=str(value) if str(value) in choices else choices[0], **common)
    if declaration.choices:
        return gr.Dropdown(list(declaration.choices), value=value, **common)
    if declaration.field.annotation is bool:
        return gr.Checkbox(value, **common)
    if declaration.field.annotation in (int, float):
        return gr.Number(value, precision=0 if declaration.field.annotation is int else None, **common)
    if declaration.field.annotation == tuple[str, ...]:
        return gr.Textbox("\n".join(value), lines=3, max_lines=10, **common)
    return gr.Textbox(value, max_lines=1, **common)


def element_id(key: str) -> str:
    return "set-" + key.replace(".", "-").replace("_", "-")


class SettingsForm:
    """Components by section.field; tabs place them, the start button reads them all at once."""

    def __init__(self, studio: Studio, resolved: Resolved) -> None:
        self.studio = studio
        self.first = resolved
        self.declarations = [d for d in declarations() if d.key not in NOT_ON_THE_PAGE]
        self.components: dict[str, gr.components.Component] = {}

    def place(self, key: str) -> gr.components.Component:
        """Make the component of one setting where the caller stands in the layout."""
        declaration = next(d for d in self.declarations if d.key == key)
        self.components[key] = make_component(declaration, self.studio, value_of(self.first.settings, key))
        return self.components[key]

    def place_advanced(self) -> None:
        """All settings that stand nowhere else, by section."""
        placed = {*WITH_PHOTOS, *UP_FRONT}
        sections = dict.fromkeys(d.section_title for d in self.declarations if d.key not in placed)
        for section in sections:
            gr.Markdown(f"#### {section}")
            with gr.Row(elem_classes="settings-row"):
                for declaration in self.declarations:
                    if declaration.section_title == section and declaration.key not in placed:
                        with gr.Column(min_width=240):
                            self.place(declaration.key)

    @property
    def inputs(self) -> list[gr.components.Component]:
        """In the order of the declarations, which is the order `values_of` expects."""
        return [self.components[d.key] for d in self.declarations]

    def fill(self, preset: str) -> list[Any]:
        """Updates for `inputs`: the preset with the start-up variables on top."""
        return self.show(self.studio.resolved(preset).settings)

    def show(self, settings: Settings) -> list[Any]:
        """Updates for `inputs`; what belongs to the machine stays as it is. Raises Refused for a path of no listing, so that nothing else is shown in its place."""
        return [gr.skip() if d.key in OF_THE_MACHINE else self._shown(d, self._listed(d, value_of(settings, d.key))) for d in self.declarations]

    def show_only(self, key: str, value: Any) -> list[Any]:
        """Updates for `inputs` that change one of them."""
        return [self._shown(d, self._listed(d, value)) if d.key == key else gr.skip() for d in self.declarations]

    def _shown(self, declaration: Declaration, value: Any) -> Any:
        if declaration.place:
            return gr.update(choices=self.studio.listing(declaration.place), value=str(value))
        return "\n".join(value) if isinstance(value, tuple) else value

    def read(self, values: Sequence[Any]) -> Settings:
        """Settings from what the form holds. Raises UserError naming every field that is wrong, Refused for a path of no listing."""
        given: dict[str, Any] = {"run.output": str(self.studio.store.root)}
        for declaration, value in zip(self.declarations, values, strict=True):
            given[declaration.key] = self._accepted(declaration, value)
        return parse_settings(given, {key: "the form" for key in given})

    def _listed(self, declaration: Declaration, value: Any) -> Any:
        if declaration.place and value not in self.studio.listing(declaration.place):
            raise Refused(f"{declaration.title}: '{str(value)[:80]}' is not in the list.", declaration.key, "Choose an entry of the list. Other paths are given when the page is started (DATA_DIR, MODEL_PATH, REG_DIR).")
        return value

    def _accepted(self, declaration: Declaration, value: Any) -> Any:
        self._listed(declaration, value)
        if declaration.field.annotation == tuple[str, ...]:
            return tuple(line.strip() for line in str(value or "").splitlines() if line.strip())
        if declaration.field.annotation is str and isinstance(value, str):
            return value.strip()
        return value
