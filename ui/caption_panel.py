"""Caption them for me: which photos, who writes, progress, then each old caption against the new one to accept or reject."""

from __future__ import annotations

from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import gradio as gr
from pydantic import BaseModel, ConfigDict, ValidationError

from core.caption_tasks import JOB_WORDS, caption_request, captions_log, captions_stop, download_log, free_gigabytes, is_here, start_captioning, start_download
from core.captioning.model_place import open_caption_model
from core.captioning.proposals import Proposal, accept, proposals_of, reject
from core.captioning.request import CAPTION_MODELS, TEMPLATE, Which, model_named
from core.dataset.folder import Dataset, sample_named
from core.errors import Refused, UserError
from core.events import TERMINAL
from core.runs import EventLog
from ui.messages import QUIET, shows_errors
from ui.photo_editor import edited_as, read_edited
from ui.photo_grid import read_picked
from ui.pictures import photo_address
from ui.run_view import RunView
from ui.settings_form import SettingsForm
from ui.studio import Studio, changing_photos, opened
from ui.texts import dataset as texts

if TYPE_CHECKING:
    from ui.dataset_tab import DatasetTab

WHICH: dict[str, Which] = {texts.WHICH["missing"]: "missing", texts.WHICH["machine"]: "machine", texts.WHICH["all"]: "all"}
MISSING, SELECTED = texts.WHICH["missing"], texts.WHICH["all"]
THUMBNAIL_SIDE = 160
NOTHING_SEEN: tuple = ()


class Answer(BaseModel):
    """What a button of a proposal says."""

    model_config = ConfigDict(frozen=True)

    photo: str
    answer: Literal["accept", "reject"]


