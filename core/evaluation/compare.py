"""Several evaluations in one table: for the command's screen, as JSON, and in the page's history."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from core.errors import UserError
from core.evaluation.choice import Choice, load_choice
from core.evaluation.grid import StrengthGrid, grid_names, load_grid, source_label, strength_label
from core.evaluation.scores import Configuration, GridScores, load_scores
from core.evaluation.twin import TwinVerdict, load_twins

FULL_STRENGTH = 1.0


@dataclass(frozen=True)
class Evaluation:
    """All that is kept of one evaluation; parts are None where they were not made."""

    grid: StrengthGrid
    scores: GridScores | None
    choice: Choice | None
    twins: TwinVerdict | None

    @property
    def lora(self) -> str:
        return Path(self.grid.request.lora).name

    @property
    def headline(self) -> Configuration | None:
        """The recommended configuration, else the last source at the strength nearest to 1."""
        if self.scores is None or not self.scores.configurations:
            return None
        chosen = self.choice.recommendation.chosen or self.choice.recommendation.least_bad if self.choice else None
        if chosen:
            return next(found for found in self.scores.configurations if (found.source, found.strength) == (chosen.source, chosen.strength))
        last = [found for found in self.scores.configurations if found.source == self.grid.request.sources[-1]]
        return min(last, key=lambda found: abs(found.strength - FULL_STRENGTH))


def load_evaluation(name: str, output: Path) -> Evaluation:
    """Raises UserError for a name that is none here, or a damaged file."""
    return Evaluation(load_grid(name, output), load_scores(name, output), load_choice(name, output), load_twins(name, output))


def evaluations_of(names: list[str], output: Path) -> list[Evaluation]:
    """By their own names, or the newest one of a run or LoRA by its name. Raises UserError for a name that is neither."""
    kept = grid_names(output)
    return [load_evaluation(name if name in kept else _newest_of(name, kept, output), output) for name in names]


def table_rows(evaluations: list[Evaluation]) -> list[list[str]]:
    """A head, then a row per evaluation: name, what it says, and every measure of it."""
    measured = [(evaluation, evaluation.headline) for evaluation in evaluations]
    names = list(dict.fromkeys(measure.name for _, headline in measured if headline for measure in headline.measures))
    rows = [["evaluation", "checkpoint", "strength", *names]]
    for evaluation, headline in measured:
        if headline is None:
            rows.append([evaluation.grid.name, "not measured", "", *[""] * len(names)])
            continue
        values = {measure.name: "not measured" if measure.value is None else f"{measure.value:.2f}" for measure in headline.measures}
        rows.append([evaluation.grid.name, source_label(headline.source), strength_label(headline.strength), *(values.get(name, "") for name in names)])
    return rows


def as_text(rows: list[list[str]]) -> str:
    """Measures down, evaluations across: there are more of the first."""
    turned = list(zip(*rows, strict=True))
    widths = [max(len(row[column]) for row in turned) for column in range(len(rows))]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in turned)


def as_json(evaluations: list[Evaluation]) -> list[dict[str, object]]:
    return [
        {
            "name": evaluation.grid.name, "lora": evaluation.lora,
            "configurations": [found.model_dump(mode="json") for found in evaluation.scores.configurations] if evaluation.scores else [],
            "recommendation": evaluation.choice.recommendation.model_dump(mode="json") if evaluation.choice else None, "twins": evaluation.twins.model_dump(mode="json") if evaluation.twins else None,
        } for evaluation in evaluations
    ]  # fmt: skip


def headline_words(evaluation: Evaluation) -> str:
    """One line for the history."""
    if evaluation.choice:
        chosen = evaluation.choice.recommendation.chosen
        return f"{source_label(chosen.source)} at {strength_label(chosen.strength)}, likeness {chosen.likeness:.2f}" if chosen else "none is good enough"
    if evaluation.twins:
        return evaluation.twins.sentence
    headline = evaluation.headline
    likeness = headline.measure("likeness").value if headline else None
    return f"likeness {likeness:.2f} at {strength_label(headline.strength)}" if headline and likeness is not None else "not measured"


def _newest_of(name: str, kept: list[str], output: Path) -> str:
    stem = Path(name).name.removesuffix(".safetensors")
    for candidate in kept:
        if Path(load_grid(candidate, output).request.lora).stem == stem:
            return candidate
    raise UserError(f"'{name[:120]}' is neither an evaluation nor a run that was evaluated.", str(output), f"Evaluations here: {', '.join(kept[:10]) or 'none yet'}.")
