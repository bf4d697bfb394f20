"""Many captions at once: choose what to do, see every caption before and after, then apply it."""

from __future__ import annotations

from collections.abc import Callable
from html import escape
from typing import TYPE_CHECKING, Any

import gradio as gr

from core.dataset import caption_edits, edits
from core.dataset.caption_edits import TextEdit
from core.dataset.folder import captions_of
from core.dataset.traits import without_traits
from core.errors import Refused
from ui.messages import shows_errors
from ui.photo_editor import after_saving
from ui.photo_grid import read_picked
from ui.studio import changing_photos, opened
from ui.texts import dataset as texts

if TYPE_CHECKING:
    from ui.dataset_tab import DatasetTab

SET_TRIGGER, IN_FRONT, REPLACE = (texts.BULK_KINDS[kind] for kind in ("trigger", "front", "replace"))
KINDS: dict[str, Callable[[str, str, str, str], TextEdit]] = {
    SET_TRIGGER: lambda trigger_word, class_word, old, new: caption_edits.set_trigger(trigger_word, class_word),
    IN_FRONT: lambda trigger_word, class_word, old, new: caption_edits.put_in_front(new),
    REPLACE: lambda trigger_word, class_word, old, new: caption_edits.replace(old, new),
    texts.BULK_KINDS["traits"]: lambda trigger_word, class_word, old, new: without_traits,
    texts.BULK_KINDS["shorten"].format(words=caption_edits.SHORT_WORDS): lambda trigger_word, class_word, old, new: caption_edits.shorten(),
}
Previewed = dict[str, tuple[str, str]]


class BulkCaptions:
    """The fold above the grid; it works on the selected photos, or on all when none is selected."""

    def __init__(self) -> None:
        with gr.Accordion(texts.BULK, open=False, elem_id="bulk-captions"):
            with gr.Row():
                self.kind = gr.Dropdown(list(KINDS), value=SET_TRIGGER, label=texts.BULK_KIND, info=texts.BULK_KIND_HELP, elem_id="bulk-kind")
                self.old = gr.Textbox(label=texts.BULK_FIND, max_length=200, visible=False, elem_id="bulk-find")
                self.new = gr.Textbox(label=texts.BULK_WORDS, max_length=200, visible=False, elem_id="bulk-words")
            look = gr.Button(texts.BULK_PREVIEW, elem_id="bulk-preview")
            self.table = gr.HTML(elem_id="bulk-table")
            self.apply = gr.Button(texts.BULK_APPLY, variant="primary", visible=False, elem_id="bulk-apply")
        self.previewed = gr.State({})
        self.look = look

    def wire(self, tab: DatasetTab) -> None:
        def fields(kind: str) -> list[Any]:
            return [gr.update(visible=kind == REPLACE), gr.update(visible=kind in (IN_FRONT, REPLACE)), "", gr.update(visible=False), {}]

        def preview(folder_name: str, trigger_word: str, picked_text: str, edited: str, text: str, class_word: str, kind: str, old: str, new: str) -> list[Any]:
            tab.keep_typed(folder_name, edited, text)
            dataset = opened(tab.studio, folder_name)
            names = list(read_picked(picked_text).selected) or [sample.name for sample in (*dataset.samples, *dataset.excluded)]
            found = caption_edits.preview(dataset, names, text_edit(kind, trigger_word.strip(), class_word.strip(), old or "", new or ""))
            return [table_html(found, len(names)), gr.update(visible=bool(found), value=(texts.BULK_APPLY_TO_ONE if len(found) == 1 else texts.BULK_APPLY_TO).format(count=len(found))), found, after_saving(edited, text), *tab.show(folder_name, trigger_word)]

        def apply(folder_name: str, trigger_word: str, kind: str, previewed: Previewed) -> list[Any]:
            with changing_photos(tab.studio):
                dataset = opened(tab.studio, folder_name)
                now = captions_of((*dataset.samples, *dataset.excluded))
                if any(now.get(name) != before for name, (before, _) in previewed.items()):
                    raise Refused("A caption was changed since the preview.", "", "Press Preview again.")
                edits.write_captions(dataset, caption_edits.after(previewed), f"{kind.lower()}: {edits.counted(list(previewed))}")
            return [f'<p class="done" role="status">{texts.BULK_APPLIED}</p>', gr.update(visible=False), {}, *tab.show(folder_name, trigger_word)]

        quiet: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private", "concurrency_limit": None}
        self.kind.change(fields, self.kind, [self.old, self.new, self.table, self.apply, self.previewed], **quiet)
        inputs = [*tab.where, tab.class_word, self.kind, self.old, self.new]
        self.look.click(shows_errors(preview), inputs, [self.table, self.apply, self.previewed, tab.edited, *tab.drawn], **quiet)
        self.apply.click(shows_errors(apply), [tab.folder, tab.trigger, self.kind, self.previewed], [self.table, self.apply, self.previewed, *tab.drawn], **quiet)


def text_edit(kind: str, trigger_word: str, class_word: str, old: str, new: str) -> TextEdit:
    """Raises Refused for what cannot be done with these words."""
    if kind not in KINDS:
        raise Refused(f"'{kind[:40]}' is nothing that can be done with captions.", "", "Choose one of the list.")
    return KINDS[kind](trigger_word, class_word, old, new)


def table_html(previewed: Previewed, looked_at: int) -> str:
    if not previewed:
        return f'<p class="done" role="status">{texts.BULK_NOTHING.format(count=looked_at)}</p>'
    rows = "".join(f"<tr><th scope='row'>{escape(name)}</th><td><del>{escape(before)}</del><ins>{escape(after)}</ins></td></tr>" for name, (before, after) in previewed.items())
    heads = "".join(f"<th>{head}</th>" for head in texts.BULK_HEADS)
    return f'<div class="scroll"><table class="plain bulk"><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table></div>'
