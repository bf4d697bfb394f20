"""Caption them for me, by its handlers on a real folder: proposals are shown as text, answered from listings only, and say what a captioner costs."""

import gradio as gr
import pytest
from PIL import Image

from core.captioning.proposals import Proposal, proposals_of, propose
from core.dataset.captions import read_caption, write_caption
from core.dataset.folder import open_dataset
from core.errors import Refused
from core.events import Phase, RunFailed, RunFinished, RunStarted, Warned
from core.runs import RunStore
from tests.core.caption_models import save_florence
from tests.ui.handlers import call, handlers_of
from ui.caption_panel import NOTHING_SEEN, best_captioner, captioner_choices, place_html, proposals_html, read_answer, status_html
from ui.run_view import fold
from ui.studio import Studio

EVIL = '"><img src=x onerror=alert(1)>'


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "anna"
    folder.mkdir()
    for name in ("a", "b", EVIL.replace("/", "")):
        Image.new("RGB", (300, 200), "red").save(folder / f"{name}.png")
    write_caption(folder / "b.txt", EVIL)
    return folder


@pytest.fixture
def studio(tmp_path, folder, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    (tmp_path / "output").mkdir()
    return Studio(RunStore(tmp_path / "output"), {"DATA_DIR": str(folder)})


@pytest.fixture
def handlers(studio):
    return handlers_of(studio)


def all_proposals(folder):
    return proposals_of(open_dataset(folder))


def test_names_and_captions_are_shown_as_text(folder):
    propose(folder, Proposal(photo=EVIL, before="", after=EVIL, by=EVIL))
    propose(folder, Proposal(photo="b", before=EVIL, after="x", by="template"))
    html = proposals_html(open_dataset(folder), all_proposals(folder))
    assert html.count("<li>") == 2 and "<img src=x" not in html and 'data-answer="accept"' in html and "<del>" in html
    view = fold([RunStarted(job="caption", name=EVIL), Phase(what=EVIL), Warned(what=EVIL)])
    assert "<img" not in status_html(view, True) + status_html(view, False) and "<img" not in place_html("template", True, view, True)
    assert "<img" not in status_html(fold([RunFailed(what=EVIL, fix=EVIL)]), False)


def test_each_answer_is_for_one_photo_and_the_grid_shows_it(folder, handlers):
    for name in ("a", "b"):
        propose(folder, Proposal(photo=name, before=EVIL if name == "b" else "", after=f"ohwx man, new {name}", by="template"))
    shown = call(handlers, "proposal-answer", "change", proposal_answer='{"photo": "a", "answer": "accept"}', set_dataset_folder=str(folder))
    assert read_caption(folder / "a.txt").text == "ohwx man, new a" and "new a" in shown["photos"] and "new a" not in shown["proposals"] and "new b" in shown["proposals"]
    call(handlers, "proposal-answer", "change", proposal_answer='{"photo": "b", "answer": "reject"}', set_dataset_folder=str(folder))
    assert read_caption(folder / "b.txt").text == EVIL and all_proposals(folder) == []


def test_all_are_answered_at_once(folder, handlers):
    for name in ("a", "b"):
        propose(folder, Proposal(photo=name, before=EVIL if name == "b" else "", after=f"ohwx man, new {name}", by="template"))
    shown = call(handlers, "accept-all", "click", set_dataset_folder=str(folder))
    assert read_caption(folder / "b.txt").text == "ohwx man, new b" and shown["proposals"] == "" and shown["undo"]["value"] == "Undo: caption 2 photos"


@pytest.mark.parametrize("text", ["", "{}", '{"photo": "a", "answer": "delete"}', '{"photo": 1, "answer": "accept"}', "accept "])
def test_what_no_button_says_is_refused(text):
    with pytest.raises(Refused, match="could not be read"):
        read_answer(text)


def test_an_answer_for_another_folder_or_photo_is_refused(folder, handlers):
    for changes in ({"set_dataset_folder": "/etc"}, {"proposal_answer": '{"photo": "../x", "answer": "accept"}', "set_dataset_folder": str(folder)}):
        with pytest.raises(gr.Error, match=r"not one of|no longer there"):
            call(handlers, "proposal-answer", "change", **{"proposal_answer": '{"photo": "a", "answer": "accept"}', **changes})


@pytest.mark.parametrize(("changes", "words"), [({"captioner": "/etc"}, "not in the list"), ({"caption_which": "x"}, "not in the list"), ({"caption_which": "The selected photos", "picked": "{}"}, "No photo is selected"), ({"captioner": "florence-2"}, "not on this machine")])
def test_a_start_with_what_is_not_offered_is_refused(folder, handlers, changes, words):
    with pytest.raises(gr.Error, match=words):
        call(handlers, "start-captions", "click", **{"set_dataset_folder": str(folder), **changes})
    with pytest.raises(gr.Error, match="of the list can be downloaded"):
        call(handlers, "download-captioner", "click", set_dataset_folder=str(folder), captioner="owner/name")


def test_photos_are_captioned_in_the_background_and_shown(folder, handlers, studio, tmp_path, monkeypatch):
    monkeypatch.setattr("core.caption_tasks.MEASURES_FOLDER", tmp_path / "measures")
    shown = call(handlers, "start-captions", "click", set_dataset_folder=str(folder))
    assert shown["stop-captions"]["visible"] is not shown["start-captions"]["interactive"], "Stop while it runs, Start once it has ended"
    assert studio.captioner.wait(60)
    assert [proposal.photo for proposal in all_proposals(folder)] == sorted(["a", EVIL.replace("/", "")], key=str)[::-1] or len(all_proposals(folder)) == 2


def test_nothing_is_sent_while_nothing_changes(folder, studio):
    from ui.caption_panel import CaptionPanel

    with gr.Blocks():
        panel = CaptionPanel(studio)
    first = panel.show(str(folder), "template", NOTHING_SEEN)
    assert panel.show(str(folder), "template", first[0])[2:] == [gr.skip()] * 9
    propose(folder, Proposal(photo="a", before="", after="ohwx man, new", by="template"))
    assert "new" in panel.show(str(folder), "template", first[0])[8]
    assert panel.show("/etc", "template", first[0])[8] == ""


def test_a_model_that_is_on_the_machine_writes_unless_somebody_chooses_otherwise(studio, tmp_path):
    assert best_captioner() == "template"
    snapshot = tmp_path / "hub" / "models--florence-community--Florence-2-base" / "snapshots" / ("a" * 40)
    snapshot.mkdir(parents=True)
    (snapshot.parents[1] / "refs").mkdir()
    (snapshot.parents[1] / "refs" / "main").write_text("a" * 40)
    save_florence(snapshot)
    assert best_captioner() == "florence-2" and "on this machine" in place_html("florence-2", True, fold([]), False)
    weights = snapshot / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1000])
    assert best_captioner() == "template"


def test_what_a_captioner_costs_is_said_before_it_is_fetched(studio):
    assert [title for title, _ in captioner_choices(studio)] == ["Measured facts, no model", "Qwen3-VL 4B, about 9 GB", "Florence-2 base, about 0.5 GB"]
    text = place_html("qwen3-vl", False, fold([]), False)
    assert "about 9 GB to download" in text and "GB of disk are free" in text
    failed = place_html("qwen3-vl", False, fold([RunFailed(what="The hub cannot be reached.", fix="Check.")]), False)
    assert "cannot be reached" in failed and "on this machine" in place_html("florence-2", True, fold([RunFinished(seconds=1)]), False)
