"""The recommendation on tables made by hand: gates, the one-standard-error rule, uncertainty, and when nothing is good enough."""

import numpy as np
import pytest

from core.evaluation.recommend import best_sources, recommend, utility
from tests.core.scores import SCALE, picture, table

STEPS = {"step-000500": 500, "step-001000": 1000, "final": 1500}


def noisy(source, strength, likeness, spread=0.05, **fields):
    """A maker of pictures whose likeness scatters over prompts and seeds alike in every configuration, and a little of its own."""

    def make(prompt, seed):
        common = np.random.default_rng((prompt, seed)).normal() * spread
        own = np.random.default_rng((prompt, seed, int(strength * 100), len(source))).normal() * 0.01
        return picture(prompt, seed, source, strength, likeness + common + own, **fields)

    return make


def made(*cells, **sizes):
    return table({(source, strength): noisy(source, strength, likeness, **fields) for source, strength, likeness, fields in cells}, **sizes)


def test_the_clearly_best_one_is_chosen_with_the_next_as_runner_up():
    found = recommend(made(("final", 0.8, 0.75, {}), ("final", 1.0, 0.95, {}), ("step-000500", 1.0, 0.6, {})), STEPS)
    assert (found.chosen.source, found.chosen.strength) == ("final", 1.0) and found.runner_up.strength == 0.8
    assert found.margin == pytest.approx(found.chosen.score - found.runner_up.score) and found.chosen.likeness == pytest.approx(0.95, abs=0.05)


def test_among_equals_the_smallest_step_times_strength_is_taken():
    """The later one is better by .002 in the mean and by turns .03 better and .03 worse: noise."""
    cells = {
        ("final", 1.0): lambda p, s: picture(p, s, "final", 1.0, 0.902 + (0.03 if (p + s) % 2 else -0.03)),
        ("step-001000", 1.0): lambda p, s: picture(p, s, "step-001000", 1.0, 0.9),
        ("step-000500", 1.0): lambda p, s: picture(p, s, "step-000500", 1.0, 0.7),
    }
    found = recommend(table(cells), STEPS)
    assert found.chosen.source == "step-001000" and "of the 2 that are it takes the fewest" in found.why and found.runner_up.source == "final"
    assert found.chosen.score < found.runner_up.score and found.margin < 0


def test_a_difference_beyond_the_noise_of_shared_prompts_is_seen():
    """Prompts scatter by .25, but alike for both: by the error of one alone they would be equals."""
    cells = {("final", 1.0): noisy("final", 1.0, 0.70, 0.25), ("step-000500", 1.0): noisy("step-000500", 1.0, 0.67, 0.25)}
    best, other = recommend(table(cells, prompts=8), STEPS).candidates
    assert recommend(table(cells, prompts=8), STEPS).chosen == best and best.source == "final" and other.behind < best.score - other.score < best.error


@pytest.mark.parametrize(
    ("fields", "gate"),
    [({"copied": ("face",), "copy_of": "a"}, "carbon copy"), ({"adherence": 0.2}, "prompt adherence"), ({"sharpness": 2.0}, "sharpness"), ({"angle": "front view"}, "pose obedience")],
)
def test_what_fails_a_gate_is_not_recommended_however_alike_it_is(fields, gate):
    found = recommend(made(("final", 1.2, 1.05, fields), ("final", 0.8, 0.8, {})), STEPS)
    assert found.chosen.strength == 0.8 and found.runner_up is None
    assert gate in next(candidate for candidate in found.candidates if candidate.strength == 1.2).failed


@pytest.mark.parametrize(("copies", "verdict", "failed"), [(1, "watch", ()), (2, "bad", ("carbon copy",))])
def test_the_gate_closes_exactly_where_the_measure_calls_a_fault(copies, verdict, failed):
    """One picture of sixteen is 6 %, above the line for several, and may be chance: neither says fault."""

    def make(prompt, seed):
        copied = {"copied": ("face",), "copy_of": "a"} if 2 * prompt + seed < copies else {}
        return picture(prompt, seed, "final", 1.0, 0.9, **copied)

    scores = table({("final", 1.0): make}, prompts=8)
    assert scores.configurations[0].measure("carbon copy").verdict == verdict and recommend(scores, STEPS).candidates[0].failed == failed


def test_missing_faces_fail_their_gate_and_count_as_no_likeness():
    cells = {("final", 1.0): lambda p, s: picture(p, s, "final", 1.0, None if p == 0 else 0.9, angle=None), ("final", 0.8): noisy("final", 0.8, 0.8)}
    found = recommend(table(cells), STEPS)
    worse = next(candidate for candidate in found.candidates if candidate.strength == 1.0)
    assert "face rate" in worse.failed and worse.likeness == pytest.approx(0.675) and found.chosen.strength == 0.8


def test_none_is_good_enough_is_said_with_what_comes_nearest():
    found = recommend(made(("final", 1.0, 0.3, {"spread": 0.0}), ("final", 0.5, 0.2, {"spread": 0.0, "sharpness": 1.0})), STEPS)
    assert found.chosen is None and found.least_bad.strength == 1.0 and found.why == "None is good enough. The nearest fails: likeness."


def test_more_likeness_than_the_photos_have_gains_nothing():
    assert utility(2.0, 0.0, -0.03) == utility(1.1, 0.0, -0.03) == pytest.approx(0.7 * 1.1 + 0.3)
    assert utility(-1.0, -0.06, -0.03) == 0.0 and utility(0.5, -0.03, -0.03) == pytest.approx(0.35 + 0.15)


def test_without_adherence_likeness_decides_alone_and_closes_no_gate():
    found = recommend(made(("final", 1.0, 0.9, {}), scale=None), STEPS)
    assert found.chosen.score == pytest.approx(found.chosen.likeness, abs=0.05) and found.chosen.failed == ()


def test_one_prompt_and_one_seed_is_no_fault():
    found = recommend(made(("final", 1.0, 0.9, {}), prompts=1, seeds=1), STEPS)
    assert found.chosen.error == pytest.approx(0) and found.runner_up is None and found.margin is None


def test_the_standard_error_is_that_of_the_mean_by_a_second_route():
    """Ten prompts of one seed without brittleness in play: the bootstrap's error of likeness is s / sqrt(n)."""
    scores = made(("final", 1.0, 0.8, {"spread": 0.1}), prompts=10, seeds=1)
    values = [score.likeness for score in scores.of("final", 1.0)]
    assert recommend(scores, STEPS).chosen.likeness_error == pytest.approx(np.std(values) / np.sqrt(10), rel=0.1)


def test_the_same_table_gives_the_same_answer():
    scores = made(("final", 1.0, 0.9, {}), ("step-000500", 1.0, 0.9, {}))
    assert recommend(scores, STEPS) == recommend(scores, STEPS)


def test_likeness_that_was_measured_nowhere_is_said():
    with pytest.raises(ValueError):
        recommend(table({("final", 1.0): lambda p, s: picture(p, s, has_face=None, likeness=None)}), STEPS)


def test_the_first_look_keeps_the_best_checkpoints_in_order():
    scores = made(("step-000500", 1.0, 0.5, {}), ("step-001000", 1.0, 0.9, {}), ("final", 1.0, 0.8, {}))
    assert best_sources(scores, STEPS, 2) == ["step-001000", "final"] and SCALE.least == -0.03
