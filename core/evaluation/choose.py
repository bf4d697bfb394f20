"""The job that recommends: a first look at all checkpoints on few prompts, a closer one at the best few at several strengths, then the choice, written down."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

from core.dataset.subjects import CACHE_FOLDER
from core.durable import write_json
from core.errors import UserError
from core.evaluation.choice import CHOICE_FILE, Choice, first_look_name, sources_of
from core.evaluation.evaluate import draw_and_measure, start_or_go_on
from core.evaluation.grid import GridRequest, StrengthGrid, evaluations_folder
from core.evaluation.prompts import Prompt, first_look
from core.evaluation.publish import publish
from core.evaluation.recommend import Recommendation, best_sources, recommend
from core.evaluation.scores import GridScores, load_scores
from core.events import ReportSaved, RunEvent, RunFinished, RunStarted, RunStopped
from core.flux.models import quiet_libraries

FIRST_LOOK_STRENGTHS = (0.0, 1.0)
FIRST_LOOK_SEEDS, CLOSER_SEEDS = 2, 2
CLOSER_SOURCES = 3
# Beyond this the first look takes every second or third checkpoint.
MOST_FIRST_SOURCES = 12
LIKENESS_MISSING = "Nothing can be recommended: likeness was not measured."


def choose(request: GridRequest, name: str, output: Path, should_stop: Callable[[], bool], cache: Path = CACHE_FOLDER) -> Iterator[RunEvent]:
    """Draw, measure, recommend, publish. `request` holds all prompts and strengths; its sources are found here. Stop keeps what is drawn, the same name goes on."""
    began = time.monotonic()
    quiet_libraries()
    steps = _thinned(sources_of(request.lora, output))
    closer = request.model_copy(update={"strengths": _with_base(request.strengths), "seeds_each": max(request.seeds_each, CLOSER_SEEDS)})
    yield RunStarted(job="evaluate", name=name, steps=len(closer.rows))

    def stopped(grid: StrengthGrid) -> RunStopped:
        return RunStopped(step=len(grid.cells), seconds=time.monotonic() - began)

    if len(steps) > 1:
        numbers = first_look([Prompt(text, request.kind_of(number)) for number, text in enumerate(request.prompts)])
        first = closer.only(numbers).model_copy(update={"sources": tuple(steps), "strengths": FIRST_LOOK_STRENGTHS, "seeds_each": FIRST_LOOK_SEEDS})
        grid = yield from draw_and_measure(start_or_go_on(first_look_name(name), first, output), output, should_stop, cache)
        if not grid.finished or should_stop():
            yield stopped(grid)
            return
        closer = closer.model_copy(update={"sources": tuple(best_sources(_scores(grid, output), steps, CLOSER_SOURCES))})
    else:
        closer = closer.model_copy(update={"sources": tuple(steps)})
    grid = yield from draw_and_measure(start_or_go_on(name, closer, output), output, should_stop, cache)
    if not grid.finished or should_stop():
        yield stopped(grid)
        return
    yield from _decide(grid, steps, output)
    yield RunFinished(seconds=time.monotonic() - began)


def _decide(grid: StrengthGrid, steps: dict[str, int], output: Path) -> Iterator[RunEvent]:
    scores = _scores(grid, output)
    found = _recommendation(scores, steps)
    file = publish(found, scores, grid, output) if found.chosen else ""
    choice = Choice(lora=grid.request.lora, recommendation=found, file=file)
    write_json(evaluations_folder(output) / grid.name / CHOICE_FILE, choice.model_dump(mode="json"))
    if file:
        yield ReportSaved(what="lora", file=file)


def _recommendation(scores: GridScores, steps: dict[str, int]) -> Recommendation:
    try:
        return recommend(scores, steps)
    except ValueError:
        raise UserError(LIKENESS_MISSING, "evaluation", " ".join(scores.notes) or "Evaluate a LoRA whose photos are still there.") from None


def _scores(grid: StrengthGrid, output: Path) -> GridScores:
    scores = load_scores(grid.name, output)
    assert scores is not None, "a finished grid was measured"
    return scores


def _thinned(steps: dict[str, int]) -> dict[str, int]:
    """Evenly, the last one kept."""
    stride = -(-len(steps) // MOST_FIRST_SOURCES)
    kept = list(steps)[::-1][::stride][::-1]
    return {source: steps[source] for source in kept}


def _with_base(strengths: tuple[float, ...]) -> tuple[float, ...]:
    return strengths if 0 in strengths else (0.0, *strengths)
