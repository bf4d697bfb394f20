"""FLUX.1-dev without a terminal: its licence is named, the token is never shown, the download says how far it is and what is missing."""

import gradio as gr
import pytest

from core.events import Phase, RunFailed, RunFinished, RunStarted, RunStopped
from core.model_setup import download_log
from core.runs import RunStore
from ui import model_setup_panel
from ui.model_setup_panel import GIB, forecast_words, state_html
from ui.run_view import fold
from ui.settings_form import SettingsForm
from ui.studio import Studio
from ui.texts import training as texts

TOKEN = "hf_AbCdEfGhIjKlMnOpQrStUvWx"
STARTED, HALF = RunStarted(job="download", name="FLUX.1-dev", steps=0), Phase(what="Downloading (MiB)", done=16 * 1024, total=32 * 1024)


def panel_of(tmp_path, token):
    """Its handlers by element and event, and all text it shows at first."""
    (tmp_path / "output").mkdir(exist_ok=True)
    studio = Studio(RunStore(tmp_path / "output"), {}, hub_token=token)
    with gr.Blocks() as page:
        form = SettingsForm(studio, studio.resolved("demo"))
        model_setup_panel.build(studio, form.place("model.path"), page)
    elements = {block._id: block.elem_id for block in page.blocks.values()}
    handlers = {(elements.get(function.targets[0][0]), function.targets[0][1]): function.fn for function in page.fns.values() if function.targets}
    return studio, handlers, " ".join(str(block.value) for block in page.blocks.values() if isinstance(block, gr.HTML))


@pytest.mark.parametrize(("token", "words"), [(None, texts.TOKEN_MISSING), (TOKEN, texts.TOKEN_SET)])
def test_the_licence_is_named_and_whether_a_token_is_there_but_never_which(tmp_path, token, words):
    _, _, shown = panel_of(tmp_path, token)
    assert "Non-Commercial License" in shown and "https://huggingface.co/black-forest-labs/FLUX.1-dev" in shown and words in shown and TOKEN not in shown


def test_without_a_token_nothing_is_fetched_and_the_way_is_said(tmp_path):
    studio, handlers, _ = panel_of(tmp_path, None)
    with pytest.raises(gr.Error, match="HF_TOKEN"):
        handlers["model-get", "click"]()
    with pytest.raises(gr.Error, match="No download is running"):
        handlers["model-stop", "click"]()
    assert not studio.fetcher.is_busy() and download_log(studio.store).read()[0] == []


def test_the_forecast_adds_up_and_warns_of_a_disk_that_is_too_small():
    html = forecast_words(30 * GIB, 32 * GIB, 20 * GIB, {"transformer": 22 * GIB, "<b>": 10 * GIB, "crumbs": 10})
    assert "30.0 of 32.0 GiB" in html and "20.0 GiB left" in html and texts.MODEL_NO_ROOM in html and "&lt;b&gt;: 10.0 GiB" in html and "crumbs" not in html
    assert texts.MODEL_NO_ROOM not in forecast_words(30 * GIB, 32 * GIB, 40 * GIB, {})


@pytest.mark.parametrize(
    ("events", "busy", "words"),
    [
        ((), False, texts.MODEL_NO_JOB),
        ((STARTED, HALF), True, "16.0 of 32.0 GiB, 50 %"),
        ((STARTED, HALF), False, texts.MODEL_KEPT),  # the server went down under it
        ((STARTED, HALF, RunStopped(step=0, seconds=5.0)), False, texts.MODEL_KEPT),
        ((STARTED, HALF, RunFinished(seconds=605.0)), False, "after 10 min 05 s"),
        ((STARTED, RunFailed(what="401 <b>", fix="Accept the licence.")), False, "401 &lt;b&gt;"),
    ],
)
def test_the_download_says_how_far_it_is_and_what_is_kept(events, busy, words):
    assert words in state_html(fold(events), busy, bool(events))


def test_a_page_that_is_opened_during_a_download_goes_on_showing_it(tmp_path):
    studio, handlers, _ = panel_of(tmp_path, TOKEN)
    for event in (STARTED, HALF):
        download_log(studio.store).append(event)
    state, *_ = handlers[None, "load"]()
    assert "16.0 of 32.0 GiB" in state
