"""StrengthGrid: which pictures are drawn and where they lie. Rows are prompts, seeds or checkpoints; columns are strengths."""

from __future__ import annotations

import re
import time
from pathlib import Path

from pydantic import Field

from core.durable import write_json
from core.errors import UserError
from core.evaluation.prompts import PLAIN_KIND
from core.evaluation.values import Value

STRENGTHS = (0.5, 0.8, 1.0, 1.2)
GRID_FILE = "grid.json"
SHEET_FILE = "grid.png"
HTML_FILE = "grid.html"
GRID_NAME_PATTERN = re.compile(r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,120}$")
# What a row is drawn with: the LoRA file as it is, without its text encoder, or a checkpoint of its run.
FINAL, TRANSFORMER_ONLY = "final", "transformer-only"
# Seeds of one prompt lie this far apart, so that they never meet those of the next prompts.
SEED_STRIDE = 1000


class GridRow(Value):
    """One prompt and seed, drawn with one source."""

    prompt: int
    seed: int
    source: str = FINAL


class GridRequest(Value):
    """What to draw: every prompt with every seed and source at every strength. `lora` is a file name in the output folder.

    `kinds` says what each prompt tests; `dataset` is the folder of the person's photos, empty where it is not known; the three models are files of networks
    it is measured with besides the shipped ones; `card_grid` puts its pictures into the model card; `prompt_seeds` is the first seed of each, by default `seed` and the numbers after it.
    """

    lora: str
    model_path: str
    prompts: tuple[str, ...] = Field(min_length=1, max_length=24)
    kinds: tuple[str, ...] = ()
    dataset: str = ""
    trigger_word: str = ""
    class_word: str = ""
    face_model: str = ""
    text_image_model: str = ""
    image_model: str = ""
    card_grid: bool = False
    prompt_seeds: tuple[int, ...] = ()
    seeds_each: int = Field(1, ge=1, le=8)
    sources: tuple[str, ...] = Field((FINAL,), min_length=1, max_length=64)
    strengths: tuple[float, ...] = Field(STRENGTHS, min_length=1, max_length=12)
    seed: int = Field(1234, ge=0, le=2**31 - 1)
    width: int = Field(512, ge=64, le=2048, multiple_of=16)
    height: int = Field(512, ge=64, le=2048, multiple_of=16)
    num_inference_steps: int = Field(20, ge=1, le=100)
    guidance_scale: float = Field(3.5, ge=1, le=20)
    text_length: int = Field(512, ge=16, le=512)
    precision: str = "auto"

    @property
    def rows(self) -> tuple[GridRow, ...]:
        """Of each prompt all seeds, of each seed all sources, so that what differs stands side by side."""
        firsts = self.prompt_seeds or tuple(self.seed + number for number in range(len(self.prompts)))
        return tuple(
            GridRow(prompt=prompt, seed=firsts[prompt] + SEED_STRIDE * number, source=source) for prompt in range(len(self.prompts)) for number in range(self.seeds_each) for source in self.sources
        )

    def kind_of(self, prompt: int) -> str:
        return self.kinds[prompt] if self.kinds else PLAIN_KIND

    def only(self, prompts: list[int]) -> GridRequest:
        """The same with these prompts, each on the seeds it has here."""
        rows = {row.prompt: row.seed for row in reversed(self.rows)}
        return self.model_copy(
            update={"prompts": tuple(self.prompts[i] for i in prompts), "kinds": tuple(self.kind_of(i) for i in prompts), "prompt_seeds": tuple(rows[i] for i in prompts)}
        )


class GridCell(Value):
    """`row` is an index into the request's rows; `file` is relative to the grid's folder."""

    row: int
    seed: int
    strength: float
    file: str


class StrengthGrid(Value):
    """A grid as far as it is drawn; `name` is its folder under output/evaluations."""

    name: str
    created: float = Field(default_factory=time.time)
    request: GridRequest
    cells: tuple[GridCell, ...] = ()

    def cell(self, row: int, strength: float) -> GridCell | None:
        return next((cell for cell in self.cells if cell.row == row and cell.strength == strength), None)

    @property
    def finished(self) -> bool:
        return len(self.cells) == len(self.request.rows) * len(self.request.strengths)

    def row_label(self, row: int) -> str:
        """What tells this row from its neighbours, beside the prompt."""
        request, found = self.request, self.request.rows[row]
        parts = [source_label(found.source)] if len(request.sources) > 1 or found.source != FINAL else []
        return ", ".join([*parts, *([f"seed {found.seed}"] if request.seeds_each > 1 else [])])


def cell_file(row: int, strength: float) -> str:
    return f"row-{row:02d}-strength-{strength:g}.png"


def evaluations_folder(output: Path) -> Path:
    return output / "evaluations"


def save_grid(grid: StrengthGrid, output: Path) -> None:
    folder = evaluations_folder(output) / grid.name
    folder.mkdir(parents=True, exist_ok=True)
    write_json(folder / GRID_FILE, grid.model_dump(mode="json"))


def grid_names(output: Path) -> list[str]:
    """Names of all grids, newest first."""
    return names_with(output, GRID_FILE)


def names_with(output: Path, *files: str) -> list[str]:
    """Names of the evaluations that have one of these files at least, by the newest of them, newest first."""
    folder = evaluations_folder(output)
    if not folder.is_dir():
        return []
    times = {entry.name: [file.stat().st_mtime for file in map(entry.joinpath, files) if file.is_file()] for entry in folder.iterdir() if GRID_NAME_PATTERN.match(entry.name)}
    return sorted((name for name, found in times.items() if found), key=lambda name: max(times[name]), reverse=True)


def load_grid(name: str, output: Path) -> StrengthGrid:
    """Raises UserError for a name that is no grid here."""
    if name not in grid_names(output):
        raise UserError(f"There is no grid called '{name}'.", str(evaluations_folder(output)), "Choose one from the list.")
    file = evaluations_folder(output) / name / GRID_FILE
    try:
        return StrengthGrid.model_validate_json(file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise UserError(f"The record of this grid cannot be read: {error}", str(file), "Draw the grid again.") from None


def parse_strengths(text: str) -> tuple[float, ...]:
    """'0.5, 0.8 1.0' -> (0.5, 0.8, 1.0), each once and in order. Raises UserError outside -2 to 2."""
    try:
        values = [round(float(part), 3) for part in text.replace(",", " ").split()]
    except ValueError as error:
        raise UserError(f"The strengths cannot be read: {error}.", "strengths", "Write numbers such as 0.5 0.8 1.0 1.2.") from None
    if not values or any(not -2 <= value <= 2 for value in values):
        raise UserError(f"Strengths must lie between -2 and 2, and there must be one at least (given: {text!r}).", "strengths", "Write numbers such as 0.5 0.8 1.0 1.2.")
    return tuple(dict.fromkeys(values))


def strength_label(strength: float) -> str:
    """1.0 rather than 1; 0 is the base model."""
    if strength == 0:
        return "0 (base)"
    return f"{strength:.1f}" if round(strength, 1) == strength else f"{strength:g}"


def source_label(source: str) -> str:
    """step-001250 -> step 1250."""
    if source.startswith("step-"):
        return f"step {int(source.removeprefix('step-'))}"
    return {FINAL: "as trained", TRANSFORMER_ONLY: "without its text encoder"}[source]
