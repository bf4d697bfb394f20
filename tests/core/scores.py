"""Score tables made by hand, for tests of what is measured and recommended."""

from collections.abc import Callable

import numpy as np

from core.evaluation.flexibility import AdherenceScale
from core.evaluation.scores import GridScores, measures_of
from core.evaluation.values import PictureScore

SCALE = AdherenceScale("a test", good=-0.015, least=-0.03)
KINDS = ("front", "three-quarter", "profile", "clothes")
ANGLES = ("front view", "three-quarter view", "profile view", "front view")


def picture(prompt=0, seed=1, source="final", strength=1.0, likeness=0.9, **fields) -> PictureScore:
    """A picture of the person with a face of the asked angle."""
    known = {"kind": KINDS[prompt % 4], "angle": ANGLES[prompt % 4], "has_face": likeness is not None, "likeness": likeness, "likeness_at_angle": likeness, "adherence": 0.3, "sharpness": 5.0, **fields}
    return PictureScore(prompt=prompt, seed=seed, source=source, strength=strength, **known)


def table(cells: dict[tuple[str, float], Callable[[int, int], PictureScore]], prompts=4, seeds=2, scale=SCALE, skins=()) -> GridScores:
    """Every cell's function makes a picture of each prompt and seed; the base model's pictures stand beside them. `skins` are of the photos."""
    keys = [(prompt, seed) for prompt in range(prompts) for seed in range(seeds)]
    scores = [picture(prompt, seed, strength=0.0, likeness=0.0) for prompt, seed in keys]
    scores += [make(prompt, seed) for make in cells.values() for prompt, seed in keys]
    rng = np.random.default_rng(0)
    vectors = {(source, strength): {key: rng.normal(size=8) for key in keys} for source, strength in [*cells, ("final", 0.0)]}
    found = measures_of(scores, vectors, skins, scale, "a test")
    return GridScores(scores=tuple(scores), configurations=found, photos=15, least_adherence=scale.least if scale else None)
