"""What was recommended of a run, as it stands in choice.json; and the sources there are to choose from."""

from __future__ import annotations

from pathlib import Path

from core.errors import UserError
from core.evaluation.grid import FINAL, evaluations_folder
from core.evaluation.recommend import UNKNOWN_STEP, Recommendation
from core.evaluation.run_of import run_of
from core.evaluation.values import Value

CHOICE_FILE = "choice.json"


class Choice(Value):
    """`file` is the LoRA file the recommendation was written into, empty where none is good enough."""

    lora: str
    recommendation: Recommendation
    file: str = ""


def first_look_name(name: str) -> str:
    """Of the grid with which the search for the best strength begins."""
    return f"{name}-first-look"


def load_choice(name: str, output: Path) -> Choice | None:
    """None where nothing was recommended from this grid. `name` must come from grid_names. Raises UserError for a damaged file."""
    file = evaluations_folder(output) / name / CHOICE_FILE
    try:
        return Choice.model_validate_json(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise UserError(f"The recommendation cannot be read: {error}", str(file), "Evaluate the run again.") from None


def sources_of(lora: str, output: Path) -> dict[str, int]:
    """Step of each checkpoint of the run this file was made by, oldest first, and of the file itself, last. A checkpoint that is the file is left out."""
    run = run_of(lora, output)
    if run is None or Path(lora).name != run.lora_file.name:
        return {FINAL: UNKNOWN_STEP}
    found = {folder.name: step for step, folder in reversed(run.checkpoints())}
    events = run.log.read()[0]
    last = max((event.step for event in events if event.kind in ("step", "checkpoint")), default=run.settings.train.steps)
    last = next((event.best_step for event in reversed(events) if event.kind == "stopped_early"), last)
    return {source: step for source, step in found.items() if step != last} | {FINAL: last}
