"""Leak: does the person appear where they were not called? In pictures of the class word alone, and as the second of two people."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence

from core.evaluation.prompts import CLASS_KIND, TWO_PEOPLE_KIND
from core.evaluation.values import Measure, PictureScore, not_measured, verdict_below

# Likeness above that of the base model's own pictures of the class: a third of the way to the person is seen by the eye. Heuristic.
GOOD_LEAK, MOST_LEAK = 0.20, 0.30
GOOD_SECOND, MOST_SECOND = 0.30, 0.50


def measure_class_leak(scores: Sequence[PictureScore], base: Mapping[tuple[int, int], PictureScore]) -> Measure:
    """Mean gain in likeness over the base model's picture of the same prompt and noise, where only the class was asked for."""
    name = "leak into the class"
    gains = [score.likeness - base[score.key].likeness for score in scores if score.kind == CLASS_KIND and score.likeness is not None and score.key in base and base[score.key].likeness is not None]
    if not gains:
        return not_measured(name, "no prompt asks for the class without the trigger word, or no face was found in its pictures")
    mean = statistics.fmean(gains)
    return Measure(name=name, value=mean, verdict=verdict_below(mean, GOOD_LEAK, MOST_LEAK), detail=f"pictures of the class alone are {mean:+.2f} more like the person than the base model's")


def measure_second_person(scores: Sequence[PictureScore]) -> Measure:
    """Mean likeness of the second face where two people were asked for."""
    name = "leak into a second person"
    asked = [score for score in scores if score.kind == TWO_PEOPLE_KIND]
    if not asked:
        return not_measured(name, "no prompt asks for two people")
    values = [score.second_face for score in asked if score.second_face is not None]
    if not values:
        return not_measured(name, "no picture of two people shows two faces")
    mean = statistics.fmean(values)
    return Measure(name=name, value=mean, verdict=verdict_below(mean, GOOD_SECOND, MOST_SECOND), detail=f"the second face in {len(values)} pictures of two people has likeness {mean:.2f}")
