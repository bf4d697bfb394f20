"""StrengthGrid: which pictures are drawn, where they lie, and the labelled sheet of all of them. Pillow only."""

from __future__ import annotations

import re
import time
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont
from pydantic import BaseModel, ConfigDict, Field

from core.durable import write_json
from core.errors import UserError

STRENGTHS = (0.5, 0.8, 1.0, 1.2)
GRID_FILE = "grid.json"
SHEET_FILE = "grid.png"
GRID_NAME_PATTERN = re.compile(r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,120}$")


class Value(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class GridRequest(Value):
    """What to draw: every prompt at every strength, one seed per row. `lora` is a file name in the output folder."""

    lora: str
    model_path: str
    prompts: tuple[str, ...] = Field(min_length=1, max_length=24)
    strengths: tuple[float, ...] = Field(STRENGTHS, min_length=1, max_length=12)
    seed: int = Field(1234, ge=0, le=2**31 - 1)
    width: int = Field(512, ge=64, le=2048, multiple_of=16)
    height: int = Field(512, ge=64, le=2048, multiple_of=16)
    num_inference_steps: int = Field(20, ge=1, le=100)
    guidance_scale: float = Field(3.5, ge=1, le=20)
    text_length: int = Field(512, ge=16, le=512)
    precision: str = "auto"


class GridCell(Value):
    """`row` is the index of the prompt; `file` is relative to the grid's folder."""

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
        return len(self.cells) == len(self.request.prompts) * len(self.request.strengths)


def evaluations_folder(output: Path) -> Path:
    return output / "evaluations"


def save_grid(grid: StrengthGrid, output: Path) -> None:
    folder = evaluations_folder(output) / grid.name
    folder.mkdir(parents=True, exist_ok=True)
    write_json(folder / GRID_FILE, grid.model_dump(mode="json"))


def grid_names(output: Path) -> list[str]:
    """Names of all grids, newest first."""
    folder = evaluations_folder(output)
    if not folder.is_dir():
        return []
    found = [entry for entry in folder.iterdir() if GRID_NAME_PATTERN.match(entry.name) and (entry / GRID_FILE).is_file()]
    return [entry.name for entry in sorted(found, key=lambda entry: (entry / GRID_FILE).stat().st_mtime, reverse=True)]


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


def draw_sheet(grid: StrengthGrid, folder: Path) -> Image.Image:
    """One picture: a row per prompt with the prompt above it, a column per strength, cells not yet drawn left gray."""
    request = grid.request
    cell_width = max(160, min(512, request.width * max(1, 256 // request.width)))
    cell_height = round(cell_width * request.height / request.width)
    gap, head, line = 12, 44, 34
    columns, rows = len(request.strengths), len(request.prompts)
    sheet = Image.new("RGB", (gap + columns * (cell_width + gap), head + rows * (cell_height + line + gap) + gap), (250, 250, 249))
    pen = ImageDraw.Draw(sheet)
    for column, strength in enumerate(request.strengths):
        x = gap + column * (cell_width + gap) + cell_width // 2
        pen.text((x, head // 2), strength_label(strength), font=ImageFont.load_default(20), fill=(40, 40, 40), anchor="mm")
    for row, prompt in enumerate(request.prompts):
        top = head + row * (cell_height + line + gap)
        pen.text((gap, top + line // 2), _shortened(pen, prompt, sheet.width - 2 * gap), font=ImageFont.load_default(16), fill=(90, 90, 90), anchor="lm")
        for column, strength in enumerate(request.strengths):
            box = (gap + column * (cell_width + gap), top + line)
            _paste_cell(sheet, grid.cell(row, strength), folder, box, (cell_width, cell_height))
    return sheet


def _paste_cell(sheet: Image.Image, cell: GridCell | None, folder: Path, corner: tuple[int, int], size: tuple[int, int]) -> None:
    if cell is None:
        sheet.paste((225, 225, 223), (*corner, corner[0] + size[0], corner[1] + size[1]))
        return
    with Image.open(folder / cell.file) as picture:
        sheet.paste(picture.convert("RGB").resize(size, Image.Resampling.LANCZOS), corner)


def _shortened(pen: ImageDraw.ImageDraw, text: str, width: int) -> str:
    font = ImageFont.load_default(16)
    if pen.textlength(text, font=font) <= width:
        return text
    while text and pen.textlength(text + "...", font=font) > width:
        text = text[:-1]
    return text + "..."
