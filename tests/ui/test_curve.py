"""A curve keeps few points of many, and says what was added."""

from itertools import pairwise

import pytest

from ui.curve import MOST_POINTS, Curve


def curve_of(count: int) -> Curve:
    curve = Curve()
    for step in range(1, count + 1):
        curve.add(step, 1 / step)
    return curve


@pytest.mark.parametrize("count", [1, 2, MOST_POINTS - 1, MOST_POINTS, MOST_POINTS + 1, 14_400])
def test_points_are_bounded_evenly_spaced_and_end_with_the_newest(count):
    points = curve_of(count).points
    steps = [step for step, _ in points]
    assert len(points) <= MOST_POINTS and steps[0] == 1 and steps[-1] == count and all(value == 1 / step for step, value in points)
    assert len({after - before for before, after in pairwise(steps[:-1])}) <= 1
    assert count < MOST_POINTS or len(points) >= MOST_POINTS / 2


def test_a_short_curve_is_whole_and_an_empty_one_has_no_point():
    assert [step for step, _ in curve_of(300).points] == list(range(1, 301)) and Curve().points == [] and Curve().newest is None


def test_a_copy_stays_as_it_is():
    curve = curve_of(3)
    copy = curve.copy()
    curve.add(4, 0.25)
    assert copy == curve_of(3) and curve == curve_of(4)
