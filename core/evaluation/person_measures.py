"""Is it the person? Likeness overall and by head angle, how often there is a face at all, and whether the asked angle was drawn.

Thresholds: docs/EVAL_PROTOCOL.md. A picture without a face counts as likeness 0.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence

from core.evaluation.prompts import ANGLE_OF_KIND, KINDS_OF_PERSON
from core.evaluation.values import Measure, PictureScore, not_measured, verdict_above
from core.identity.faces import ANGLES, Angle
from core.identity.likeness import FEWEST_AT_ANGLE

EXCELLENT, GOOD, WEAK = 0.85, 0.70, 0.50
GOOD_FACE_RATE, LEAST_FACE_RATE = 0.95, 0.90
# A bin of pictures this much weaker than the front one is an angle the LoRA does not know.
ANGLE_SHARE, FEWEST_OF_ANGLE = 0.75, 2
LEAST_FRONT = 0.30
GOOD_POSE, LEAST_POSE = 0.75, 0.60
NO_REFERENCE = "the person's photos could not be read as faces"


def of_the_person(scores: Sequence[PictureScore]) -> list[PictureScore]:
    """Pictures that should show the person, and as a photograph: no class prompts, no second person, no painting styles."""
    return [score for score in scores if score.kind in KINDS_OF_PERSON]


def counted_likeness(score: PictureScore) -> float | None:
    """0 where no face was found; None where it was not measured."""
    if score.has_face is False:
        return 0.0
    return score.likeness_at_angle


def measure_likeness(scores: Sequence[PictureScore]) -> Measure:
    """Mean over pictures of the likeness to photos of the same angle; `parts` also hold the 20th percentile."""
    values = [value for score in of_the_person(scores) if (value := counted_likeness(score)) is not None]
    if not values:
        return not_measured("likeness", NO_REFERENCE)
    mean = statistics.fmean(values)
    word = "excellent" if mean >= EXCELLENT else "good" if mean >= GOOD else "weak" if mean >= WEAK else "not the person"
    low = sorted(values)[len(values) // 5]
    return Measure(name="likeness", value=mean, verdict=verdict_above(mean, GOOD, WEAK), detail=f"{word}; one picture in five is below {low:.2f}", parts={"p20": low})


def measure_angles(scores: Sequence[PictureScore]) -> Measure:
    """The weakest angle's mean over that of front views, with the mean of every angle in `parts`. Angles as drawn, not as asked.

    An angle of which the person gave no photos is compared with others, so that how alike it is cannot be told: it is one to look at, however high it comes out.
    """
    name = "head angles"
    by_angle = likeness_by_angle(scores)
    front = by_angle.get("front view")
    others = {angle: value for angle, value in by_angle.items() if angle != "front view"}
    if front is None or not others:
        return not_measured(name, f"fewer than {FEWEST_OF_ANGLE} pictures of front views or of other angles show a face that could be compared")
    if front < LEAST_FRONT:
        return not_measured(name, f"front views are hardly alike themselves ({front:.2f}), so there is nothing to compare with")
    weakest = min(others, key=lambda angle: others[angle])
    share = others[weakest] / front
    verdict, detail = verdict_above(share, ANGLE_SHARE, ANGLE_SHARE), f"{weakest}s have likeness {others[weakest]:.2f}, front views {front:.2f}"
    unseen = unseen_angles(scores)
    if unseen and verdict == "good":
        verdict, detail = "watch", f"fewer than {FEWEST_AT_ANGLE} photos show {' or '.join(f'{angle}s' for angle in unseen)}, so how alike those pictures are cannot be told; {detail}"
    return Measure(name=name, value=share, verdict=verdict, detail=detail, parts=dict(by_angle))


def unseen_angles(scores: Sequence[PictureScore]) -> list[Angle]:
    """Angles that were drawn often enough to be judged, and of which there are hardly any photos."""
    seen = {score.angle: score.photos_at_angle for score in of_the_person(scores) if score.photos_at_angle is not None}
    return [angle for angle in likeness_by_angle(scores) if seen.get(angle, FEWEST_AT_ANGLE) < FEWEST_AT_ANGLE]


def likeness_by_angle(scores: Sequence[PictureScore]) -> dict[Angle, float]:
    """Mean likeness of the angles that were drawn often enough."""
    found: dict[Angle, float] = {}
    for angle in ANGLES:
        values = [score.likeness_at_angle for score in of_the_person(scores) if score.angle == angle and score.likeness_at_angle is not None]
        if len(values) >= FEWEST_OF_ANGLE:
            found[angle] = statistics.fmean(values)
    return found


def measure_face_rate(scores: Sequence[PictureScore]) -> Measure:
    read = [score for score in of_the_person(scores) if score.has_face is not None]
    if not read:
        return not_measured("face rate", "faces could not be read")
    share = sum(bool(score.has_face) for score in read) / len(read)
    return Measure(name="face rate", value=share, verdict=verdict_above(share, GOOD_FACE_RATE, LEAST_FACE_RATE), detail=f"{len(read) - sum(bool(score.has_face) for score in read)} of {len(read)} pictures show no face")


def measure_pose(scores: Sequence[PictureScore]) -> Measure:
    """Share of pictures whose head angle is the one the prompt asked for."""
    asked = [score for score in scores if score.kind in ANGLE_OF_KIND and score.angle is not None]
    if not asked:
        return not_measured("pose obedience", "no prompt asks for a head angle, or no face was found")
    share = statistics.fmean(score.angle == ANGLE_OF_KIND[score.kind] for score in asked)
    return Measure(name="pose obedience", value=share, verdict=verdict_above(share, GOOD_POSE, LEAST_POSE), detail=f"{sum(score.angle == ANGLE_OF_KIND[score.kind] for score in asked)} of {len(asked)} pictures have the head angle the prompt asked for")
