"""Calibrated likeness: 0 is a stranger, 1 is as alike as the person's own photos are to one another. Pure arithmetic on face readings.

All of it is relative to the person's own photos, so nothing depends on which network made the embeddings. Notation: t_i are the unit embeddings
of the photos, g that of a picture, s the mean of the k = 5 largest cosines between one and the photos (leave-one-out for a photo), mu the mean
cosine of different people, b the median of s(t_i). Then

    likeness(g) = (s(g) - mu) / (b - mu)

and a picture without a face has likeness 0. Method and thresholds: docs/EVAL_PROTOCOL.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

from core.errors import UserError
from core.identity.faces import ANGLES, Angle, Face, FaceReader, angle_of

NEAREST = 5
# A picture is compared with photos of about its own head angle where there are two at least: the nets' cosines fall with the difference in angle.
SAME_ANGLE_DEGREES, FEWEST_AT_ANGLE = 25.0, 2
# With fewer photos than this of an angle, its own leave-one-out baseline is noise, and that of all photos is taken.
FEWEST_FOR_BASELINE = 3
FEWEST_PHOTOS = 2
# A reader that locates no face knows only the name of the angle: the middle of its bin stands for the degrees.
MIDDLE_YAW: dict[Angle, float] = {"front view": 0.0, "three-quarter view": 35.0, "profile view": 70.0}
# A photo whose median cosine to the others lies under this share of the reader's same-person line shows somebody else. In 3,000 drawn sets with one or two
# strangers nearly every stranger was found, without a false alarm (docs/experiments.md, faces).
OTHER_PERSON, FEWEST_FOR_OUTLIERS = 0.9, 4
# Nearest-photo cosines of pictures that are copies lie above both (SFace: held-out photos .73-.87, crops and colour changes of a photo .96-.97; docs/EVAL_PROTOCOL.md).
LEAST_COPY_COSINE, COPY_ABOVE_USUAL, USUAL_QUANTILE = 0.92, 0.06, 0.95
# No cosine can be above 1: where the person's photos are this alike already, a copy cannot be told by the face.
LARGEST_COPY_COSINE = 0.995


@dataclass(frozen=True, eq=False)
class FaceReading:
    """The largest face of one picture: a unit embedding (biometric, see FaceReader.embed) and degrees of yaw, positive towards the picture's right."""

    name: str
    embedding: np.ndarray
    yaw: float
    is_blurred: bool = False

    @property
    def angle(self) -> Angle:
        return angle_of(self.yaw)


@dataclass(frozen=True, eq=False)
class Reference:
    """The person as their photos show them. `baseline` is b, `stranger` mu, `usual_nearest` the 95th percentile of each photo's cosine to its nearest other.

    `left_out` holds (photo, why) of those that would spoil it.
    """

    names: tuple[str, ...]
    embeddings_ND: np.ndarray
    yaws_N: np.ndarray
    stranger: float
    baseline: float
    baseline_by_angle: dict[Angle, float]
    usual_nearest: float
    left_out: tuple[tuple[str, str], ...] = ()

    @property
    def copy_cosine(self) -> float | None:
        """Above this cosine to one photo a face is that photo's copy; None where the photos themselves are that alike."""
        threshold = max(LEAST_COPY_COSINE, self.usual_nearest + COPY_ABOVE_USUAL)
        return threshold if threshold <= LARGEST_COPY_COSINE else None


@dataclass(frozen=True)
class NearestPhoto:
    """The photo a picture is most like, and how far it stands out: cosine less the median of the others."""

    name: str
    cosine: float
    isolation: float


def read_face(reader: FaceReader, image: Image.Image, name: str) -> FaceReading | None:
    """The largest face of an RGB picture; None where none is found."""
    faces = reader.find(image)
    return FaceReading(name, reader.embed(image, faces[0]), yaw_of_face(faces[0])) if faces else None


def yaw_of_face(face: Face) -> float:
    """As measured, else the middle of its angle's bin."""
    return face.yaw if face.yaw is not None else MIDDLE_YAW[face.angle] * (1 if face.facing == "right" else -1)


