"""What the Analyzer tab and the Training tab say of a report, without a browser: the verdict, what it means, and that it is out of date."""

import json
import os

import gradio as gr
import pytest
from PIL import Image

import core.captioning.by_model as by_model
from core.analysis_tasks import analyze, kept_report, report_file
from core.analyzer.report import AnalysisReport, Finding, write_report
from core.captioning.proposals import proposals_of
from core.dataset.captions import read_caption, write_caption
from core.dataset.edits import write_captions
from core.dataset.folder import files_state, open_dataset
from core.runs import RunStore
from core.settings import POCKET_FLUX, parse_settings
from core.tasks import check_startable
from tests.core.caption_models import save_florence
from tests.ui.handlers import call, handlers_of
from ui.analyzer_tab import changed_since, readiness, render
from ui.studio import Studio


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "anna"
    folder.mkdir()
    for name in ("a", "b"):
        Image.new("RGB", (300, 200), "red").save(folder / f"{name}.png")
    return folder


@pytest.fixture
def studio(tmp_path, folder):
    (tmp_path / "output").mkdir()
    return Studio(RunStore(tmp_path / "output"), {"DATA_DIR": str(folder)})


def report_on(photos, *findings, **changes):
    return AnalysisReport(**{"folder": str(photos), "files_state": files_state(photos), "photo_count": 2, "trigger_word": "ohwx", "resolution": 512, "findings": findings, "buckets": ()} | changes)


def shown(studio, folder, trigger_word="ohwx", resolution=512, captioner="template"):
    return render(studio, str(folder), trigger_word, resolution, captioner, ())[1]


@pytest.mark.parametrize(("severity", "verdict", "meaning"), [(None, "Ready", "Go ahead"), ("warning", "Good enough for a test", "the final run deserves the fixes"), ("error", "Fix first", "Training works all the same")])
def test_the_training_tab_says_the_verdict_and_what_it_means(studio, folder, severity, verdict, meaning):
    findings = [Finding(check="x", severity=severity, what="<b>", fix="")] if severity else []
    write_report(report_on(folder, *findings), report_file(str(folder), studio.store))
    body, words, *_ = shown(studio, folder)
    assert verdict in body and verdict in words and meaning in words and "out of date" not in body + words and "<b><b>" not in body


def test_the_worst_report_keeps_nobody_from_training(studio, photos):
    """Six photos are too few, and the start is refused only for what cannot be trained at all."""
    settings = parse_settings({"dataset.folder": str(photos), "run.output": str(studio.store.root), "model.path": POCKET_FLUX})
    list(analyze(settings, studio.store))
    report, _ = kept_report(str(photos), studio.store)
    assert report.verdict == "fix first" and "Training works all the same" in readiness(report, "")
    check_startable(settings)


def test_a_report_is_out_of_date_once_photos_trigger_or_resolution_are_others(studio, folder):
    write_report(report_on(folder), report_file(str(folder), studio.store))
    for what in ({"trigger_word": "zwx"}, {"resolution": 768}):
        assert all("out of date" in html for html in shown(studio, folder, **what)[:2])
    (folder / "a.txt").write_text("ohwx, a")
    assert all("out of date" in html and "changed since" in html for html in shown(studio, folder)[:2])


def test_undo_says_what_it_takes_back_whoever_changed_the_photos(studio, folder):
    key, values = render(studio, str(folder), "ohwx", 512, "template", ())
    assert values[3]["value"] == "Undo" and not values[3]["interactive"]
    write_captions(open_dataset(folder), {"a": "ohwx man"}, "caption of a")
    values = render(studio, str(folder), "ohwx", 512, "template", key)[1]
    assert values[3]["value"] == "Undo: caption of a" and values[3]["interactive"]


def test_nothing_is_sent_while_nothing_changes(studio, folder):
    write_report(report_on(folder), report_file(str(folder), studio.store))
    key, _ = render(studio, str(folder), "ohwx", 512, "template", ())
    assert render(studio, str(folder), "ohwx", 512, "template", key)[1][0] == {"__type__": "update"} and render(studio, str(folder), "ohwx", 768, "template", key)[0] != key


def test_spaces_around_the_trigger_and_an_empty_resolution_change_nothing(folder):
    assert changed_since(report_on(folder), files_state(folder), " ohwx ", None) == ""


