"""Early signs and the early stop: each speaks where its numbers do, and is silent where they do not."""

import pytest

from core.events import LikenessMeasured, RunStarted
from core.signs import best_round, copying, early_stop, held_out_at, level_of, overtrained, rounds_of, seconds_for, signs_of, undertrained
from tests.core.logs import likeness, log_of, step

GROWS, LEVELS = [0.3, 0.5, 0.62, 0.72], [0.5, 0.8, 0.81, 0.8, 0.79]
RISES, FALLS = [0.20, 0.19, 0.21, 0.24, 0.27], [0.20, 0.19, 0.18, 0.17, 0.16]


@pytest.mark.parametrize(("value", "word"), [(-0.1, "not the person"), (0.49, "not the person"), (0.5, "weak"), (0.69, "weak"), (0.7, "good"), (0.84, "good"), (0.85, "excellent"), (1.1, "excellent")])
def test_every_likeness_has_its_word(value, word):
    assert level_of(value) == word


def test_the_base_model_and_rounds_without_a_face_are_no_rounds():
    faceless = LikenessMeasured(step=50, pictures=2, faces=0, mean=None, spread=None, nearest=None, nearest_photo="", copy_line=0.92, network="judge", seconds=0.1)
    assert [measured.step for measured in rounds_of([likeness(0, 0.9), faceless, likeness(100, 0.5)])] == [100]


def test_the_best_round_is_the_first_that_none_surpasses_by_more_than_noise():
    assert best_round(log_of(LEVELS)).step == 200
    assert best_round(log_of([0.5, 0.515, 0.53, 0.545])).step == 300  # small gains add up
    assert best_round([]) is None


def test_the_best_round_only_moves_forward():
    events = log_of([0.5, 0.8, 0.7, 0.9, 0.85])
    steps = [best.step for end in range(len(events)) if (best := best_round(events[: end + 1]))]
    assert steps == sorted(steps) and steps[-1] == 400


def test_still_climbing_at_the_end_is_undertrained_with_its_numbers():
    sign = undertrained(log_of(GROWS), 400)
    assert "0.62 at step 300, 0.72 at step 400" in sign.sentence and sign.value == pytest.approx(0.10) and sign.threshold == pytest.approx(0.02)


@pytest.mark.parametrize(
    ("means", "steps"),
    [(GROWS, 1000), ([0.3, 0.5, 0.62, 0.63], 400), ([0.5, 0.7, 0.8, 0.9], 400), ([0.3], 100), ([], 400)],
    ids=["in the middle", "levelled", "excellent", "one round", "no round"],
)
def test_undertrained_is_silent_otherwise(means, steps):
    assert undertrained(log_of(means, steps=steps), steps) is None


def test_no_growth_with_a_rising_held_out_loss_is_overtrained():
    sign = overtrained(log_of(LEVELS, RISES))
    assert "Since step 200" in sign.sentence and "from 0.190 to 0.270" in sign.sentence and sign.value == pytest.approx(0.27 / 0.19 - 1)


@pytest.mark.parametrize(
    ("means", "held_out"),
    [(LEVELS, FALLS), (LEVELS, []), (LEVELS, [0.19] * 5), ([0.2, 0.4, 0.6, 0.8, 1.0], RISES), ([0.5, 0.8, 0.81], RISES)],
    ids=["held-out loss falls", "no photo held out", "held-out loss stays", "likeness grows", "one round is no end of growth"],
)
def test_overtrained_needs_both_and_two_rounds(means, held_out):
    assert overtrained(log_of(means, held_out)) is None and early_stop(log_of(means, held_out)) is None


def test_a_sample_above_the_copy_line_is_said_with_its_photo():
    sign = copying(log_of([0.8], nearest=0.95))
    assert "photo-07" in sign.sentence and "0.950" in sign.sentence and "0.920" in sign.sentence


@pytest.mark.parametrize("more", [{"nearest": 0.92}, {"nearest": 0.999, "copy_line": None}])
def test_copying_is_silent_at_the_line_and_where_it_cannot_be_told(more):
    assert copying(log_of([0.8], **more)) is None


def test_copying_looks_at_the_last_round_only():
    assert copying([*log_of([0.8], nearest=0.95, ended=False), likeness(200, 0.8)]) is None


def test_a_good_run_has_no_sign():
    assert signs_of(log_of([0.4, 0.8, 0.92, 0.93], FALLS), 400) == []


def test_the_stop_is_decided_by_the_log_up_to_then_and_takes_the_best_step():
    events = log_of(LEVELS, RISES, ended=False)
    decisions = [early_stop(events[: end + 1]) for end in range(len(events))]
    first = next(number for number, stop in enumerate(decisions) if stop)
    assert events[first].step == 400 and decisions[first].best_step == 200
    assert all(stop is None or stop.best_step == 200 for stop in decisions)


def test_the_held_out_loss_of_a_step_is_the_last_up_to_it():
    events = log_of(LEVELS, RISES)
    assert held_out_at(events, 99) is None and held_out_at(events, 100) == 0.20 and held_out_at(events, 250) == 0.19


def test_time_for_more_steps_is_that_of_this_session_with_its_samples():
    """Steps of 9 s by the clock, of which a step itself takes 1: samples and checkpoints count."""
    old = [step(number, seconds=99.0) for number in range(1, 5)]
    new = [step(number).model_copy(update={"time": 5000.0 + 9 * number}) for number in range(5, 9)]
    assert seconds_for(10, [*old, RunStarted(job="train", name="a", first_step=4, steps=20), *new]) == pytest.approx(90.0)
    assert seconds_for(10, new[:1]) == 0.0
