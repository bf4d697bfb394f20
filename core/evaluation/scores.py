"""GridScores: everything that was measured of a grid, as it stands in scores.json, and the measures of one configuration."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from core.errors import UserError
from core.evaluation.copies import measure_copies, measure_copy_score
from core.evaluation.flexibility import AdherenceScale, measure_adherence, measure_brittleness, measure_diversity
from core.evaluation.grid import evaluations_folder
from core.evaluation.leak import measure_class_leak, measure_second_person
from core.evaluation.person_measures import measure_angles, measure_face_rate, measure_likeness, measure_pose, of_the_person
from core.evaluation.surface import measure_sharpness, measure_skin
from core.evaluation.values import Measure, PictureScore, Value

SCORES_FILE = "scores.json"
Vectors = dict[tuple[int, int], np.ndarray]


class Configuration(Value):
    """A source at a strength, with what was measured of its pictures."""

    source: str
    strength: float
    measures: tuple[Measure, ...]

    def measure(self, name: str) -> Measure:
        return next(measure for measure in self.measures if measure.name == name)


class GridScores(Value):
    """`left_out` are photos (name, why) that are no part of the reference; `read_by` names the networks; `scale` is what a loss of adherence means."""

    scores: tuple[PictureScore, ...]
    configurations: tuple[Configuration, ...]
    photos: int
    left_out: tuple[tuple[str, str], ...] = ()
    notes: tuple[str, ...] = ()
    read_by: tuple[str, ...] = ()
    own_nearest: float | None = None
    least_adherence: float | None = None

    def of(self, source: str, strength: float) -> list[PictureScore]:
        return [score for score in self.scores if score.source == source and score.strength == strength]

    def base(self) -> dict[tuple[int, int], PictureScore]:
        return base_of(self.scores)


def base_of(scores: Sequence[PictureScore]) -> dict[tuple[int, int], PictureScore]:
    """The base model's picture of every prompt and seed."""
    return {score.key: score for score in scores if score.strength == 0}


def measures_of(scores: Sequence[PictureScore], vectors: Mapping[tuple[str, float], Vectors], skins: Sequence[float], scale: AdherenceScale | None, how: str) -> tuple[Configuration, ...]:
    """All measures of every source and strength but the base model. `vectors` are of each configuration's pictures, `skins` of the photos."""
    base = base_of(scores)
    base_vectors: Vectors = {key: vector for (_, strength), found in vectors.items() if strength == 0 for key, vector in found.items()}
    found = []
    for source, strength in dict.fromkeys((score.source, score.strength) for score in scores if score.strength):
        mine = [score for score in scores if score.source == source and score.strength == strength]
        found.append(
            Configuration(
                source=source, strength=strength,
                measures=(
                    measure_likeness(mine), measure_face_rate(mine), measure_angles(mine), measure_pose(mine), measure_copies(mine), measure_copy_score(mine, base), measure_class_leak(mine, base),
                    measure_second_person(mine), measure_adherence(mine, base, scale), measure_diversity(_of_person(vectors[source, strength], mine), base_vectors, how), measure_brittleness(mine),
                    measure_skin(mine, skins), measure_sharpness(mine, base),
                ),
            )
        )  # fmt: skip
    return tuple(found)


def _of_person(vectors: Vectors, scores: Sequence[PictureScore]) -> Vectors:
    """Those of the person's prompts: the class and paintings are other matters."""
    keys = {score.key for score in of_the_person(scores)}
    return {key: vector for key, vector in vectors.items() if key in keys}


def load_scores(name: str, output: Path) -> GridScores | None:
    """None for a grid that was not measured. `name` must come from grid_names. Raises UserError for a damaged file."""
    file = evaluations_folder(output) / name / SCORES_FILE
    try:
        return GridScores.model_validate_json(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise UserError(f"The scores of this grid cannot be read: {error}", str(file), "Measure it again: resume the grid.") from None
