"""What the tabs show for states of the disk, without a browser: damaged files take nothing else down."""

import gradio as gr
import pandas as pd
import pytest

from core.events import Phase, RunFailed, RunFinished, RunStarted, StepDone
from core.runs import EventLog, RunStore, training_words
from core.settings import parse_settings, value_of
from ui.layout import build_page
from ui.run_status import state_of, status_html
from ui.run_view import fold
from ui.settings_form import WITH_PHOTOS, SettingsForm
from ui.studio import Studio
from ui.training_tab import TrainingTab


@pytest.fixture
def studio(tmp_path, demo_subject):
    (tmp_path / "output").mkdir()
    return Studio(RunStore(tmp_path / "output"), {})


def run_with(studio, name, *events):
    run = studio.store.create(parse_settings({"run.name": name}))
    for event in events:
        run.log.append(event)
    return run


STARTED = RunStarted(job="train", name="anna", steps=10)
STEP = StepDone(step=4, loss=0.5, learning_rate=1e-4, grad_norm=1.0, seconds=0.5, memory_gib=1.0)


def tick_of(studio):
    """What the page calls as it opens and each second; `was_lost` says that the answer before did not arrive."""
    draw = next(function.fn for function in build_page(studio).fns.values() if function.name == "refresh")
    return lambda *values, was_lost="": draw(was_lost, *values)


def texts_of(values):
    return " ".join(str(value) for value in values if isinstance(value, (str, dict)))


@pytest.mark.parametrize(
    ("events", "live", "state"),
    [((STARTED, STEP), True, "running"), ((STARTED, STEP), False, "interrupted"), ((), False, "interrupted"), ((STARTED, RunFinished(seconds=1.0)), False, "finished"), ((STARTED, RunFailed(what="x")), False, "failed")],
)
def test_the_state_is_the_logs_corrected_by_who_is_alive(events, live, state):
    assert state_of(fold(events), live) == state


def test_the_timer_shows_a_run_and_then_sends_nothing_until_something_changes(studio):
    run = run_with(studio, "anna", STARTED, STEP)
    tick = tick_of(studio)
    first = tick(((), (), (), ()), "data/demo-subject", None, None, None, None, "ohwx", 128, "template")
    assert "Interrupted" in texts_of(first) and "step 4 of 10" in texts_of(first)
    second = tick(first[0], "data/demo-subject", "anna", None, None, None, "ohwx", 128, "template")
    assert second[0] == first[0] and "Interrupted" not in texts_of(second)
    run.log.append(Phase(what="Encoding captions"))
    with studio.store.exclusive(training_words("anna")):
        third = tick(second[0], "data/demo-subject", "anna", None, None, None, "ohwx", 128, "template")
    assert "Training" in texts_of(third) and "Encoding captions" in texts_of(third)


def test_plots_of_a_running_training_rest_for_seconds_and_its_end_is_drawn(studio):
    """Times of the log decide, so that a tab that looks again after a minute gets them at once."""
    tab = TrainingTab.__new__(TrainingTab)
    tab.studio, tab.class_log = studio, None
    run = run_with(studio, "anna", STARTED.model_copy(update={"time": 1000.0}), STEP.model_copy(update={"time": 1001.0}))

    def plots(seen):
        key, values = tab.render("anna", seen)
        return key, [value for value in values if isinstance(value, dict) and isinstance(value.get("value"), pd.DataFrame)]

    with studio.store.exclusive(training_words("anna")):
        key, drawn = plots(())
        assert len(drawn) == 2, "loss and learning rate"
        for at, count in ((1002.0, 0), (1004.9, 0), (1005.1, 2), (1006.0, 0)):
            run.log.append(STEP.model_copy(update={"time": at}))
            key, drawn = plots(key)
            assert len(drawn) == count, at
        run.log.append(RunFinished(seconds=1.0, time=1006.5))
    assert len(plots(key)[1]) == 2


def test_after_a_lost_answer_all_is_drawn_again_and_the_run_that_was_chosen_stays(studio):
    for name in ("older", "newer"):
        run_with(studio, name, STARTED, STEP)
    tick, asked = tick_of(studio), ("data/demo-subject", "older", None, None, None, "ohwx", 128, "template")
    with studio.store.exclusive(training_words("newer")):
        seen = tick(tick(((), (), (), ()), *asked)[0], *asked)[0]
        assert "step 4 of 10" not in texts_of(tick(seen, *asked))
        again = tick(seen, *asked, was_lost="lost")
        assert again[0] == seen and "step 4 of 10" in texts_of(again) and again[1]["value"] == "older"


