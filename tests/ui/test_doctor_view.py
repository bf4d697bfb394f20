"""The doctor in the page: what it says, that its buttons prepare a form and start nothing, that no text becomes markup."""

import json

import gradio as gr
import pytest

from core.analyzer.report import AnalysisReport, Finding, write_report
from core.errors import Refused
from core.events import RunFailed, RunStarted
from core.runs import RunStore
from core.settings import parse_settings
from core.tasks import diagnoses_of, report_file
from tests.core.logs import log_of, step
from ui.doctor_view import DoctorView, doctor_html, prepared_html
from ui.settings_form import SettingsForm
from ui.studio import Studio

NAN = [RunStarted(job="train", name="anna", steps=400), step(1), RunFailed(what="The loss of step 2 is nan: training has left the rails, and this step was not applied.")]
FOLDER = "data/demo-subject"


@pytest.fixture
def studio(tmp_path, demo_subject):
    (tmp_path / "output").mkdir()
    return Studio(RunStore(tmp_path / "output"), {})


@pytest.fixture
def view(studio):
    with gr.Blocks():
        form = SettingsForm(studio, studio.resolved("demo"))
        return DoctorView(studio, form)


def run_with(studio, name, events, **values):
    run = studio.store.create(parse_settings({"run.name": name, "run.output": str(studio.store.root), "dataset.folder": FOLDER, **{key.replace("__", "."): value for key, value in values.items()}}))
    for event in events:
        run.log.append(event)
    return run


def report_on(studio, *findings):
    write_report(AnalysisReport(folder=FOLDER, photo_count=18, trigger_word="ohwx", resolution=128, findings=findings, buckets=()), report_file(FOLDER, studio.store))


def pressed(**values):
    return json.dumps({"run": "anna", "symptom": "NaNs during training", "opens": "training", "told": 1, **values})


def test_what_is_found_stands_first_with_the_photos_before_the_settings(studio, view):
    run_with(studio, "anna", log_of([0.2, 0.3, 0.4, 0.5]), train__steps=400)
    report_on(studio, Finding(check="blur", severity="warning", what="photo-3 is blurred.", fix="Leave it out."))
    _, (_, shown) = view.render(None, ())
    assert "Found: weak identity." in shown and "3 of 7 symptoms were not measured" in shown
    assert shown.index("Weak identity") < shown.index("photo-3 is blurred.") < shown.index("<del>400</del>") < shown.index("<ins>560</ins>") < shown.index("NaNs during training")
    assert 'data-opens="training"' in shown and 'data-opens="analyzer"' in shown


def test_a_run_without_a_fault_offers_no_button(studio, view):
    run_with(studio, "anna", log_of([0.5, 0.8, 0.9, 0.91]), train__steps=400)
    shown = view.render(None, ())[1][1]
    assert "No symptom was found" in shown and "data-opens" not in shown


def test_a_button_prepares_the_runs_own_settings_with_the_change_and_starts_nothing(studio, view):
    run = run_with(studio, "anna", NAN, train__steps=400, lora__rank=24, model__precision="fp32")
    tab, words, *values = view._open(pressed())
    assert tab.selected == "training" and "Nothing has started" in words and "<del>0.0001</del>" in words and "<ins>5e-05</ins>" in words
    read = view.form.read([value.get("value", 0.0) if isinstance(value, dict) else value for value in values])
    changed = {"optimizer": read.optimizer.learning_rate, "precision": read.model.precision, "name": read.run.name}
    assert changed == {"optimizer": 5e-5, "precision": "auto", "name": "anna-2"}
    same = {"optimizer": run.settings.optimizer, "model": run.settings.model, "run": run.settings.run}
    assert read.model_copy(update=same) == run.settings and studio.store.names() == ["anna"] and studio.store.holder() is None


def test_the_photos_are_shown_with_the_dataset_of_the_run_and_nothing_else_changes(studio, view):
    run_with(studio, "anna", NAN)
    tab, words, *values = view._open(pressed(opens="analyzer"))
    told = dict(zip([d.key for d in view.form.declarations], values, strict=True))
    assert tab.selected == "analyzer" and told.pop("dataset.folder")["value"] == FOLDER
    assert all(value == gr.skip() for value in [words, *told.values()])


@pytest.mark.parametrize("text", ["", "{", pressed(opens="etc"), pressed(run=3)])
def test_a_button_that_cannot_be_read_is_refused(studio, view, text):
    run_with(studio, "anna", NAN)
    with pytest.raises(Refused, match="could not be read"):
        view._open(text)


def test_a_run_or_symptom_that_is_none_is_refused(studio, view):
    run_with(studio, "anna", NAN)
    with pytest.raises(Exception, match="no run called"):
        view._open(pressed(run="../anna"))
    for symptom in ("Out of memory", "<b>"):
        with pytest.raises(Refused, match="nothing to change"):
            view._open(pressed(symptom=symptom))


def test_a_path_of_no_listing_never_reaches_the_form(studio, view):
    run_with(studio, "anna", NAN, dataset__folder="/etc")
    for opens in ("training", "analyzer"):
        with pytest.raises(Refused, match="not in the list"):
            view._open(pressed(opens=opens))


def test_texts_of_files_are_shown_as_text(studio):
    evil = "<img src=x onerror=alert(1)>"
    run = run_with(studio, "anna", [NAN[0], step(1), RunFailed(what=f"The loss of step 2 is nan: {evil}")], dataset__trigger_word="<b>")
    report_on(studio, Finding(check="file", severity="error", what=evil, fix=evil))
    diagnoses = diagnoses_of(run, studio.store)
    for shown in (doctor_html(run, diagnoses), prepared_html(run, diagnoses[0])):
        assert "<img" not in shown and "&lt;img" in shown


def test_nothing_is_sent_until_the_log_or_the_report_changes(studio, view):
    run = run_with(studio, "anna", log_of([0.5, 0.9]))
    key, _ = view.render("anna", ())
    assert view.render("anna", key) == (key, [gr.skip()] * 2)
    run.log.append(NAN[-1])
    again, values = view.render("anna", key)
    assert again != key and "NaNs during training" in values[1]
    report_on(studio)
    assert view.render("anna", again)[0] != again


def test_a_damaged_log_is_said(studio, view):
    run_with(studio, "anna", []).log.file.write_text('{"kind":"unheard"}\n')
    assert "cannot be understood" in view.render(None, ())[1][1]


def test_without_a_run_it_says_what_it_is_for(view):
    assert "No run yet" in view.render(None, ())[1][1] and view.render(None, ("none",))[1] == [gr.skip()] * 2