def reference_of(readings: Sequence[FaceReading], stranger: float, same_person: float) -> Reference:
    """From the readings of the person's photos; blurred ones and those of somebody else are left out. `stranger` and `same_person` are the reader's.

    Raises UserError when fewer than two faces are left.
    """
    outliers = _outliers(readings, OTHER_PERSON * same_person)
    left_out = tuple((reading.name, "the face is blurred" if reading.is_blurred else "shows somebody else") for reading in readings if reading.is_blurred or reading.name in outliers)
    kept = [reading for reading in readings if not reading.is_blurred and reading.name not in outliers]
    if len(kept) < FEWEST_PHOTOS:
        raise UserError(f"Likeness cannot be measured: {len(kept)} of {len(readings)} photos show a usable face.", "dataset", f"It takes {FEWEST_PHOTOS} sharp photos of the person, better 15.")
    embeddings_ND, yaws_N = np.stack([reading.embedding for reading in kept]).astype(np.float64), np.array([reading.yaw for reading in kept])
    own = np.array([_nearest_mean(np.delete(row, i)) for i, row in enumerate(embeddings_ND @ embeddings_ND.T)])
    nearest = _without_itself(embeddings_ND @ embeddings_ND.T).max(axis=1)
    baseline = float(np.median(own))
    if baseline <= stranger:
        raise UserError(f"Likeness cannot be measured: the photos are no more alike (cosine {baseline:.2f}) than strangers ({stranger:.2f}).", "dataset", "Check that all photos show one person.")
    return Reference(
        tuple(reading.name for reading in kept), embeddings_ND, yaws_N, stranger, baseline, _baselines_by_angle(embeddings_ND, yaws_N, baseline, stranger),
        float(np.quantile(nearest, USUAL_QUANTILE)), left_out,
    )  # fmt: skip


def likeness(reference: Reference, embedding: np.ndarray) -> float:
    """Against all photos, whatever their angle."""
    return _calibrated(_nearest_mean(reference.embeddings_ND @ embedding), reference.baseline, reference.stranger)


def likeness_at_angle(reference: Reference, reading: FaceReading) -> float:
    """Against photos within 25 degrees of the picture's yaw and by their own baseline where there are enough; else against all photos."""
    near = np.abs(reference.yaws_N - reading.yaw) <= SAME_ANGLE_DEGREES
    if near.sum() < FEWEST_AT_ANGLE:
        return likeness(reference, reading.embedding)
    return _calibrated(_nearest_mean(reference.embeddings_ND[near] @ reading.embedding), reference.baseline_by_angle[reading.angle], reference.stranger)


def photos_at_angle(reference: Reference, angle: Angle) -> int:
    """On either side: what one half of a face looks like from there says much of the other."""
    return sum(angle_of(yaw) == angle for yaw in reference.yaws_N)


def nearest_photo(reference: Reference, embedding: np.ndarray) -> NearestPhoto:
    cosines = reference.embeddings_ND @ embedding
    best = int(cosines.argmax())
    return NearestPhoto(reference.names[best], float(cosines[best]), float(cosines[best] - np.median(np.delete(cosines, best))))


def copy_score(picture: np.ndarray, held_out: np.ndarray, trained: np.ndarray) -> float:
    """(theta(g, h) - theta(g, t)) / theta(h, t), theta the angle between unit embeddings: 1 when the picture is the trained photo t, 0 when it is as far from t
    as from the held-out photo h, -1 when it is h (WithAnyone, arXiv 2510.14975, copy-paste metric)."""
    between = _radians(held_out, trained)
    return 0.0 if between < 1e-4 else (_radians(picture, held_out) - _radians(picture, trained)) / between


def _radians(one: np.ndarray, other: np.ndarray) -> float:
    return float(np.arccos(np.clip(one @ other, -1, 1)))


def _outliers(readings: Sequence[FaceReading], threshold: float) -> set[str]:
    if len(readings) < FEWEST_FOR_OUTLIERS:
        return set()
    cosines = _without_itself(np.stack([reading.embedding for reading in readings]) @ np.stack([reading.embedding for reading in readings]).T)
    return {reading.name for reading, row in zip(readings, cosines, strict=True) if np.median(row) < threshold}


def _baselines_by_angle(embeddings_ND: np.ndarray, yaws_N: np.ndarray, overall: float, stranger: float) -> dict[Angle, float]:
    """Median leave-one-out s of the photos of each angle, each against those within 25 degrees of it."""
    found: dict[Angle, float] = {}
    for angle in ANGLES:
        own = []
        for i in (i for i, yaw in enumerate(yaws_N.tolist()) if angle_of(yaw) == angle):
            near = (np.abs(yaws_N - yaws_N[i]) <= SAME_ANGLE_DEGREES) & (np.arange(len(yaws_N)) != i)
            if near.sum() >= FEWEST_AT_ANGLE:
                own.append(_nearest_mean(embeddings_ND[near] @ embeddings_ND[i]))
        median = float(np.median(own)) if len(own) >= FEWEST_FOR_BASELINE else overall
        found[angle] = median if median > stranger else overall
    return found


def _nearest_mean(cosines: np.ndarray) -> float:
    """s: mean of the k largest, of all where there are fewer."""
    return float(np.sort(cosines)[-NEAREST:].mean())


def _without_itself(cosines_NN: np.ndarray) -> np.ndarray:
    """(N, N - 1): the diagonal taken out."""
    return np.array([np.delete(row, i) for i, row in enumerate(cosines_NN)])


def _calibrated(cosine: float, baseline: float, stranger: float) -> float:
    return (cosine - stranger) / (baseline - stranger)
