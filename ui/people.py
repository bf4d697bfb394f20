"""People, side by side: a new one, what the studio keeps of one, and deleting all of it in two steps."""

from __future__ import annotations

from html import escape
from pathlib import Path
from typing import Any

import gradio as gr

from core.dataset.subjects import create_subject
from core.errors import Refused
from core.events import TERMINAL
from core.tasks import kept_of, purge_log, start_purge
from core.traces import Trace, Traces
from ui.messages import QUIET, shows_errors
from ui.run_view import RunView, fold
from ui.server.files import forget_thumbnails
from ui.studio import Studio, require_listed
from ui.texts import dataset as texts


def build(studio: Studio, folder: gr.components.Component, page: gr.Blocks) -> None:
    """`folder` is the choice of the dataset; it learns of new and deleted people."""
    with gr.Accordion(texts.PEOPLE, open=False, elem_id="people"), gr.Row():
        with gr.Column(scale=1, min_width=260):
            name = gr.Textbox(label=texts.NEW_PERSON, info=texts.NEW_PERSON_HELP, max_lines=1, max_length=80, elem_id="new-person")
            create = gr.Button(texts.CREATE, elem_id="create-person")
        with gr.Column(scale=2, min_width=300):
            look = gr.Button(texts.WHAT_IS_KEPT, elem_id="look-at-traces")
            shown = gr.HTML(elem_id="traces")
            with gr.Column(visible=False, elem_id="confirm-purge") as confirm:
                typed = gr.Textbox(label=texts.TYPE_THE_NAME, max_lines=1, elem_id="typed-name")
                with_loras = gr.Checkbox(False, label=texts.LORAS_TOO, elem_id="with-loras")
                delete = gr.Button(texts.DELETE_FOR_GOOD, variant="stop", elem_id="delete-person")
            outcome = gr.HTML(elem_id="purged")
    timer = gr.Timer(1.0, active=False)

    def make(wish: str) -> list[Any]:
        made = str(create_subject(wish or ""))
        return [gr.update(choices=studio.listing("dataset"), value=made), ""]

    def show(folder_name: str) -> list[Any]:
        require_listed(studio, folder_name)
        return [traces_html(kept_of(folder_name, studio.store)), gr.update(visible=True), "", ""]

    def start(folder_name: str, name_typed: str, and_loras: bool) -> list[Any]:
        require_listed(studio, folder_name)
        wanted = Path(folder_name).name
        if name_typed.strip() != wanted:
            raise Refused(f"Type '{wanted}' to delete everything about it.", "", "Nothing was deleted.")
        start_purge(studio.analyst, folder_name, and_loras, studio.store)
        return [gr.update(active=True), gr.update(visible=False), ""]

    def follow(folder_name: str) -> list[Any]:
        view = fold(purge_log(studio.store).read()[0])
        is_busy = studio.analyst.is_busy()
        if not is_busy:
            forget_thumbnails()
        return [progress_html(view, is_busy), gr.update(active=is_busy or folder_name not in studio.listing("dataset")), _choices(studio, folder_name)]

    def open_page(folder_name: str) -> list[Any]:
        """A reload in the middle of a deletion goes on showing it; new people are in the list."""
        events = purge_log(studio.store).read()[0]
        return [gr.update(active=bool(events) and not isinstance(events[-1], TERMINAL)), _choices(studio, folder_name)]

    create.click(shows_errors(make), name, [folder, name], **QUIET)
    look.click(shows_errors(show), folder, [shown, confirm, typed, outcome], **QUIET)
    delete.click(shows_errors(start), [folder, typed, with_loras], [timer, confirm, shown], **QUIET)
    timer.tick(shows_errors(follow), folder, [outcome, timer, folder], **QUIET)
    folder.change(lambda: ["", gr.update(visible=False)], None, [shown, confirm], **QUIET)
    page.load(shows_errors(open_page), folder, [timer, folder], **QUIET)


def traces_html(traces: Traces) -> str:
    """What goes, what goes only when asked, what stays."""
    rows = "".join(_row(trace, "") for trace in traces.goes if trace.files) + (_row(traces.loras, texts.ONLY_WHEN_SAID) if traces.loras.paths else "")
    stays = f"<p>{texts.STAYS.format(paths=escape(', '.join(map(str, traces.stays))))}</p>" if traces.stays else ""
    heads = "".join(f"<th>{head}</th>" for head in texts.TRACES_HEADS)
    return f'<p>{texts.KEPT_OF.format(name=escape(traces.folder.name))}</p><table class="plain"><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table>{stays}'


def progress_html(view: RunView, is_busy: bool) -> str:
    if view.failure:
        return f'<div class="verdict fix">{escape(view.failure.what)} {escape(view.failure.fix)}</div>'
    if view.state == "finished":
        return f'<div class="verdict ready" role="status">{texts.PURGED}</div>'
    if is_busy:
        return f'<div class="verdict" role="status">{escape(view.phase)}</div>'
    return f'<div class="verdict test">{texts.PURGE_BROKEN_OFF}</div>'


def _row(trace: Trace, note: str) -> str:
    return f"<tr><td>{escape(trace.what + note)}</td><td>{trace.files}</td><td>{_size(trace.bytes)}</td></tr>"


def _size(count: int) -> str:
    return f"{count / 1e6:,.1f} MB" if count >= 100_000 else f"{count / 1e3:,.1f} kB"


def _choices(studio: Studio, folder_name: str) -> Any:
    """A folder that is gone gives way to the first of the list; its name leaves the list one look later, because requests under way may still bring it."""
    listed = studio.listing("dataset")
    return gr.update(choices=listed, value=folder_name) if folder_name in listed else gr.update(choices=[*listed, folder_name], value=listed[0])

