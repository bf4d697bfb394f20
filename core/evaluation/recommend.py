"""Which checkpoint at which strength: gates, a utility with its uncertainty, and among equals the least trained and weakest.

Utility of a picture is .7 min(max(likeness, 0), 1.1) + .3 clip(1 + loss of adherence / (2 x the least allowed), 0, 1): nothing is gained by more likeness than
the person's own photos have. A configuration's score is the mean of that less a quarter of its brittleness. Uncertainty is a bootstrap over prompts and the
seeds within them, with the same draws for every configuration, so that what the prompts have in common cancels in differences. Among configurations whose
score lies within one standard error of the best one's (Breiman et al., Classification and Regression Trees, 1984, section 3.4.3), the smallest step x strength is taken.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from core.evaluation.flexibility import adherence_gain
from core.evaluation.person_measures import counted_likeness, of_the_person
from core.evaluation.scores import Configuration, GridScores
from core.evaluation.values import Value

LIKENESS_WEIGHT, ADHERENCE_WEIGHT, BRITTLENESS_WEIGHT = 0.7, 0.3, 0.25
LARGEST_LIKENESS = 1.1
BOOTSTRAPS, BOOTSTRAP_SEED = 1000, 20251128
# The step of a file that no run here tells of: its strengths are compared among themselves.
UNKNOWN_STEP = 1
# A measure of these that calls a fault closes the gate, so that what the page calls a fault and what keeps a LoRA back are one. What was not measured closes none.
GATES = ("likeness", "face rate", "carbon copy", "pose obedience", "skin detail", "sharpness", "prompt adherence")


class Candidate(Value):
    """A source at a strength as it was judged. `error` is one standard error of `score`, `behind` that of its distance to the best; `failed` names the gates it did not pass."""

    source: str
    step: int
    strength: float
    score: float
    error: float
    behind: float
    likeness: float
    likeness_error: float
    failed: tuple[str, ...] = ()

    @property
    def dose(self) -> float:
        return self.step * self.strength


class Recommendation(Value):
    """`chosen` is None when no configuration is good enough; then `least_bad` is what came nearest. `why` is one sentence for people."""

    chosen: Candidate | None
    runner_up: Candidate | None
    least_bad: Candidate | None
    margin: float | None
    why: str
    candidates: tuple[Candidate, ...]


@dataclass(frozen=True, eq=False)
class _Table:
    """Utility and likeness of one configuration as (prompts, seeds) arrays."""

    utility_PS: np.ndarray
    likeness_PS: np.ndarray


def recommend(scores: GridScores, steps: Mapping[str, int]) -> Recommendation:
    """`steps` gives the step of each source. Pictures that were not drawn for all configurations are left out of the comparison. Raises ValueError where likeness was measured nowhere."""
    least = scores.least_adherence
    tables = _tables(scores, least)
    if not tables:
        raise ValueError("likeness was not measured")
    draws = _draws(*next(iter(tables.values())).utility_PS.shape)
    boot = {key: _score(table.utility_PS[draws], table.likeness_PS[draws]) for key, table in tables.items()}
    plain = {key: float(_score(table.utility_PS[None], table.likeness_PS[None])[0]) for key, table in tables.items()}
    failed = {key: _failed(_configuration(scores, key)) for key in tables}
    passing = [key for key in tables if not failed[key]]
    pool = passing or [key for key in tables if len(failed[key]) == min(map(len, failed.values()))]
    best = max(pool, key=lambda key: plain[key])
    found = {
        key: Candidate(
            source=key[0], step=steps[key[0]], strength=key[1], score=plain[key], error=float(boot[key].std()), behind=float((boot[best] - boot[key]).std()),
            likeness=float(table.likeness_PS.mean()), likeness_error=float(table.likeness_PS[draws].mean(axis=(1, 2)).std()), failed=failed[key],
        ) for key, table in tables.items()
    }  # fmt: skip
    ranked = sorted(found.values(), key=lambda candidate: -candidate.score)
    equals = [found[key] for key in pool if plain[best] - plain[key] <= found[key].behind]
    chosen = min(equals, key=lambda candidate: (candidate.dose, candidate.step))
    if not passing:
        return Recommendation(chosen=None, runner_up=None, least_bad=chosen, margin=None, why=_none_words(chosen), candidates=tuple(ranked))
    others = [found[key] for key in passing if found[key] != chosen]
    runner_up = max(others, key=lambda candidate: candidate.score, default=None)
    return Recommendation(
        chosen=chosen, runner_up=runner_up, least_bad=None, margin=chosen.score - runner_up.score if runner_up else None, why=_words(chosen, found[best], len(equals), len(tables) - len(passing)),
        candidates=tuple(ranked),
    )  # fmt: skip


def best_sources(scores: GridScores, steps: Mapping[str, int], count: int) -> list[str]:
    """After the first look: the sources worth a closer one, by their best score, those that fail fewest gates first."""
    found = recommend(scores, steps).candidates
    order = sorted(found, key=lambda candidate: (len(candidate.failed), -candidate.score))
    return sorted(list(dict.fromkeys(candidate.source for candidate in order))[:count], key=lambda source: steps[source])


def utility(likeness: float, gain: float | None, least: float | None) -> float:
    """Of one picture. Where adherence was not measured, likeness has all the weight, so that scores stay on one scale."""
    own = min(max(likeness, 0.0), LARGEST_LIKENESS)
    if gain is None or least is None:
        return own
    return LIKENESS_WEIGHT * own + ADHERENCE_WEIGHT * float(np.clip(1 + gain / (2 * abs(least)), 0, 1))


def _tables(scores: GridScores, least: float | None) -> dict[tuple[str, float], _Table]:
    base = scores.base()
    values: dict[tuple[str, float], dict[tuple[int, int], tuple[float, float]]] = {}
    for configuration in scores.configurations:
        mine = of_the_person(scores.of(configuration.source, configuration.strength))
        values[configuration.source, configuration.strength] = {
            score.key: (utility(likeness, adherence_gain(score, base), least), min(max(likeness, 0.0), LARGEST_LIKENESS)) for score in mine if (likeness := counted_likeness(score)) is not None
        }
    values = {key: found for key, found in values.items() if found}
    shared = sorted(set.intersection(*(set(found) for found in values.values()))) if values else []
    if not shared:
        return {}
    by_prompt = [[key for key in shared if key[0] == prompt] for prompt in dict.fromkeys(prompt for prompt, _ in shared)]
    fewest = min(map(len, by_prompt))
    order = [keys[:fewest] for keys in by_prompt]
    return {key: _Table(*(np.array([[found[picture][i] for picture in keys] for keys in order]) for i in (0, 1))) for key, found in values.items()}


def _draws(prompts: int, seeds: int) -> tuple[np.ndarray, np.ndarray]:
    """Indices (B, P, S) of prompts and of seeds within them, drawn with replacement."""
    generator = np.random.default_rng(BOOTSTRAP_SEED)
    rows = generator.integers(0, prompts, (BOOTSTRAPS, prompts, 1))
    columns = generator.integers(0, seeds, (BOOTSTRAPS, prompts, seeds))
    return np.broadcast_to(rows, columns.shape), columns


def _score(utility_BPS: np.ndarray, likeness_BPS: np.ndarray) -> np.ndarray:
    return utility_BPS.mean(axis=(1, 2)) - BRITTLENESS_WEIGHT * likeness_BPS.mean(axis=2).std(axis=1)


def _configuration(scores: GridScores, key: tuple[str, float]) -> Configuration:
    return next(found for found in scores.configurations if (found.source, found.strength) == key)


def _failed(configuration: Configuration) -> tuple[str, ...]:
    return tuple(name for name in GATES if configuration.measure(name).verdict == "bad")


def _words(chosen: Candidate, best: Candidate, equals: int, gated: int) -> str:
    rule = "has the highest score" if chosen == best else f"is as good as the highest score ({best.score:.2f}) within one standard error; of the {equals} that are it takes the fewest steps x strength"
    gate = f" {gated} of the others fail a gate." if gated else ""
    return f"It {rule}.{gate}"


def _none_words(candidate: Candidate) -> str:
    return f"None is good enough. The nearest fails: {', '.join(candidate.failed)}."
