"""The Dataset tab: choose the person, see photos with captions, add photos, write captions."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gradio as gr

from core.dataset.captions import has_trigger, write_caption
from core.dataset.folder import Dataset, open_dataset, sample_named
from core.durable import storage_error
from core.errors import Refused, UserError
from ui import people, upload_zone
from ui.messages import shows_errors
from ui.pictures import nothing_yet, photo_grid
from ui.settings_form import WITH_PHOTOS, SettingsForm
from ui.studio import Studio

QUIET: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private", "concurrency_limit": None}


def build(studio: Studio, form: SettingsForm, page: gr.Blocks) -> None:
    with gr.Row():
        folder, trigger, _ = (form.place(key) for key in WITH_PHOTOS)
    people.build(studio, folder, page)
    summary = gr.Markdown(elem_id="dataset-summary")
    with gr.Row():
        with gr.Column(scale=3):
            photos = gr.HTML(elem_id="photos")
        with gr.Column(scale=1, min_width=300):
            uploaded = upload_zone.build(studio, folder, page)
            chosen = gr.Dropdown(label="Photo", info="Whose caption is edited.", interactive=True, elem_id="chosen-photo")
            caption = gr.Textbox(label="Caption", info="Trigger word first, then clothing, place, angle, light.", lines=4, max_length=2000, elem_id="caption")
            save = gr.Button("Save caption", elem_id="save-caption")

    def show(folder_name: str, trigger_word: str, chosen_name: str | None) -> list[Any]:
        """The whole tab for a folder; a folder that is empty or missing is a state, not a fault."""
        try:
            dataset = opened(studio, folder_name)
        except UserError as error:
            return [nothing_yet(error.what), error.fix, gr.update(choices=[], value=None), ""]
        names = [sample.name for sample in dataset.samples]
        name = chosen_name if chosen_name in names else next(iter(names), None)
        lacking = {sample.name for sample in dataset.samples if sample.caption and not has_trigger(sample.caption.text, trigger_word)}
        return [photo_grid(folder_name, dataset.samples, lacking), summary_of(dataset), gr.update(choices=names, value=name), caption_of(dataset, name)]

    def pick(folder_name: str, name: str) -> str:
        return caption_of(opened(studio, folder_name), name)

    def write(folder_name: str, trigger_word: str, name: str, text: str) -> list[Any]:
        dataset = opened(studio, folder_name)
        sample = sample_named(dataset, name or "")
        try:
            write_caption(sample.caption_file, text)
        except OSError as error:
            raise storage_error(error, sample.caption_file) from None
        gr.Info(f"Caption of {name} saved.", duration=3)
        return show(folder_name, trigger_word, name)

    shown = [photos, summary, chosen, caption]
    for event in (page.load, folder.change, trigger.blur):
        event(shows_errors(show), [folder, trigger, chosen], shown, **QUIET)
    chosen.input(shows_errors(pick), [folder, chosen], caption, **QUIET)
    uploaded.click(shows_errors(show), [folder, trigger, chosen], shown, **QUIET)
    save.click(shows_errors(write), [folder, trigger, chosen, caption], shown, **QUIET)


def opened(studio: Studio, folder_name: str) -> Dataset:
    """Raises UserError for a folder that is not listed or not there."""
    require_listed(studio, folder_name)
    return open_dataset(Path(folder_name))


def require_listed(studio: Studio, folder_name: str) -> None:
    if folder_name not in studio.listing("dataset"):
        raise Refused(f"'{str(folder_name)[:80]}' is not one of the dataset folders.", "dataset.folder", "Choose one of the list.")


def summary_of(dataset: Dataset) -> str:
    count = len(dataset.samples)
    captioned = sum(1 for sample in dataset.samples if sample.caption and sample.caption.text)
    advice = "15 to 30 are recommended" if not 15 <= count <= 30 else "a good number"
    text = f"**{count} photos** ({advice}), {captioned} with a caption."
    if dataset.orphan_captions:
        text += f" {len(dataset.orphan_captions)} captions belong to no photo."
    if dataset.problems:
        text += f" {len(dataset.problems)} files cannot be used; the Analyzer names them."
    return text


def caption_of(dataset: Dataset, name: str | None) -> str:
    if name is None:
        return ""
    sample = sample_named(dataset, name)
    return sample.caption.text if sample.caption else ""
