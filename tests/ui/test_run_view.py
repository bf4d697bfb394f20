import re
import typing

import pytest

from core.events import CheckpointSaved, FixedNoiseLoss, ImageSaved, Phase, ReportSaved, RunEvent, RunFailed, RunFinished, RunStarted, RunStopped, StepDone, StoppedEarly, Warned
from core.runs import RunStore
from core.settings import parse_settings
from tests.core.logs import likeness
from ui.curve import MOST_POINTS
from ui.likeness_view import early_html, likeness_frame, likeness_html
from ui.palette import PLOT
from ui.run_log import log_html
from ui.run_status import legend_html, rate_frame, status_html
from ui.run_view import MOST_LINES, RunView, fold, plot_points

ONE_OF_EACH = [
    Phase(what="Encoding", done=1, total=3), RunStarted(job="train", name="a", steps=10), StepDone(step=1, loss=2.0, learning_rate=1e-4, grad_norm=0.5, seconds=0.5, memory_gib=1.5),
    FixedNoiseLoss(step=1, loss=1.9), ImageSaved(step=1, prompt="p", strength=1.0, seed=1, file="samples/a/1.webp"), CheckpointSaved(step=1, file="checkpoints/step-000001"), ReportSaved(what="lora", file="a.safetensors"),
    likeness(1, 0.6), StoppedEarly(step=9, best_step=5, reason="No gain.", seconds_saved=90.0),
    Warned(what="careful"), RunStopped(step=1, seconds=3.0), RunFailed(what="broken"), RunFinished(seconds=3.0),
]  # fmt: skip


@pytest.mark.parametrize("event", ONE_OF_EACH, ids=lambda event: event.kind)
def test_every_event_changes_what_is_shown(event):
    assert len(ONE_OF_EACH) == len(typing.get_args(RunEvent))
    assert fold([event]) != RunView()


def steps(count, seconds=0.5):
    return [StepDone(step=n, loss=1 / n, learning_rate=1e-4, grad_norm=1.0, seconds=seconds, memory_gib=1.0) for n in range(1, count + 1)]


def test_speed_is_the_median_and_gives_the_time_left():
    slow_first = StepDone(step=1, loss=1.0, learning_rate=0.0, grad_norm=1.0, seconds=60.0, memory_gib=1.0)
    view = fold([RunStarted(job="train", name="a", steps=100), slow_first, *steps(10)[1:]])
    assert view.seconds_per_step == 0.5 and view.seconds_left == 45.0


def test_a_resume_starts_counting_again_and_forgets_the_failure():
    view = fold([RunStarted(job="train", name="a", steps=10), RunFailed(what="x"), RunStarted(job="train", name="a", first_step=5, steps=10)])
    assert (view.state, view.step, view.failure, view.seconds_left) == ("running", 5, None, None)


def test_the_plot_is_bounded_and_keeps_the_last_point():
    points = plot_points(fold([RunStarted(job="train", name="a", steps=5000), *steps(5000), FixedNoiseLoss(step=5000, loss=0.3)]))
    assert len(points) <= 2 * 401 + 1 and (5000, 1 / 5000, "each step") in points and (5000, 0.3, "fixed noise") in points


def test_a_picture_drawn_again_replaces_the_old_one():
    image = ONE_OF_EACH[4]
    assert len(fold([image, image]).images) == 1


def test_a_run_that_goes_silent_is_noticed_after_ten_steps_time_and_a_minute():
    view = fold([RunStarted(job="train", name="a", steps=100, time=0), *(StepDone(step=n, loss=1, learning_rate=1, grad_norm=1, seconds=9, memory_gib=0, time=9 * n) for n in range(1, 6))])
    assert view.silent_for(45 + 80) is None and view.silent_for(45 + 100) == 100
    fast = fold([RunStarted(job="train", name="a", steps=100, time=0), StepDone(step=1, loss=1, learning_rate=1, grad_norm=1, seconds=0.1, memory_gib=0, time=1)])
    assert fast.silent_for(50) is None and fast.silent_for(70) == 69
    drawing = fold([RunStarted(job="train", name="a", steps=100, time=0), StepDone(step=1, loss=1, learning_rate=1, grad_norm=1, seconds=0.1, memory_gib=0, time=1), Phase(what="Drawing samples", time=2)])
    assert drawing.silent_for(500) is None


def test_a_shutdown_reads_as_interrupted_and_a_stop_as_stopped():
    assert fold([RunStopped(step=3, seconds=1, by="shutdown")]).state == "interrupted" and fold([RunStopped(step=3, seconds=1)]).state == "stopped"