def test_a_report_of_another_folder_of_that_name_is_none(studio, folder, tmp_path):
    write_report(report_on(tmp_path / "elsewhere" / "anna"), report_file(str(folder), studio.store))
    assert kept_report(str(folder), studio.store) == (None, 0.0) and "not analyzed yet" in readiness(None, "") and "Not analyzed yet" in shown(studio, folder)[0]
    write_report(report_on(folder, folder=os.path.relpath(folder)), report_file(str(folder), studio.store))
    assert kept_report(str(folder), studio.store)[0].photo_count == 2


def test_the_grid_is_told_of_a_report_that_was_made_while_somebody_looked(studio, folder):
    nothing = {"__type__": "update"}
    write_report(report_on(folder), report_file(str(folder), studio.store))
    key, values = render(studio, str(folder), "ohwx", 512, "template", ())
    assert values[2] == nothing and render(studio, str(folder), "ohwx", 512, "template", ("data/other",))[1][2] == nothing
    (folder / "a.txt").write_text("ohwx, a")
    write_report(report_on(folder), report_file(str(folder), studio.store))
    assert float(render(studio, str(folder), "ohwx", 512, "template", key)[1][2]) == report_file(str(folder), studio.store).stat().st_mtime


@pytest.fixture
def alike(folder):
    """Two photos with the same caption, as a report finds them, and a finding that new captions do not mend."""
    for name in ("a", "b"):
        write_caption(folder / f"{name}.txt", "ohwx man, by hand")
    findings = [Finding(check=check, severity="warning", what="", fix="", photos=("a", "b"), remedy=remedy) for check, remedy in (("identical captions", "caption again"), ("verbose caption", "shorten"))]
    return report_on(folder, *findings)


@pytest.fixture
def florence(tmp_path, monkeypatch):
    """A tiny random model in a folder of one's own, which says two things of photos."""
    monkeypatch.setattr("ui.studio.MODELS_FOLDER", tmp_path / "models")
    monkeypatch.setattr("core.caption_tasks.MEASURES_FOLDER", tmp_path / "measures")
    monkeypatch.setattr(by_model, "answers", lambda vision, pictures: [f"portrait, in park number {number}" for number, _ in enumerate(pictures)])
    return str(save_florence(tmp_path / "models" / "my-florence"))


def pressed(finding, captioner, photos=("a", "b")):
    return json.dumps({"finding": finding, "photos": photos, "captioner": captioner, "told": 1})


def test_new_captions_are_offered_only_by_a_model_that_is_chosen_and_here(studio, folder, alike, florence, monkeypatch, tmp_path):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    write_report(alike, report_file(str(folder), studio.store))
    for captioner in ("template", "florence-2", "qwen3-vl", "/etc", ""):
        body = shown(studio, folder, captioner=captioner)[0]
        assert "Add what is measured" in body and "data-caption-again" not in body, captioner
    body = shown(studio, folder, captioner=florence)[0]
    assert body.count('data-caption-again="0"') == body.count('data-remedy="0"') == 2 and 'data-caption-again="1"' not in body and "Propose new ones: my-florence" in body
    assert render(studio, str(folder), "ohwx", 512, florence, ())[0] != render(studio, str(folder), "ohwx", 512, "template", ())[0]


def test_captions_made_anew_are_proposals_and_the_tab_where_they_are_accepted_opens(studio, folder, alike, florence):
    write_report(alike, report_file(str(folder), studio.store))
    opened = call(handlers_of(studio), "caption-again", "change", caption_again=pressed(0, florence, ["b"]), set_dataset_folder=str(folder), captioner=florence)
    assert opened["caption-panel"].open and studio.captioner.wait(120)
    proposals = proposals_of(open_dataset(folder))
    assert [(proposal.photo, proposal.before, proposal.by) for proposal in proposals] == [("b", "ohwx man, by hand", florence)] and "in park number 0" in proposals[0].after
    assert {read_caption(folder / f"{name}.txt").text for name in ("a", "b")} == {"ohwx man, by hand"}


@pytest.mark.parametrize(("finding", "captioner", "photos", "words"), [(0, "template", ["a"], "not here"), (0, "florence-2", ["a"], "not here"), (0, "", ["a"], "not here"), (0, None, ["c"], "not photos of that finding"), (1, None, ["a"], "no remedy"), (7, None, ["a"], "no longer there")])
def test_new_captions_that_are_not_offered_are_refused(studio, folder, alike, florence, finding, captioner, photos, words):
    write_report(alike, report_file(str(folder), studio.store))
    with pytest.raises(gr.Error, match=words):
        call(handlers_of(studio), "caption-again", "change", caption_again=pressed(finding, florence if captioner is None else captioner, photos), set_dataset_folder=str(folder))
    assert proposals_of(open_dataset(folder)) == [] and not studio.captioner.is_busy()
