"""The Dataset tab's handlers on real folders: what is typed is kept, hostile names stay text, requests are checked against the listing."""

import json

import gradio as gr
import pytest
from PIL import Image

from core.analysis_tasks import report_file
from core.analyzer.report import AnalysisReport, Finding, write_report
from core.at_work import nobody_at_work
from core.dataset import history
from core.dataset.captions import read_caption, write_caption
from core.dataset.folder import open_dataset
from core.errors import Refused
from core.runs import RunStore
from ui.bulk_captions import KINDS, table_html, text_edit
from ui.dataset_tab import EDITS, DatasetTab
from ui.photo_editor import Edited, edited_as, read_edited
from ui.photo_grid import photo_grid, read_picked
from ui.remedies import read_pressed, remedy_buttons
from ui.settings_form import SettingsForm
from ui.studio import Studio
from ui.texts.analyzer import REMEDIES

EVIL = '"><img src=x onerror=alert(1)>'


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "anna"
    folder.mkdir()
    for name in ("a", "b", EVIL.replace("/", "")):
        Image.new("RGB", (300, 200), "red").save(folder / f"{name}.png")
    write_caption(folder / "a.txt", "ohwx man, a")
    write_caption(folder / "b.txt", EVIL)
    return folder


@pytest.fixture
def tab(tmp_path, folder):
    (tmp_path / "output").mkdir()
    studio = Studio(RunStore(tmp_path / "output"), {"DATA_DIR": str(folder)})
    with gr.Blocks() as page:
        return DatasetTab(studio, SettingsForm(studio, studio.resolved("demo")), page)


def picked(current, *selected):
    return json.dumps({"current": current, "selected": selected})


def typed(name, text):
    """As photos.js sends it once a key was pressed in the box."""
    return Edited(name=name, text=text, typed=True).model_dump_json()


def caption(folder, name):
    return read_caption(folder / f"{name}.txt").text


def test_names_and_captions_are_shown_as_text(tab, folder):
    shown = tab.show(str(folder), "ohwx")
    large, _, checks, *_ = tab.pick(str(folder), "ohwx", picked(EVIL), "", "")
    html = f"{shown} {large} {checks}"
    assert "<img src=x" not in html and html.count("onerror=alert(1)&gt;") >= 2 and "trigger missing" in html and "no caption" in html


def test_the_word_that_a_caption_was_saved_holds_no_markup_of_a_photos_name(tab, folder, monkeypatch):
    said = []
    monkeypatch.setattr(gr, "Info", lambda text, **_: said.append(text))
    tab.save(str(folder), "ohwx", picked(EVIL), typed(EVIL, ""), "ohwx man, in rain")
    assert caption(folder, EVIL) == "ohwx man, in rain" and len(said) == 1 and "<img" not in said[0] and "&lt;img" in said[0]


def test_what_was_typed_is_saved_when_another_photo_is_picked(tab, folder):
    large, text, checks, edited, *_ = tab.pick(str(folder), "ohwx", picked("a"), "", "")
    assert "a.png" in large and text == "ohwx man, a" and read_edited(edited) == Edited(name="a", text=text) and "stands in front" in checks
    _, text, _, edited, grid, *_ = tab.pick(str(folder), "ohwx", picked("b"), typed("a", text), "ohwx man, in rain")
    assert caption(folder, "a") == "ohwx man, in rain" and text == EVIL and read_edited(edited).name == "b" and "in rain" in grid
    tab.pick(str(folder), "ohwx", picked("a"), edited, EVIL)
    assert caption(folder, "b") == EVIL
    tab._stepping(history.undo)(str(folder), "ohwx", picked("a"), "", "")
    assert caption(folder, "a") == "ohwx man, a"


def test_what_nobody_typed_is_never_saved(tab, folder):
    """A slow browser sends the name of the next photo while the box still holds the caption of the one before."""
    grid_of_b = tab.pick(str(folder), "ohwx", picked("b"), edited_as("b", EVIL), "ohwx man, a")
    assert caption(folder, "b") == EVIL and read_edited(grid_of_b[3]) == Edited(name="b", text=EVIL)
    *_, undo, _ = tab._acting(EDITS["exclude"])(str(folder), "ohwx", picked("b"), edited_as("b", EVIL), "ohwx man, a")
    assert caption(folder, "b") == EVIL and undo["value"] == "Undo: exclude b"


def test_the_caption_of_a_photo_that_is_gone_stops_nothing(tab, folder):
    (folder / "a.png").unlink()
    with pytest.warns(UserWarning, match="typed for a was not saved"):
        large, *_ = tab.pick(str(folder), "ohwx", picked("b"), typed("a", "ohwx man, a"), "typed")
    assert "b.png" in large and caption(folder, "a") == "ohwx man, a"


def test_a_caption_that_was_changed_elsewhere_is_not_overwritten(tab, folder):
    write_caption(folder / "a.txt", "ohwx man, by somebody else")
    with pytest.warns(UserWarning, match="typed.*It was changed elsewhere"):
        tab.pick(str(folder), "ohwx", picked("b"), typed("a", "ohwx man, a"), "typed")
    assert caption(folder, "a") == "ohwx man, by somebody else"


