"""Does what an evaluation job asks for."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from core.dataset.subjects import CACHE_FOLDER
from core.durable import write_json
from core.evaluation.choose import choose
from core.evaluation.evaluate import evaluate
from core.evaluation.grid import FINAL, TRANSFORMER_ONLY, evaluations_folder
from core.evaluation.job import EvaluationJob
from core.evaluation.scores import load_scores
from core.evaluation.twin import TWIN_FILE, TWIN_STRENGTH, compare_twins
from core.events import RunEvent, RunFinished


def perform(job: EvaluationJob, name: str, output: Path, should_stop: Callable[[], bool], cache: Path = CACHE_FOLDER) -> Iterator[RunEvent]:
    """Every file under output/evaluations/<name>. Raises UserError."""
    match job.aim:
        case "grid":
            yield from evaluate(job.request, name, output, should_stop, cache)
        case "choose":
            yield from choose(job.request, name, output, should_stop, cache)
        case "twins":
            yield from _twins(job, name, output, should_stop, cache)


def _twins(job: EvaluationJob, name: str, output: Path, should_stop: Callable[[], bool], cache: Path) -> Iterator[RunEvent]:
    request = job.request.model_copy(update={"sources": (FINAL, TRANSFORMER_ONLY), "strengths": (0.0, TWIN_STRENGTH)})
    for event in evaluate(request, name, output, should_stop, cache):
        if isinstance(event, RunFinished) and (scores := load_scores(name, output)) and (verdict := compare_twins(scores, TWIN_STRENGTH)):
            write_json(evaluations_folder(output) / name / TWIN_FILE, verdict.model_dump(mode="json"))
        yield event