class CaptionPanel:
    """The fold above the grid. Everything it shows lies on disk, so that a reload or a second browser shows the same."""

    def __init__(self, studio: Studio) -> None:
        self.studio = studio
        with gr.Accordion(texts.PROPOSE_TITLE, open=False, elem_id="caption-panel") as self.fold:
            with gr.Row():
                self.which = gr.Radio(list(WHICH), value=MISSING, label=texts.WHICH_LABEL, info=texts.WHICH_HELP, elem_id="caption-which")
                with gr.Column(min_width=300):
                    self.captioner = gr.Dropdown(captioner_choices(studio), value=TEMPLATE, label=texts.WHO, interactive=True, elem_id="captioner")
                    self.place = gr.HTML(elem_id="captioner-place")
                    self.download = gr.Button(texts.DOWNLOAD, size="sm", visible=False, elem_id="download-captioner")
            with gr.Row(elem_id="caption-buttons"):
                self.start = gr.Button(texts.PROPOSE, variant="primary", elem_id="start-captions")
                self.stop = gr.Button(texts.STOP, visible=False, elem_id="stop-captions")
            self.status = gr.HTML(visible=False, elem_id="caption-status")
            with gr.Column(visible=False) as self.found:
                with gr.Row(elem_id="proposal-buttons") as self.all_at_once:
                    self.accept_all = gr.Button(texts.ACCEPT_ALL, variant="primary", elem_id="accept-all")
                    self.reject_all = gr.Button(texts.REJECT_ALL, elem_id="reject-all")
                self.table = gr.HTML(elem_id="proposals")
        self.pressed = gr.Textbox(visible="hidden", elem_id="proposal-answer")
        self.seen = gr.State(NOTHING_SEEN)
        self.timer = gr.Timer(1.0, active=False)
        self.shown = [self.seen, self.timer, self.place, self.download, self.start, self.stop, self.status, self.found, self.table, self.all_at_once, self.accept_all]

    def wire(self, tab: DatasetTab, form: SettingsForm, page: gr.Blocks) -> None:
        answered = [*self.shown, tab.edited, *tab.drawn]

        def start(captioner: str, which: str, *inputs: Any) -> list[Any]:
            folder_name, _, picked, edited, text, *values = inputs
            tab.keep_typed(folder_name, edited, text)
            photos = read_picked(picked).names if which == SELECTED else []
            if which == SELECTED and not photos:
                raise Refused("No photo is selected.", "", "Click on one, or select some.")
            if captioner not in self.studio.listing("captioner") or which not in WHICH:
                raise Refused("That captioner is not in the list.", str(captioner)[:80], "Choose one of the list.")
            start_captioning(self.studio.captioner, caption_request(form.read(values), captioner, WHICH[which], photos), self.studio.store)
            return self.show(folder_name, captioner, NOTHING_SEEN)

        def fetch(folder_name: str, captioner: str) -> list[Any]:
            start_download(self.studio.captioner, captioner, self.studio.store)
            return self.show(folder_name, captioner, NOTHING_SEEN)

        def answer(wanted: str, captioner: str, folder_name: str, trigger: str, picked: str, edited: str, text: str) -> list[Any]:
            is_saved = tab.keep_typed(folder_name, edited, text)
            with changing_photos(self.studio):
                dataset = opened(self.studio, folder_name)
                if wanted in ("accept", "reject"):
                    pressed, photos = wanted, [proposal.photo for proposal in proposals_of(dataset)]
                else:
                    one = read_answer(wanted)
                    pressed, photos = one.answer, [one.photo]
                (accept if pressed == "accept" else reject)(dataset, photos)
            if pressed == "accept":
                gr.Info((texts.ONE_WRITTEN if len(photos) == 1 else texts.WRITTEN).format(count=len(photos)), duration=4)
            # Otherwise nothing is said of the box: the caption that was accepted may be on its way into it.
            typed = edited_as(read_edited(edited).name, text) if is_saved else gr.skip()
            return [*self.show(folder_name, captioner, NOTHING_SEEN), typed, *tab.show(folder_name, trigger)]

        self.start.click(shows_errors(start), [self.captioner, self.which, *tab.where, *form.inputs], self.shown, **QUIET)
        self.stop.click(shows_errors(self._stop), None, None, **QUIET)
        self.download.click(shows_errors(fetch), [tab.folder, self.captioner], self.shown, **QUIET)
        self.pressed.change(shows_errors(answer), [self.pressed, self.captioner, *tab.where], answered, **QUIET)
        for button, word in ((self.accept_all, "accept"), (self.reject_all, "reject")):
            button.click(shows_errors(lambda *inputs, word=word: answer(word, *inputs)), [self.captioner, *tab.where], answered, **QUIET)
        look = [tab.folder, self.captioner, self.seen]
        self.timer.tick(self.show, look, self.shown, queue=False, trigger_mode="once", **QUIET)
        for event in (page.load, tab.folder.change, self.captioner.change):
            event(lambda folder_name, captioner: self.show(folder_name, captioner, NOTHING_SEEN), look[:2], self.shown, **QUIET)
        page.load(lambda: gr.update(choices=captioner_choices(self.studio), value=best_captioner()), None, self.captioner, **QUIET)

    def _stop(self) -> None:
        if not self.studio.captioner.is_busy():
            raise Refused("No captioning is running here.", "", "")
        captions_stop(self.studio.store).make()

    def show(self, folder_name: str, captioner: str, seen: tuple) -> list[Any]:
        """A value for each of `shown`; nothing is sent but the key when it is what was `seen`."""
        try:
            dataset = opened(self.studio, folder_name)
        except UserError:
            return self._shown_nothing()
        view, is_live = self._followed(captions_log(folder_name))
        loading, is_loading = self._followed(download_log(self.studio.store))
        proposals = proposals_of(dataset)
        busy = is_live or is_loading
        key = (folder_name, captioner, str(proposals), view.last_sign, loading.last_sign, busy, self.studio.captioner.is_busy())
        timer = gr.Timer(active=self.studio.captioner.is_busy() or busy)
        if key == seen:
            return [key, timer, *([gr.skip()] * (len(self.shown) - 2))]
        here = captioner == TEMPLATE or is_here(captioner)
        status = status_html(view, is_live)
        return [
            key, timer, place_html(captioner, here, loading, is_loading), gr.update(visible=not here and not is_loading), gr.update(interactive=not busy and here, variant="secondary" if proposals else "primary"), gr.update(visible=busy),
            gr.update(value=status, visible=bool(status)), gr.update(visible=bool(proposals)), proposals_html(dataset, proposals), gr.update(visible=len(proposals) > 1), texts.ACCEPT_ALL_OF.format(count=len(proposals)),
        ]  # fmt: skip

    def _shown_nothing(self) -> list[Any]:
        hidden = gr.update(visible=False)
        return [NOTHING_SEEN, gr.Timer(active=False), "", hidden, gr.update(interactive=False), hidden, hidden, hidden, "", hidden, texts.ACCEPT_ALL]

    def _followed(self, log: EventLog) -> tuple[RunView, bool]:
        """What a log says, and whether somebody still writes it: this page's worker, or a command that holds the lock."""
        events, view = self.studio.reader.look(log)
        ended = bool(events) and isinstance(events[-1], TERMINAL)
        at_work = self.studio.captioner.is_busy() or (self.studio.store.holder() or "").startswith(JOB_WORDS)
        return view, bool(events) and not ended and at_work


