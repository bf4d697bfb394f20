"""Is it still free? Whether prompts are obeyed as by the base model, how different pictures of one prompt are, how much likeness hangs on the prompt."""

from __future__ import annotations

import itertools
import statistics
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from core.evaluation.person_measures import counted_likeness, of_the_person
from core.evaluation.values import Measure, PictureScore, not_measured, verdict_above, verdict_below

GOOD_DIVERSITY, LEAST_DIVERSITY = 0.85, 0.70
# Coarse colours hold the hair and skin that a LoRA of one person rightly makes all alike, so they are only ever a reason to look. Drawings of one prompt differ in nothing
# else: a good LoRA's are at .16 to .96 there, so it is not measured (docs/experiments.md, truth of the evaluation).
COARSE_COLOURS, GOOD_COARSE = "coarse colours", 0.50
DRAWINGS = "drawings of one prompt differ in little but who they show"
MOST_BRITTLENESS, BAD_BRITTLENESS, WORST_PROMPT = 0.15, 0.25, 0.50


@dataclass(frozen=True)
class AdherenceScale:
    """What a back end's difference to the base model means: above `good` is as free as the base, below `least` prompts are not followed any more."""

    name: str
    good: float
    least: float


def adherence_gain(score: PictureScore, base: Mapping[tuple[int, int], PictureScore]) -> float | None:
    """How much better than the base model's picture of the same prompt and noise it shows what was asked; usually below 0."""
    other = base.get(score.key)
    return None if score.adherence is None or other is None or other.adherence is None else score.adherence - other.adherence


def measure_adherence(scores: Sequence[PictureScore], base: Mapping[tuple[int, int], PictureScore], scale: AdherenceScale | None) -> Measure:
    if scale is None:
        return not_measured("prompt adherence", "needs CLIP or SigLIP, which is not switched on")
    gains = [gain for score in scores if (gain := adherence_gain(score, base)) is not None]
    if not gains:
        return not_measured("prompt adherence", "there are no pictures of the base model to compare with")
    mean = statistics.fmean(gains)
    return Measure(name="prompt adherence", value=mean, verdict=verdict_above(mean, scale.good, scale.least), detail=f"{mean:+.3f} against the base model on the same noise, by {scale.name}")


def measure_diversity(vectors: Mapping[tuple[int, int], np.ndarray], base: Mapping[tuple[int, int], np.ndarray], how: str) -> Measure:
    """Mean distance (1 - cosine) between pictures of one prompt over that of the base model's pictures on the same seeds. Keys are (prompt, seed)."""
    if how == DRAWINGS:
        return not_measured("diversity", DRAWINGS)
    shared = vectors.keys() & base.keys()
    ours, theirs = _spread({key: vectors[key] for key in shared}), _spread({key: base[key] for key in shared})
    if ours is None or not theirs:
        return not_measured("diversity", "needs two seeds or more of a prompt, with the base model's pictures beside them")
    ratio = ours / theirs
    lines = (GOOD_COARSE, -1.0) if how == COARSE_COLOURS else (GOOD_DIVERSITY, LEAST_DIVERSITY)
    return Measure(name="diversity", value=ratio, verdict=verdict_above(ratio, *lines), detail=f"pictures of one prompt differ {ratio:.0%} as much as the base model's, by {how}")


def measure_brittleness(scores: Sequence[PictureScore]) -> Measure:
    """Standard deviation over prompts of their mean likeness; the worst prompt's mean in `parts`."""
    means = list(likeness_by_prompt(scores).values())
    if len(means) < 2:
        return not_measured("brittleness", "needs two prompts of the person with likeness measured")
    spread, worst = statistics.pstdev(means), min(means)
    verdict = verdict_below(spread, MOST_BRITTLENESS, BAD_BRITTLENESS)
    if worst < WORST_PROMPT and verdict == "good":
        verdict = "watch"
    return Measure(name="brittleness", value=spread, verdict=verdict, detail=f"likeness differs by {spread:.2f} from prompt to prompt; the worst one has {worst:.2f}", parts={"worst prompt": worst})


def likeness_by_prompt(scores: Sequence[PictureScore]) -> dict[int, float]:
    values: dict[int, list[float]] = defaultdict(list)
    for score in of_the_person(scores):
        if (value := counted_likeness(score)) is not None:
            values[score.prompt].append(value)
    return {prompt: statistics.fmean(found) for prompt, found in sorted(values.items())}


def _spread(vectors: Mapping[tuple[int, int], np.ndarray]) -> float | None:
    """None where no prompt has two pictures."""
    prompts: dict[int, list[np.ndarray]] = defaultdict(list)
    for (prompt, _), vector in sorted(vectors.items()):
        prompts[prompt].append(vector)
    distances = [1 - float(one @ other) for found in prompts.values() for one, other in itertools.combinations(found, 2)]
    return statistics.fmean(distances) if distances else None
