"""The Dataset tab: choose the person, add photos, look at them, set them aside, turn, crop and caption them, and take each step back."""

from __future__ import annotations

from collections.abc import Callable
from html import escape
from pathlib import Path
from typing import Any

import gradio as gr

from core.analysis_tasks import kept_report
from core.dataset import edits, history
from core.dataset.captions import one_line
from core.dataset.folder import Dataset, Sample, sample_named
from core.errors import Refused, UserError
from ui import people, upload_zone
from ui.bulk_captions import BulkCaptions
from ui.caption_panel import CaptionPanel
from ui.messages import QUIET, shows_errors
from ui.photo_editor import after_saving, checks_html, edited_as, large_photo, no_photo, read_box, read_edited
from ui.photo_grid import Picked, photo_grid, read_picked
from ui.pictures import nothing_yet
from ui.settings_form import WITH_PHOTOS, SettingsForm
from ui.studio import Studio, changing_photos, opened, require_listed
from ui.texts import dataset as texts

Edit = Callable[[Dataset, list[str]], None]


class DatasetTab:
    """`edited` says whose caption stands in the box, and how it read when it was put there: what differs was typed.

    It lives in the browser, beside the box: both are sent as they were at one moment, however many answers are on their way.
    """

    def __init__(self, studio: Studio, form: SettingsForm, page: gr.Blocks) -> None:
        self.studio = studio
        with gr.Row(elem_id="subject-row"):
            self.folder, self.trigger, self.class_word = (form.place(key) for key in WITH_PHOTOS)
        people.build(studio, self.folder, page)
        self.summary = gr.Markdown(elem_id="dataset-summary")
        self.captions = CaptionPanel(studio)
        bulk = BulkCaptions()
        with gr.Row(elem_id="photo-tools"):
            self.tools = {name: gr.Button(title, size="sm", min_width=40, elem_id=name) for name, title in texts.TOOLS.items()}
        with gr.Row(elem_id="photo-desk"):
            with gr.Column(scale=3):
                self.photos = gr.HTML(elem_id="photos")
            with gr.Column(scale=2, min_width=300, elem_id="photo-panel"):
                self.large = gr.HTML(elem_id="large")
                self.caption = gr.Textbox(label=texts.CAPTION, info=texts.CAPTION_HELP, lines=3, max_length=2000, elem_id="caption")
                self.checks = gr.HTML(elem_id="caption-checks")
                save = gr.Button(texts.CAPTION_SAVE, elem_id="save-caption")
                uploaded = upload_zone.build(studio, self.folder, page)
        self.picked = gr.Textbox(visible="hidden", elem_id="picked")
        self.crop_box = gr.Textbox(visible="hidden", elem_id="crop-box")
        self.edited = gr.Textbox(visible="hidden", elem_id="edited")
        self.drawn = [self.photos, self.summary, self.tools["undo"], self.tools["redo"]]
        self.where = [self.folder, self.trigger, self.picked, self.edited, self.caption]
        self._wire(page, save, uploaded)
        bulk.wire(self)

    def _wire(self, page: gr.Blocks, save: gr.Button, uploaded: gr.Button) -> None:
        for event in (page.load, self.folder.change, self.trigger.blur, uploaded.click):
            event(shows_errors(self.show), [self.folder, self.trigger], self.drawn, **QUIET)
        shown = [self.large, self.caption, self.checks, self.edited, *self.drawn]
        self.picked.change(shows_errors(self.pick), self.where, shown, trigger_mode="always_last", **QUIET)
        self.caption.change(checks_html, [self.caption, self.trigger], self.checks, trigger_mode="always_last", **QUIET)
        save.click(shows_errors(self.save), self.where, [self.edited, *self.drawn], **QUIET)
        for name, edit in EDITS.items():
            self.tools[name].click(shows_errors(self._acting(edit)), self.where, [self.edited, *self.drawn], **QUIET)
        for name, step in (("undo", history.undo), ("redo", history.redo)):
            self.tools[name].click(shows_errors(self._stepping(step)), self.where, [self.edited, *self.drawn], **QUIET)
        self.crop_box.change(shows_errors(self.crop), [*self.where, self.crop_box], [self.edited, *self.drawn], **QUIET)

    def show(self, folder_name: str, trigger_word: str) -> list[Any]:
        """The grid for a folder; a folder that is empty or missing is a state, not a fault."""
        try:
            dataset = opened(self.studio, folder_name)
        except UserError as error:
            return [nothing_yet(f"{error.what} {error.fix}"), "", *undo_and_redo(Path(folder_name) if folder_name in self.studio.listing("dataset") else None)]
        report, analyzed = kept_report(folder_name, self.studio.store)
        return [photo_grid(dataset, trigger_word, report, analyzed), summary_of(dataset), *undo_and_redo(dataset.folder)]

    def pick(self, folder_name: str, trigger_word: str, picked_text: str, edited: str, text: str) -> list[Any]:
        """The photo that is looked at; what was typed for the one before is saved first."""
        saved = self.keep_typed(folder_name, edited, text)
        drawn = self.show(folder_name, trigger_word) if saved else [gr.skip()] * len(self.drawn)
        sample = _found(folder_name, self.studio, read_picked(picked_text))
        if sample is None:
            return [no_photo(), "", "", "", *drawn]
        caption = _text_of(sample)
        stays = sample.name == read_edited(edited).name and caption == text.strip()
        return [large_photo(opened(self.studio, folder_name), sample), gr.skip() if stays else caption, checks_html(caption, trigger_word), edited_as(sample.name, caption), *drawn]

    def save(self, folder_name: str, trigger_word: str, picked_text: str, edited: str, text: str) -> list[Any]:
        name = read_edited(edited).name
        if self.keep_typed(folder_name, edited, text):
            gr.Info(escape(texts.CAPTION_SAVED.format(name=name)), duration=3)
        return [after_saving(edited, text), *self.show(folder_name, trigger_word)]

    def crop(self, folder_name: str, trigger_word: str, picked_text: str, edited: str, text: str, box: str) -> list[Any]:
        current = read_picked(picked_text).current
        return self._acting(lambda dataset, _: edits.crop(dataset, {current or "": read_box(box)}))(folder_name, trigger_word, picked_text, edited, text)

    def keep_typed(self, folder_name: str, edited: str, text: str) -> bool:
        """Save what was typed into the caption box, whether or not the button was pressed. Returns whether anything was.

        A caption that reads otherwise by now than when it was put there is left alone, and what was typed is said.
        """
        box = read_edited(edited)
        name, before = box.name, box.text
        if not name or not box.typed or text == before:
            return False
        try:
            with changing_photos(self.studio):
                dataset = opened(self.studio, folder_name)
                if _text_of(sample_named(dataset, name)) != one_line(before):
                    raise UserError("It was changed elsewhere meanwhile.")
                return edits.write_captions(dataset, {name: text}, texts.CAPTION_STEP.format(name=name)) > 0
        except Refused:
            raise
        except UserError as error:
            gr.Warning(escape(texts.CAPTION_LOST.format(name=name, text=text, why=error.what)), duration=None)
            return False

    def _acting(self, edit: Edit) -> Callable[..., list[Any]]:
        def act(folder_name: str, trigger_word: str, picked_text: str, edited: str, text: str) -> list[Any]:
            self.keep_typed(folder_name, edited, text)
            names = read_picked(picked_text).names
            if not names:
                raise Refused("No photo is picked.", "", "Click on one, or select some.")
            with changing_photos(self.studio):
                edit(opened(self.studio, folder_name), names)
            return [after_saving(edited, text), *self.show(folder_name, trigger_word)]

        return act

    def _stepping(self, step: Callable[[Path], str]) -> Callable[..., list[Any]]:
        def act(folder_name: str, trigger_word: str, picked_text: str, edited: str, text: str) -> list[Any]:
            self.keep_typed(folder_name, edited, text)
            with changing_photos(self.studio):
                require_listed(self.studio, folder_name)
                step(Path(folder_name))
            return [after_saving(edited, text), *self.show(folder_name, trigger_word)]

        return act