def test_an_action_works_on_the_selected_or_else_on_the_current_photo(tab, folder):
    def act(name, text):
        return tab._acting(EDITS[name])(str(folder), "ohwx", text, "", "")

    _, _, summary, undo, redo = act("exclude", picked("a", "b"))
    assert [sample.name for sample in open_dataset(folder).excluded] == ["b"] and "1 excluded" in summary and undo["value"] == "Undo: exclude b" and not redo["interactive"]
    act("exclude", picked("a"))
    assert [sample.name for sample in open_dataset(folder).excluded] == ["a", "b"]
    for text in ("", "{", '["a"]', picked(None), '{"selected": 5}'):
        with pytest.raises(Refused, match="No photo is picked"):
            act("delete-photos", text)
    with pytest.raises(Exception, match="no photo called"):
        act("delete-photos", picked("../../etc/passwd"))
    with pytest.raises(Refused, match="not one of the dataset folders"):
        tab._acting(EDITS["delete-photos"])("/etc", "ohwx", picked("passwd"), "", "")
    assert len(list(folder.glob("*.png"))) == 3


@pytest.mark.parametrize("box", ["", "a,b,c,d", "0,0,1", "0,0,1,1,1", "0.1,0.1,0.2,nan"])
def test_a_frame_that_is_none_is_refused(tab, folder, box):
    before = (folder / "a.png").read_bytes()
    with pytest.raises(Refused):
        tab.crop(str(folder), "ohwx", picked("a"), "", "", box)
    assert (folder / "a.png").read_bytes() == before


def test_marks_of_the_report_stand_on_photos_until_they_change(tab, folder):
    finding = Finding(check="blur", severity="warning", what="", fix="", photos=("a",))
    report = AnalysisReport(folder=str(folder), photo_count=3, trigger_word="ohwx", resolution=512, findings=(finding,), buckets=())
    write_report(report, report_file(str(folder), tab.studio.store))
    assert ">blurred face<" in tab.show(str(folder), "ohwx")[0]
    dataset = open_dataset(folder)
    changed = (folder / "a.png").stat().st_mtime
    assert ">blurred face<" in photo_grid(dataset, "ohwx", report, changed + 1) and ">blurred face<" not in photo_grid(dataset, "ohwx", report, changed - 1)


def test_a_folder_of_excluded_photos_is_not_empty(tab, folder):
    tab._acting(EDITS["exclude"])(str(folder), "ohwx", picked("a", "a", "b", EVIL), "", "")
    grid, summary, *_ = tab.show(str(folder), "ohwx")
    assert grid.count("<figure") == 3 and "0 photos" in summary and "3 excluded" in summary


@pytest.mark.parametrize("kind", list(KINDS))
def test_every_bulk_edit_can_be_chosen_and_shows_text_as_text(kind):
    edit = text_edit(kind, "ohwx", "man", "man", EVIL)
    assert isinstance(edit("a man with blond hair"), str)
    assert "<img" not in table_html({EVIL: (EVIL, edit(EVIL))}, 1)
    with pytest.raises(Refused, match="nothing that can be done"):
        text_edit("drop table", "ohwx", "man", "", "")


@pytest.mark.parametrize("remedy", list(REMEDIES))
def test_a_button_says_back_what_it_stands_for(remedy):
    finding = Finding(check="x", severity="error", what="", fix="", photos=(EVIL, "b"), remedy=remedy)
    html = remedy_buttons(3, finding, (EVIL, "b"), EVIL)
    assert "<img" not in html and REMEDIES[remedy] in html
    assert remedy_buttons(3, finding, (), "") == "" and remedy_buttons(3, finding.model_copy(update={"remedy": None}), ("b",), "") == ""


def test_what_no_button_says_is_refused():
    assert read_pressed('{"finding": 2, "photos": ["a"]}').photos == ("a",)
    for text in ("", "{}", '{"finding": "x", "photos": []}', '{"finding": 1, "photos": "a"}'):
        with pytest.raises(Refused):
            read_pressed(text)
    assert read_picked("\x00").names == [] and read_picked(None).names == []


@pytest.mark.parametrize("change", ["save", "turn-right", "undo"])
def test_nothing_is_changed_while_a_person_is_deleted(tab, folder, change):
    before = {file.name: file.read_bytes() for file in folder.iterdir() if file.is_file()}
    edited = Edited(name="a", text="ohwx man, a", typed=change == "save").model_dump_json()
    act = {"save": tab.save, "turn-right": tab._acting(EDITS["turn-right"]), "undo": tab._stepping(history.undo)}[change]
    with nobody_at_work(tab.studio.store.root), pytest.raises(Refused, match="being deleted"):
        act(str(folder), "ohwx", picked("a"), edited, "ohwx man, typed")
    assert {file.name: file.read_bytes() for file in folder.iterdir() if file.is_file()} == before


def test_nobody_is_deleted_in_the_middle_of_an_edit(tab, folder):
    tried = []

    def edit(dataset, names):
        with pytest.raises(Refused, match="changing photos"), nobody_at_work(tab.studio.store.root):
            pytest.fail("it began all the same")
        tried.append(names)

    tab._acting(edit)(str(folder), "ohwx", picked("a"), "", "")
    assert len(tried) == 1
