"""Is the surface real? Fine detail of skin against the person's photos, and sharpness against the base model's pictures.

Waxy skin and blur look alike to both, so the verdict is 'smooth or soft', never 'waxy' alone.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence

from core.evaluation.person_measures import of_the_person
from core.evaluation.values import Measure, PictureScore, not_measured, verdict_above

# Ratio of medians. Sets of five real photos lie within .74-1.55, smoothed ones .39-.88; single pictures overlap, so a set of eight is the least.
GOOD_SKIN, LEAST_SKIN, FEWEST_SKIN = 0.75, 0.65, 8
# Of the base model's pictures on the same noise: a LoRA of sharp photos stays at about 1, blurred photos halve it (docs/experiments.md, truth of the evaluation).
GOOD_SHARPNESS, LEAST_SHARPNESS, FEWEST_SHARP = 0.80, 0.65, 4


def measure_skin(scores: Sequence[PictureScore], photos: Sequence[float]) -> Measure:
    """Median skin detail of the pictures over that of the photos."""
    if not photos:
        return not_measured("skin detail", "skin has no texture in drawings, and in photos it takes a face of 160 pixels")
    values = [score.skin for score in of_the_person(scores) if score.skin is not None]
    if len(values) < FEWEST_SKIN:
        return not_measured("skin detail", f"{len(values)} pictures show a face large enough; it takes {FEWEST_SKIN}")
    ratio = statistics.median(values) / statistics.median(photos)
    return Measure(name="skin detail", value=ratio, verdict=verdict_above(ratio, GOOD_SKIN, LEAST_SKIN), detail=f"{ratio:.0%} of the photos' fine detail" + (": smooth or soft" if ratio < GOOD_SKIN else ""))


def measure_sharpness(scores: Sequence[PictureScore], base: Mapping[tuple[int, int], PictureScore]) -> Measure:
    """Geometric mean over pairs of the picture's sharpness over that of the base model's picture of the same prompt and noise."""
    pairs = [(score.sharpness, base[score.key].sharpness) for score in scores if score.key in base]
    ratios = [math.log(ours / theirs) for ours, theirs in pairs if ours and theirs]
    if len(ratios) < FEWEST_SHARP:
        return not_measured("sharpness", f"{len(ratios)} pictures have one of the base model beside them; it takes {FEWEST_SHARP}")
    ratio = math.exp(statistics.fmean(ratios))
    return Measure(name="sharpness", value=ratio, verdict=verdict_above(ratio, GOOD_SHARPNESS, LEAST_SHARPNESS), detail=f"{ratio:.0%} of the base model's on the same noise" + (": smooth or soft" if ratio < GOOD_SHARPNESS else ""))
