"""The doctor in the page: what it says, that its buttons prepare a form and start nothing, that no text becomes markup."""

import json
from html import unescape

import gradio as gr
import pytest

from core.analysis_tasks import report_file
from core.analyzer.report import AnalysisReport, Finding, write_report
from core.durable import write_json
from core.errors import Refused
from core.evaluation.grid import GridRequest, StrengthGrid, evaluations_folder, save_grid
from core.evaluation.scores import SCORES_FILE
from core.events import RunFailed, RunStarted
from core.runs import RunStore
from core.settings import flatten, parse_settings
from core.tasks import diagnoses_of
from tests.core.logs import log_of, step
from tests.core.scores import picture, table
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


def evaluate_as(studio, scores):
    """A measured grid of anna's LoRA on disk, as the evaluation leaves it."""
    grid = StrengthGrid(name="anna-1", request=GridRequest(lora="anna.safetensors", model_path="x", prompts=("a", "b", "c", "d"), strengths=(1.0,)), cells=())
    save_grid(grid, studio.store.root)
    write_json(evaluations_folder(studio.store.root) / grid.name / SCORES_FILE, scores.model_dump(mode="json"))


def of_likeness(front, side, **fields):
    """Front views and turned heads as alike as that; measured from the pictures by the measures themselves."""
    return table({("final", 1.0): lambda p, s: picture(p, s, "final", 1.0, front if p in (0, 3) else side, **fields)}, skins=[1.0] * 5)


GOOD_LOG = log_of([0.5, 0.8, 0.9, 0.91])
SEVEN = (
    ("NaNs during training", NAN, None, "file", "is nan", {"optimizer.learning_rate": 5e-5}),
    ("Weak identity", log_of([0.2, 0.3, 0.4, 0.5]), None, "blur", "Likeness is 0.50", {"train.steps": 560, "lora.rank": 96}),
    ("Sameface or carbon copy", GOOD_LOG, of_likeness(0.9, 0.9, copied=("face",), copy_of="photo-3"), "near duplicate", "most often photo-3", {"train.steps": 280, "lora.dropout": 0.1, "train.stop_early": True}),
    ("Waxy or plastic skin", GOOD_LOG, of_likeness(0.9, 0.9, skin=0.4), "soft", "40% of the photos", {"train.noise_offset": 0.05}),
    ("Angle failure", GOOD_LOG, of_likeness(0.95, 0.3), "angles", "three-quarter views have likeness 0.30", {}),
    ("Prompt brittleness", GOOD_LOG, of_likeness(1.1, 0.5), "similar captions", "differs by 0.30", {"text_encoder.enabled": False, "text_encoder.two_phase": True}),
    ("Out of memory", [*NAN[:2], RunFailed(what="The GPU is out of memory: 80 GiB, 79 in use.")], None, "", "79 in use", {"train.batch_size": 1}),
)


@pytest.mark.parametrize(("symptom", "events", "scores", "check", "evidence", "changes"), SEVEN, ids=[row[0] for row in SEVEN])
def test_every_symptom_has_cause_evidence_the_photos_first_and_one_click_that_prepares_its_fix(studio, view, symptom, events, scores, check, evidence, changes):
    """From the files of a run, as the page reads them; what the click puts into the form is read back from it."""
    settings = {"train__steps": 400, "train__noise_offset": 0.1, "train__batch_size": 2, "lora__rank": 64, "lora__alpha": 64.0, "text_encoder__enabled": True, "optimizer__learning_rate": 1e-4}
    run = run_with(studio, "anna", events, **settings)
    report_on(studio, *([Finding(check=check, severity="warning", what="photo-7 has the fault.", fix="Mend it.")] if check else []))
    if scores:
        evaluate_as(studio, scores)
    found = next(diagnosis for diagnosis in diagnoses_of(run, studio.store) if diagnosis.symptom == symptom)
    shown = view.render("anna", ())[1][1]
    card = unescape(next(part for part in shown.split('<div class="symptom ') if f"<h4>{symptom} " in part))
    assert found.seen.state == "found" and found.cause in card and evidence in " ".join(found.seen.evidence) and evidence in card
    assert [finding.what for finding in found.photos] == (["photo-7 has the fault."] if check else []) and {change.key: change.new for change in found.changes}.items() >= changes.items()
    assert ('data-opens="training"' in card) is bool(changes) and ('data-opens="analyzer"' in card) is bool(check)
    if check and changes:
        assert card.index("photo-7 has the fault.") < card.index("<ins>")
    if changes:
        tab, words, *values = view._open(pressed(symptom=symptom))
        read = flatten(view.form.read([value.get("value", 0.0) if isinstance(value, dict) else value for value in values]))
        assert tab.selected == "training" and "<del>" in words and {key: read[key] for key in changes} == changes
    else:
        with pytest.raises(Refused, match="nothing to change"):
            view._open(pressed(symptom=symptom))


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
