"""Did training the text encoder help? A LoRA against itself without its text-encoder part, on the same prompts and seeds."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from core.errors import UserError
from core.evaluation.flexibility import adherence_gain
from core.evaluation.grid import FINAL, TRANSFORMER_ONLY, evaluations_folder
from core.evaluation.person_measures import counted_likeness, of_the_person
from core.evaluation.scores import GridScores
from core.evaluation.values import Value

TWIN_FILE = "twins.json"
TWIN_STRENGTH = 1.0
BOOTSTRAPS, BOOTSTRAP_SEED = 1000, 20251128
# A difference is said to be one when it is twice its standard error.
SURE = 2.0


class TwinVerdict(Value):
    """Differences with the text-encoder part less without, each with one standard error; adherence is None where it was not measured."""

    pictures: int
    likeness: float
    likeness_error: float
    adherence: float | None
    adherence_error: float | None
    sentence: str


def load_twins(name: str, output: Path) -> TwinVerdict | None:
    """None where no twins were compared. `name` must come from grid_names. Raises UserError for a damaged file."""
    file = evaluations_folder(output) / name / TWIN_FILE
    try:
        return TwinVerdict.model_validate_json(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise UserError(f"The comparison cannot be read: {error}", str(file), "Compare again.") from None


def compare_twins(scores: GridScores, strength: float) -> TwinVerdict | None:
    """None where no picture was measured with both."""
    ours, theirs = ({score.key: score for score in of_the_person(scores.of(source, strength))} for source in (FINAL, TRANSFORMER_ONLY))
    keys = [key for key in sorted(ours.keys() & theirs.keys()) if counted_likeness(ours[key]) is not None and counted_likeness(theirs[key]) is not None]
    if not keys:
        return None
    likeness, error = _paired([(key[0], counted_likeness(ours[key]) - counted_likeness(theirs[key])) for key in keys])
    base = scores.base()
    gains = [(key[0], gain - other) for key in keys if (gain := adherence_gain(ours[key], base)) is not None and (other := adherence_gain(theirs[key], base)) is not None]
    adherence, adherence_error = _paired(gains) if gains else (None, None)
    return TwinVerdict(
        pictures=len(keys), likeness=likeness, likeness_error=error, adherence=adherence, adherence_error=adherence_error, sentence=_sentence(len(keys), likeness, error, adherence, adherence_error)
    )


def _paired(differences: list[tuple[int, float]]) -> tuple[float, float]:
    """Mean over prompts of each prompt's mean, and its bootstrap standard error over prompts and the pictures within them."""
    prompts = [np.array([value for number, value in differences if number == prompt]) for prompt in dict.fromkeys(number for number, _ in differences)]
    generator = np.random.default_rng(BOOTSTRAP_SEED)
    means = []
    for _ in range(BOOTSTRAPS):
        drawn = generator.integers(0, len(prompts), len(prompts))
        means.append(np.mean([generator.choice(prompts[i], len(prompts[i])).mean() for i in drawn]))
    return float(np.mean([values.mean() for values in prompts])), float(np.std(means))


def _sentence(pictures: int, likeness: float, error: float, adherence: float | None, adherence_error: float | None) -> str:
    if abs(likeness) <= SURE * error:
        verdict = "The text encoder made no difference to the likeness that could be told from chance"
    else:
        verdict = f"The text encoder {'helped' if likeness > 0 else 'harmed'} the likeness"
    side = ""
    if adherence is not None and adherence_error is not None:
        matters = abs(adherence) > SURE * adherence_error and adherence != 0
        side = f"; prompts were followed {'better' if adherence > 0 else 'worse'} with it ({adherence:+.3f} +- {adherence_error:.3f})" if matters else "; prompts were followed as well without it"
    return f"{verdict}: {likeness:+.2f} +- {error:.2f} over {pictures} pairs of pictures{side}."