def test_held_out_losses_have_a_curve_of_their_own():
    points = plot_points(fold([RunStarted(job="train", name="a", steps=9), FixedNoiseLoss(step=3, loss=0.3, held_out=0.4)]))
    assert points == [(3, 0.3, "fixed noise"), (3, 0.4, "held out")]


def test_what_a_page_shows_of_a_run_does_not_grow_with_its_days():
    events = [RunStarted(job="train", name="a", steps=99_999), *(FixedNoiseLoss(step=50 * n, loss=0.3, held_out=0.4) for n in range(1, 2001))]
    view = fold(events)
    points = plot_points(view)
    assert len(points) <= 2 * MOST_POINTS and points[-1] == (100_000, 0.4, "held out")
    assert len(view.log) == MOST_LINES and "100000" in view.log[-1][1] and log_html(view).count("<time>") == MOST_LINES


def test_likeness_is_a_curve_a_word_and_a_line_of_the_log():
    events = [RunStarted(job="train", name="a", steps=400), likeness(0, 0.1), likeness(100, 0.55), likeness(200, 1.4)]
    view = fold(events)
    assert likeness_frame(view).values.tolist() == [[0, 0.1, "samples"], [100, 0.55, "samples"], [200, 1.2, "samples"]]
    assert "Likeness 1.40, excellent" in likeness_html(view, events) and view.log[-1][1] == "step 200  likeness 1.40, excellent"


def test_without_a_face_nothing_is_claimed():
    faceless = likeness(100, None, spread=None, faces=0, nearest=None)
    view = fold([faceless])
    assert "not known: no face in 2 samples" in likeness_html(view, [faceless]) and likeness_frame(view).empty
    assert "a face in 1 of 2 samples" in likeness_html(fold([likeness(100, 0.7, faces=1)]), [])


def test_before_the_first_samples_of_the_lora_there_is_no_word():
    assert likeness_html(fold([likeness(0, 0.1)]), [likeness(0, 0.1)]) == ""


def test_signs_stand_under_the_curve_with_their_numbers_and_a_name_is_only_text():
    events = [RunStarted(job="train", name="a", steps=100), likeness(100, 0.8, nearest=0.97).model_copy(update={"nearest_photo": "<img src=x>"})]
    shown = likeness_html(fold(events), events)
    assert "Copying a photo." in shown and "0.970" in shown and "<img" not in shown


def test_an_early_stop_says_what_it_kept_and_saved():
    words = early_html(StoppedEarly(step=300, best_step=200, reason="No gain since.", seconds_saved=3900.0, money_saved=0.75))
    assert "step 300" in words and "1 h 05 min" in words and "0.75" in words and "The LoRA is that of step 200. No gain since." in words
    assert "machine costs" not in early_html(StoppedEarly(step=300, best_step=200, reason="", seconds_saved=60.0))


def test_the_learning_rate_is_a_curve_of_its_own_thinned_like_the_others():
    steps = [StepDone(step=step, loss=0.5, learning_rate=step * 1e-6, grad_norm=1.0, seconds=1.0, memory_gib=1.0) for step in range(1, 2 * MOST_POINTS + 1)]
    frame = rate_frame(fold(steps))
    assert len(frame) == MOST_POINTS // 2 + 1 and frame["step"].iloc[-1] == 2 * MOST_POINTS and all(rate == pytest.approx(step * 1e-6) for step, rate in frame.values)
    assert list(rate_frame(fold([])).dtypes.astype(str)) == ["int64", "float64"]


def test_the_curves_that_are_drawn_are_named_in_their_colours_and_no_other():
    view = fold([StepDone(step=1, loss=0.5, learning_rate=1e-4, grad_norm=1.0, seconds=1.0, memory_gib=1.0), FixedNoiseLoss(step=1, loss=0.4)])
    html = legend_html(view)
    assert re.findall(r'background: (#\w+)"></i>([^<]+)', html) == [(PLOT[curve], curve) for curve in ("each step", "smoothed", "fixed noise")]
    assert legend_html(fold([])) == ""


def test_a_warning_stands_beside_the_bar_until_a_checkpoint_is_saved_again(tmp_path):
    run = RunStore(tmp_path).create(parse_settings({"run.name": "anna", "run.output": str(tmp_path)}))
    events = [RunStarted(job="train", name="anna", steps=9), Warned(what="No space for the checkpoint of step 4 <b>.")]
    assert "No space for the checkpoint of step 4 &lt;b&gt;." in status_html(run, fold(events), "running", False, None, None)
    assert "No space" not in status_html(run, fold([*events, CheckpointSaved(step=8, file="x")]), "running", False, None, None)