def test_the_axis_of_a_run_spans_all_its_steps_from_the_first_one(studio):
    run_with(studio, "anna", STARTED.model_copy(update={"steps": 1000}), STEP)
    drawn = tick_of(studio)(((), (), (), ()), "data/demo-subject", None, None, None, None, "ohwx", 128, "template")
    assert [update["x_lim"] for update in drawn if isinstance(update, dict) and "x_lim" in update] == [[0, 1020]] * 2


@pytest.mark.parametrize("damage", [lambda run: (run.folder / "run.json").write_text("{"), lambda run: run.log.file.write_text('{"kind":"unheard"}\n'), lambda run: run.log.file.write_text("{broken\n{}\n")])
def test_a_damaged_run_is_said_and_the_page_stays_up(studio, damage):
    damage(run_with(studio, "anna", STARTED))
    tick = tick_of(studio)
    values = tick(((), (), (), ()), "data/demo-subject", "anna", None, None, None, "ohwx", 128, "template")
    assert "failure" in texts_of(values)


def test_hostile_names_and_texts_are_shown_as_text(studio):
    evil = "<img src=x onerror=alert(1)>"
    run = run_with(studio, "anna", STARTED, Phase(what=evil), RunFailed(what=evil, fix=evil))
    assert "<img" not in status_html(run, fold(run.log.read()[0]), "failed", False, evil, None)


def test_every_setting_is_in_the_form_exactly_once(studio):
    page = build_page(studio)
    ids = [block.elem_id for block in page.blocks.values() if (getattr(block, "elem_id", None) or "").startswith("set-")]
    form = SettingsForm(studio, studio.resolved("demo"))
    assert sorted(ids) == sorted("set-" + d.key.replace(".", "-").replace("_", "-") for d in form.declarations) and len(ids) > 40


def filled(form, preset):
    """What stands in the form after a preset was chosen; a field that is left alone keeps the value it was made with."""
    updates = zip(form.declarations, form.fill(preset), strict=True)
    return [(update["value"] if "value" in update else value_of(form.first.settings, declaration.key)) if isinstance(update, dict) else update for declaration, update in updates]


def test_choosing_a_preset_leaves_the_price_of_the_machine_alone(studio):
    form = SettingsForm(studio, studio.resolved("demo"))
    left = [declaration.key for declaration, update in zip(form.declarations, form.fill("fast"), strict=True) if update == gr.skip()]
    assert left == ["run.price_per_hour"]


@pytest.mark.parametrize("preset", ["fast", "final", "demo"])
def test_the_form_gives_back_the_preset_it_was_filled_with(studio, preset):
    form = SettingsForm(studio, studio.resolved(preset))
    values = filled(form, preset)
    expected = studio.resolved(preset).settings
    read = form.read(values)
    assert read.model_copy(update={"run": expected.run}) == expected


def test_a_path_of_no_listing_is_refused(studio):
    form = SettingsForm(studio, studio.resolved("demo"))
    values = filled(form, "demo")
    for key in ("dataset.folder", "model.path", "run.warm_start", "regularization.folder"):
        spoiled = list(values)
        spoiled[[d.key for d in form.declarations].index(key)] = "/etc"
        with pytest.raises(Exception, match="not in the list"):
            form.read(spoiled)


def test_class_photos_show_how_far_they_are_and_how_they_ended(studio, tmp_path):
    with gr.Blocks() as page:
        form = SettingsForm(studio, studio.resolved("demo"))
        for key in WITH_PHOTOS:
            form.place(key)
        tab = TrainingTab(studio, form, "demo", page)
    assert tab.render(None, ())[1][-1] == ""
    tab.class_log = EventLog(tmp_path / "class-photos.jsonl")
    tab.class_log.append(Phase(what="Drawing class photos", done=12, total=40))
    key, values = tab.render(None, ())
    assert "12 of 40" in values[-1]
    tab.class_log.append(RunFailed(what="No space left.", fix="Free some."))
    assert "No space left. Free some." in tab.render(None, key)[1][-1]