EDITS: dict[str, Edit] = {
    "exclude": edits.exclude,
    "take-back": edits.take_back,
    "turn-left": lambda dataset, names: edits.turn(dataset, names, 270),
    "turn-right": lambda dataset, names: edits.turn(dataset, names, 90),
    "restore": edits.restore,
    "delete-photos": edits.delete,
}


def summary_of(dataset: Dataset) -> str:
    count = len(dataset.samples)
    captioned = sum(1 for sample in dataset.samples if _text_of(sample))
    advice = texts.GOOD_NUMBER if 15 <= count <= 30 else texts.OTHER_NUMBER
    said = [(texts.ONE_PHOTO if count == 1 else texts.MANY_PHOTOS).format(count=count, advice=advice, captioned=captioned)]
    if dataset.excluded:
        said.append(texts.EXCLUDED.format(count=len(dataset.excluded)))
    if dataset.orphan_captions:
        said.append((texts.ONE_ORPHAN if len(dataset.orphan_captions) == 1 else texts.ORPHANS).format(count=len(dataset.orphan_captions)))
    if dataset.problems:
        said.append((texts.ONE_PROBLEM if len(dataset.problems) == 1 else texts.PROBLEMS).format(count=len(dataset.problems)))
    return " ".join(said)


def undo_and_redo(folder: Path | None) -> list[Any]:
    """The buttons of undo and redo say what they would do."""
    steps = history.next_steps(folder) if folder else (None, None)
    return [gr.update(value=f"{title}: {what}" if what else title, interactive=what is not None) for title, what in zip((texts.TOOLS["undo"], texts.TOOLS["redo"]), steps, strict=True)]


def _found(folder_name: str, studio: Studio, picked: Picked) -> Sample | None:
    try:
        return sample_named(opened(studio, folder_name), picked.current) if picked.current else None
    except UserError:
        return None  # it was deleted meanwhile; the grid says so


def _text_of(sample: Sample) -> str:
    return sample.caption.text if sample.caption else ""
