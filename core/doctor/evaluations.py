"""The measures of a run's newest evaluation: of the checkpoint and strength it recommends, else of the LoRA as it is published, at full strength."""

from __future__ import annotations

import contextlib
from pathlib import Path

from core.errors import UserError
from core.evaluation.choice import load_choice
from core.evaluation.grid import FINAL, evaluations_folder, grid_names, load_grid
from core.evaluation.run_of import run_of
from core.evaluation.scores import SCORES_FILE, Configuration, load_scores
from core.evaluation.values import Measure
from core.runs import Run

FULL_STRENGTH = 1.0


def measures_of_run(run: Run, output: Path) -> dict[str, Measure]:
    """By name; empty where the run was never evaluated. An evaluation that cannot be read is passed over."""
    for name in grid_names(output):
        with contextlib.suppress(UserError):
            found = _judged(name, run, output)
            if found:
                return {measure.name: measure for measure in found.measures}
    return {}


def evaluations_stamp(output: Path) -> int:
    """Changes with the newest evaluation."""
    files = evaluations_folder(output).glob(f"*/{SCORES_FILE}") if evaluations_folder(output).is_dir() else ()
    return max((file.stat().st_mtime_ns for file in files), default=0)


def _judged(name: str, run: Run, output: Path) -> Configuration | None:
    """None for a grid of another run, or one that was not measured."""
    made_by = run_of(load_grid(name, output).request.lora, output)
    scores = load_scores(name, output) if made_by and made_by.name == run.name else None
    if scores is None or not scores.configurations:
        return None
    choice = load_choice(name, output)
    candidate = choice and (choice.recommendation.chosen or choice.recommendation.least_bad)
    wanted = (candidate.source, candidate.strength) if candidate else (FINAL, FULL_STRENGTH)
    published = [found for found in scores.configurations if found.source == FINAL] or list(scores.configurations)
    exact = [found for found in scores.configurations if (found.source, found.strength) == wanted]
    return exact[0] if exact else min(published, key=lambda found: abs(found.strength - FULL_STRENGTH))
