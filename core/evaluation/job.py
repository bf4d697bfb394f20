"""What was asked of an evaluation, kept beside its grid from the start, so that what was stopped can go on."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from core.durable import write_json
from core.errors import UserError
from core.evaluation.grid import GRID_FILE, GRID_NAME_PATTERN, GridRequest, evaluations_folder, names_with
from core.evaluation.prompts import Prompt, fill
from core.evaluation.values import Value
from core.settings import EvaluationSettings, Settings

JOB_FILE = "job.json"
Aim = Literal["grid", "choose", "twins"]
AIM_WORDS: dict[Aim, str] = {"grid": "drawing the grid of", "choose": "drawing pictures to choose from of", "twins": "drawing pictures with and without the text encoder of"}


class EvaluationJob(Value):
    """grid: draw and measure. choose: find the best checkpoint and strength. twins: tell what the text encoder's part does."""

    aim: Aim
    request: GridRequest


def grid_request(settings: Settings, lora: str, prompts: Sequence[Prompt], strengths: tuple[float, ...], measured_by: EvaluationSettings | None = None) -> GridRequest:
    """A grid drawn as the run's samples are; {trigger} and {class} in the prompts are filled in. `measured_by` is today's choice of networks and of pictures in the card, by default the run's."""
    dataset, sampling, networks = settings.dataset, settings.sampling, measured_by or settings.evaluation
    return GridRequest(
        lora=lora,
        model_path=settings.model.path,
        prompts=fill(prompts, dataset.trigger_word, dataset.class_word),
        kinds=tuple(prompt.kind for prompt in prompts),
        dataset=dataset.folder,
        trigger_word=dataset.trigger_word,
        class_word=dataset.class_word,
        face_model=networks.face_model,
        text_image_model=networks.text_image_model,
        image_model=networks.image_model,
        card_grid=networks.card_grid,
        strengths=strengths,
        seed=sampling.seed,
        width=sampling.width or dataset.resolution,
        height=sampling.height or dataset.resolution,
        num_inference_steps=sampling.num_inference_steps,
        guidance_scale=sampling.guidance_scale,
        text_length=settings.model.text_length,
        precision=settings.model.precision,
    )


def save_job(job: EvaluationJob, name: str, output: Path) -> None:
    folder = evaluations_folder(output) / name
    folder.mkdir(parents=True, exist_ok=True)
    write_json(folder / JOB_FILE, job.model_dump(mode="json"))


def evaluation_names(output: Path) -> list[str]:
    """Names of all evaluations, newest first: also of one that has just begun, or failed before it had a grid."""
    return names_with(output, GRID_FILE, JOB_FILE)


def begun_last(output: Path) -> str | None:
    """The evaluation that was started or resumed last: the one at work, while one is. A first look is no evaluation of its own."""
    return next(iter(names_with(output, JOB_FILE)), None)


def load_job(name: str, output: Path) -> EvaluationJob:
    """Raises UserError for a name that is no evaluation here, or one that was made before jobs were kept."""
    folder = evaluations_folder(output)
    listed = {entry.name for entry in folder.iterdir() if GRID_NAME_PATTERN.match(entry.name)} if folder.is_dir() else set()
    file = folder / name / JOB_FILE if name in listed else None
    try:
        return EvaluationJob.model_validate_json(file.read_text(encoding="utf-8")) if file else _unknown(name, folder)
    except (OSError, ValueError) as error:
        raise UserError(f"'{name[:120]}' cannot go on: {error}", str(folder), "Draw a new one.") from None


def _unknown(name: str, folder: Path) -> EvaluationJob:
    raise UserError(f"There is no evaluation called '{name[:120]}'.", str(folder), "Choose one of the list.")
