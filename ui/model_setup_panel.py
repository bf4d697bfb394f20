"""FLUX.1-dev without a terminal: its licence, whether a token is set, what the download takes, and the download as a job that is stopped and goes on."""

from __future__ import annotations

from html import escape
from typing import Any

import gradio as gr

from core.errors import Refused
from core.events import TERMINAL
from core.model_setup import download_log, flux_dev, hub_of, look, start_download, stop_request
from core.pace import duration
from core.settings import POCKET_FLUX
from ui.messages import QUIET, shows_errors
from ui.run_status import bar_html
from ui.run_view import RunView, fold
from ui.studio import Studio
from ui.texts import training as texts

GIB = 2**30


def build(studio: Studio, model: gr.components.Component, page: gr.Blocks) -> None:
    """`model` is the choice of the base model; it learns of one that has arrived."""
    with gr.Accordion(texts.MODEL_TITLE, open=False, elem_id="model-setup", elem_classes="model-setup"):
        gr.HTML(_terms(studio.hub_token is not None))
        asked = gr.HTML(elem_id="model-forecast")
        with gr.Row():
            asking = gr.Button(texts.MODEL_LOOK, elem_id="model-look", min_width=240)
            getting = gr.Button(texts.MODEL_GET, elem_id="model-get", min_width=240)
            stopping = gr.Button(texts.MODEL_STOP, elem_id="model-stop", min_width=240, interactive=False)
        state = gr.HTML(elem_id="model-state")
    timer = gr.Timer(1.0, active=False)
    shown = [state, timer, getting, stopping, model]

    def ask() -> str:
        plan = look(flux_dev(), hub_of(studio.hub_token))
        return forecast_words(plan.missing, plan.total, plan.free, plan.parts)

    def get() -> list[Any]:
        if not studio.hub_token:
            raise Refused("FLUX.1-dev is given out only to who accepted its licence, and HF_TOKEN is not set.", "HF_TOKEN", "Accept the licence on Hugging Face, then start the studio with HF_TOKEN=hf_...")
        start_download(studio.fetcher, flux_dev(), hub_of(studio.hub_token), studio.store)
        return follow()

    def stop() -> None:
        if not studio.fetcher.is_busy():
            raise Refused("No download is running here.", "", "")
        stop_request(studio.store).make()
        gr.Info(texts.MODEL_STOPPING, duration=4)

    def follow() -> list[Any]:
        busy = studio.fetcher.is_busy()
        events = download_log(studio.store).read()[0]
        choices = gr.skip() if busy or not events else gr.update(choices=studio.listing("model"))
        return [state_html(fold(events), busy, bool(events)), gr.update(active=busy), gr.update(interactive=not busy), gr.update(interactive=busy), choices]

    def open_page() -> list[Any]:
        """A reload in the middle of a download goes on showing it; models that were put there meanwhile are in the list."""
        events = download_log(studio.store).read()[0]
        return [*follow()[:4], gr.update(choices=studio.listing("model"))] if events and not isinstance(events[-1], TERMINAL) else [*follow()[:1], gr.update(active=False), gr.skip(), gr.skip(), gr.update(choices=studio.listing("model"))]

    asking.click(shows_errors(ask), None, asked, **QUIET)
    getting.click(shows_errors(get), None, shown, **QUIET)
    stopping.click(shows_errors(stop), None, None, **QUIET)
    timer.tick(shows_errors(follow), None, shown, **QUIET)
    page.load(shows_errors(open_page), None, shown, **QUIET)


def _terms(has_token: bool) -> str:
    token = f'<p class="state">{texts.TOKEN_SET}</p>' if has_token else f"<p>{texts.TOKEN_MISSING}</p>"
    link = f'<p><a href="https://huggingface.co/black-forest-labs/FLUX.1-dev" target="_blank" rel="noopener noreferrer">{texts.MODEL_LINK}</a></p>'
    return f'<div class="terms"><p>{texts.MODEL_TERMS}</p>{link}<p>{texts.MODEL_WAYS}</p>{token}<p class="small">{texts.MODEL_UNTIL_THEN.format(path=POCKET_FLUX)}</p></div>'


def forecast_words(missing: int, total: int, free: int, parts: dict[str, int]) -> str:
    """What is still to come, by part, beside what the disk has left."""
    rows = "".join(f"<li>{escape(part)}: {size / GIB:.1f} GiB</li>" for part, size in parts.items() if size >= 2**20)
    word = "" if free > missing else f" <b>{texts.MODEL_NO_ROOM}</b>"
    return f'<p class="state" role="status">{texts.MODEL_MISSING.format(missing=missing / GIB, total=total / GIB, free=free / GIB)}{word}</p><ul>{rows}</ul>'


def state_html(view: RunView, busy: bool, asked: bool) -> str:
    """Of the download that runs or ran last."""
    if not asked:
        return f'<p class="small">{texts.MODEL_NO_JOB}</p>'
    if view.failure:
        return f'<div class="verdict fix"><b>{escape(view.failure.what)}</b><span>{escape(view.failure.fix)}</span></div>'
    bar = bar_html(view.phase_done, view.phase_total, texts.MODEL_DOWNLOAD)
    counted = texts.MODEL_COUNTED.format(done=view.phase_done / 1024, total=view.phase_total / 1024, share=100 * view.phase_done / view.phase_total) if view.phase_total else ""
    if busy:
        return f'<div class="verdict" role="status"><b>{escape(view.phase.removesuffix(" (MiB)"))}</b><span class="numbers">{counted}</span></div>{bar}'
    if view.state == "finished":
        return f'<div class="verdict ready" role="status"><b>{texts.MODEL_HERE}</b><span>{texts.MODEL_HERE_NEXT.format(time=duration(view.seconds))}</span></div>'
    return f'<div class="verdict test"><b>{texts.MODEL_NOT_FINISHED}</b><span class="numbers">{counted}</span><span>{texts.MODEL_KEPT}</span></div>{bar}'
