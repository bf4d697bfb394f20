"""The page as it is built: what a first visit meets, what the machine has to say, and where the guide stands."""

from html import escape

import pytest

from core.runs import RunStore, training_words
from core.settings import POCKET_FLUX
from ui.guide import section_of
from ui.layout import build_page
from ui.studio import Studio
from ui.texts import analyzer, dataset, evaluation, runs
from ui.texts import training as texts


@pytest.fixture
def studio(tmp_path, demo_subject):
    (tmp_path / "output").mkdir()
    return Studio(RunStore(tmp_path / "output"), {})


def handler(page, name):
    return next(function.fn for function in page.fns.values() if function.name == name)


def values_of(page):
    return [str(block.value) for block in page.blocks.values() if getattr(block, "value", None)]


def test_every_empty_place_says_what_will_stand_there_and_what_to_do(studio):
    page = build_page(studio)
    first = handler(page, "refresh")("", ((), (), (), ()), "data/demo-subject", None, None, None, None, "ohwx", 128, None)
    shown = " ".join(map(str, first)) + " ".join(map(str, handler(page, "refresh_frame")("", ("", "", ()), "data/demo-subject")))
    for words, act in [(texts.NO_RUN, "press Start"), (texts.NO_SAMPLES, "Click one"), (analyzer.NOT_YET, "takes seconds"), (evaluation.NO_GRID, "draw one"), (runs.QUEUE_EMPTY, "'Add to queue'"), (runs.HISTORY_EMPTY, "settings, results and files")]:
        assert act in words and (words in shown or escape(words) in shown), words
    assert "Drop 15 to 30" in dataset.NO_PHOTOS


def test_what_the_machine_has_to_say_stands_on_top_as_text(tmp_path, demo_subject):
    """That photos lie on a disk that is wiped, that there is no GPU: said before anything is uploaded."""
    page = build_page(Studio(RunStore(tmp_path / "output"), {}, notes=("No GPU: look and download only.", "<b>photos</b> would be lost")))
    notices = [value for value in values_of(page) if 'class="notice" role="alert"' in value]
    assert len(notices) == 2 and "No GPU: look and download only." in notices[0] and "&lt;b&gt;photos&lt;/b&gt;" in notices[1]


def test_the_guide_stands_where_it_is_needed_word_for_word(studio):
    page = build_page(studio)
    shown = "\n".join(values_of(page))
    assert len(texts.GUIDE_SECTIONS) >= 3 and all(section_of(title) in shown for title in texts.GUIDE_SECTIONS)


def test_a_model_put_into_its_folder_can_be_chosen_without_a_terminal(studio, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "models" / "FLUX.1-dev").mkdir(parents=True)
    (tmp_path / "models" / "flux1-dev.safetensors").write_bytes(b"")
    (tmp_path / "models" / ".half-copied.safetensors").write_bytes(b"")
    assert studio.listing("model")[-3:] == ["models/FLUX.1-dev", "models/flux1-dev.safetensors", POCKET_FLUX]


@pytest.mark.parametrize(("button", "wish"), [("save-now", "save_request"), ("sample-now", "sample_request")])
def test_a_running_training_is_asked_by_its_buttons_and_nothing_else_is(studio, button, wish, monkeypatch):
    monkeypatch.setattr("gradio.Info", lambda *_, **__: None)
    page = build_page(studio)
    place = next(block._id for block in page.blocks.values() if getattr(block, "elem_id", None) == button)
    press = next(function.fn for function in page.fns.values() if (place, "click") in function.targets)
    request = getattr(studio.store, wish)()
    with pytest.raises(Exception, match=texts.NOTHING_RUNS):
        press()
    assert not request.is_made()
    with studio.store.exclusive(training_words("anna")):
        press()
    assert request.is_made()