def captioner_choices(studio: Studio) -> list[tuple[str, str]]:
    """Titles with what each costs; folders of one's own by their name."""
    known = {TEMPLATE: texts.FACTS_TITLE} | {model.name: texts.MODEL_TITLE.format(title=model.title, gigabytes=model.gigabytes) for model in CAPTION_MODELS}
    return [(known.get(name, captioner_title(name)), name) for name in studio.listing("captioner")]


def captioner_title(name: str) -> str:
    """Of a model; a folder of one's own is called by its name."""
    model = model_named(name)
    return model.title if model else Path(name).name


def best_captioner() -> str:
    """The first caption model that is on this machine and runs here; else what is measured."""
    return next((model.name for model in CAPTION_MODELS if _runs_here(model.name)), TEMPLATE)


def _runs_here(captioner: str) -> bool:
    try:
        open_caption_model(captioner)
    except Refused:
        return False
    return True


def model_to_ask(studio: Studio, captioner: str) -> str:
    """The captioner, if it is a model of the list that is on this machine; else empty."""
    return captioner if captioner != TEMPLATE and captioner in studio.listing("captioner") and is_here(captioner) else ""


def read_answer(text: str) -> Answer:
    """Raises Refused for what no button says."""
    try:
        return Answer.model_validate_json(text)
    except ValidationError:
        raise Refused("This button could not be read.", "", "Reload the page.") from None


def place_html(captioner: str, here: bool, loading: RunView, is_loading: bool) -> str:
    """Whether the captioner is on this machine, and what it would take to get it."""
    model = model_named(captioner)
    if is_loading:
        return f'<p class="done" role="status">{_progress(loading)}</p>'
    if captioner == TEMPLATE:
        return f'<p class="done">{texts.FACTS_ABOUT}</p>'
    if here or model is None:
        return f'<p class="done">{texts.MODEL_HERE.format(about=escape(model.about) if model else texts.OWN_MODEL)}</p>'
    failed = f" {escape(loading.failure.what)} {escape(loading.failure.fix)}" if loading.failure else ""
    return f'<p class="done">{texts.MODEL_AWAY.format(about=escape(model.about), gigabytes=model.gigabytes, free=free_gigabytes())}{failed}</p>'


def status_html(view: RunView, is_live: bool) -> str:
    notes = "".join(f"<br><small>{escape(text.removeprefix('note: '))}</small>" for _, text in view.log if text.startswith("note: "))
    if is_live:
        return f'<div class="verdict" role="status">{_progress(view)}{notes}</div>'
    if view.failure:
        return f'<div class="verdict fix">{escape(view.failure.what)} {escape(view.failure.fix)}</div>'
    words = texts.ENDS.get(view.state, "")
    return f'<div class="verdict test">{words}{notes}</div>' if words or notes else ""


def proposals_html(dataset: Dataset, proposals: list[Proposal]) -> str:
    """The photo, its old caption against the new one, and two buttons; on a phone one below the other."""
    if not proposals:
        return ""
    return f'<ul class="proposals">{"".join(_row(dataset, proposal) for proposal in proposals)}</ul>'


def _row(dataset: Dataset, proposal: Proposal) -> str:
    name = escape(proposal.photo, quote=True)
    address = escape(photo_address(str(dataset.folder), sample_named(dataset, proposal.photo), THUMBNAIL_SIDE), quote=True)
    before = f"<del>{escape(proposal.before)}</del>" if proposal.before else ""
    buttons = "".join(f'<button type="button" data-answer="{answer}" data-photo="{name}" aria-label="{texts.ANSWER_FOR.format(answer=title, name=name)}">{title}</button>' for answer, title in (("accept", texts.ACCEPT), ("reject", texts.REJECT)))
    return f'<li><img loading="lazy" src="{address}" alt=""><div><b>{name}</b>{before}<ins>{escape(proposal.after)}</ins></div><span>{buttons}</span></li>'


def _progress(view: RunView) -> str:
    return escape(view.phase) + (f" {view.phase_done} of {view.phase_total}" if view.phase_total else "")
