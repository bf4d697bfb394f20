"""Carbon copies: pictures that repeat a training photo, by its face, by a perceptual hash in either mirror, or by its composition.

An imitation of the person is wanted, a photo given back is not. Sources and thresholds: docs/EVAL_PROTOCOL.md.
"""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from core.evaluation.values import Measure, PictureScore, not_measured, verdict_below

# Bits of 64 in which two perceptual hashes of one picture may differ (edits 0-10, different photos of one person at least 20).
COPIED_BITS = 10
# Photos taken (or drawn) in one place are alike by themselves: a copy lies this much nearer to its photo than nine tenths of the photos lie to their nearest other.
NEARER_THAN_OWN_BITS, CLOSER_THAN_OWN, OWN_QUANTILE = 2, 0.03, 0.10
# Correlation of coarse colour pictures: a photo against its own edits lies above, different photos of a person below (docs/experiments.md, truth of the evaluation).
COPIED_COMPOSITION = 0.93
# A hash of 64 bits can agree by chance in simple pictures; a copy's coarse colours agree too, edits of it included (as above).
LEAST_HASH_COMPOSITION = 0.80
# What the base model draws from the same prompt and noise shows how much of the correlation is the prompt's: a copy must come closer than that by this much.
CLOSER_THAN_BASE = 0.05
GOOD_COPY_SHARE, MOST_COPIES = 0.0, 0.05
# Where photos were held out (WithAnyone's score: 1 the trained photo, 0 half-way).
GOOD_COPY_SCORE, MOST_COPY_SCORE = 0.35, 0.50


@dataclass(frozen=True, eq=False)
class Look:
    """A picture for comparing: 64-bit perceptual hashes of it and of its mirror image, and unit vectors of its coarse colours in both."""

    name: str
    phash: int
    mirrored_phash: int
    coarse_D: np.ndarray
    mirrored_coarse_D: np.ndarray


@dataclass(frozen=True, eq=False)
class CopyLines:
    """The photos that were trained on, and how near is too near in this set: at most `bits` apart, or `correlation` and above."""

    photos: tuple[Look, ...]
    bits: float
    correlation: float


def copy_lines(photos: Sequence[Look]) -> CopyLines:
    if len(photos) < 2:
        return CopyLines(tuple(photos), COPIED_BITS, COPIED_COMPOSITION)
    others = [(photo, [other for other in photos if other is not photo]) for photo in photos]
    bits = np.quantile([min(_distance(photo, other) for other in rest) for photo, rest in others], OWN_QUANTILE)
    closest = np.quantile([max(_correlation(photo, other) for other in rest) for photo, rest in others], 1 - OWN_QUANTILE)
    return CopyLines(tuple(photos), min(COPIED_BITS, float(bits) - NEARER_THAN_OWN_BITS), max(COPIED_COMPOSITION, float(closest) + CLOSER_THAN_OWN))


def hash_copy(picture: Look, base: Look | None, lines: CopyLines) -> str:
    """The photo whose hash this picture has, in either mirror, where the base model's picture of the same prompt and noise has not; empty for none."""
    if not lines.photos:
        return ""
    photo = min(lines.photos, key=lambda one: _distance(picture, one))
    is_near = _distance(picture, photo) <= lines.bits and _correlation(picture, photo) >= LEAST_HASH_COMPOSITION
    return photo.name if is_near and (base is None or _distance(base, photo) > lines.bits) else ""


def composition_copy(picture: Look, base: Look | None, lines: CopyLines) -> str:
    """The photo this picture is laid out like, where the base model's picture of the same prompt and noise is not."""
    if not lines.photos:
        return ""
    photo = max(lines.photos, key=lambda one: _correlation(picture, one))
    closeness = _correlation(picture, photo)
    is_close = closeness >= lines.correlation and (base is None or closeness >= _correlation(base, photo) + CLOSER_THAN_BASE)
    return photo.name if is_close else ""


def measure_copies(scores: Sequence[PictureScore]) -> Measure:
    """Share of pictures that copy a photo in some way; `photo` is the one that is copied most. Pictures of a prompt that asks for a photo count only where the face tells."""
    if not scores:
        return not_measured("carbon copy", "there are no pictures")
    judged = [score for score in scores if score.copied or not score.asks_for_a_photo]
    if not judged:
        return not_measured("carbon copy", "every prompt asks for what one of the photos shows, so that obeying and copying look the same")
    copies = [score for score in judged if score.copied]
    share = len(copies) / len(judged)
    names = Counter(score.copy_of for score in copies)
    photo = names.most_common(1)[0][0] if names else ""
    ways = Counter(way for score in copies for way in score.copied)
    detail = f"{len(copies)} of {len(judged)} pictures repeat a photo, most often {photo} ({', '.join(f'{way} {count}' for way, count in sorted(ways.items()))})" if copies else "no picture repeats a photo"
    verdict = verdict_below(share, GOOD_COPY_SHARE, MOST_COPIES)
    if len(copies) == 1 and len(judged) > 1:
        verdict = "watch"  # one picture may be chance
    return Measure(name="carbon copy", value=share, verdict=verdict, detail=detail, parts={way: count / len(judged) for way, count in sorted(ways.items())}, photo=photo)


def measure_copy_score(scores: Sequence[PictureScore], base: Mapping[tuple[int, int], PictureScore]) -> Measure:
    """How much nearer pictures are to their nearest trained photo than to the held-out ones, mean over pictures, less the same of the base model's pictures: the nearest
    of many is nearer by itself."""
    name = "nearer to trained photos than to held-out ones"
    gains = [score.copy_score - base[score.key].copy_score for score in scores if score.copy_score is not None and score.key in base and base[score.key].copy_score is not None]
    if not gains:
        return not_measured(name, "no photo was held out of the training, or no face was found")
    mean = statistics.fmean(gains)
    return Measure(name=name, value=mean, verdict=verdict_below(mean, GOOD_COPY_SCORE, MOST_COPY_SCORE), detail="0 is no nearer than the base model's pictures, 1 is the trained photo itself")


def _distance(picture: Look, photo: Look) -> int:
    """Bits in which the hashes differ, in the nearer mirror."""
    return min((picture.phash ^ photo.phash).bit_count(), (picture.mirrored_phash ^ photo.phash).bit_count())


def _correlation(picture: Look, photo: Look) -> float:
    return float(max(picture.coarse_D @ photo.coarse_D, picture.mirrored_coarse_D @ photo.coarse_D))
