"""The job of a strength grid: draws what is missing, row by row, then measures it and writes the sheets. Stop keeps what is done, resume fills the rest."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

from PIL import Image

from core.dataset.subjects import CACHE_FOLDER
from core.durable import write_atomic
from core.errors import Refused
from core.evaluation.base_pictures import BasePictures
from core.evaluation.draw import RowGivenUp, draw_row
from core.evaluation.encode import encode_prompts, pooled_of
from core.evaluation.grid import HTML_FILE, SHEET_FILE, GridCell, GridRequest, StrengthGrid, cell_file, evaluations_folder, grid_names, load_grid, save_grid
from core.evaluation.score import score_grid
from core.evaluation.sheet import draw_sheet, sheet_page
from core.evaluation.sources import read_source
from core.events import ImageSaved, Phase, ReportSaved, RunEvent, RunFinished, RunStarted, RunStopped, Warned
from core.flux.encode import PromptEmbeds
from core.flux.lora import add_lora, set_lora_weights, targets_of
from core.flux.lora_file import LoraFile, read_lora_header
from core.flux.model_folder import ModelFolder, open_model_folder
from core.flux.models import Hardware, choose_hardware, free_memory, load_transformer, quiet_libraries

CHOOSE_ITS_BASE = "Choose the base model it was trained on (MODEL_PATH)."


def evaluate(request: GridRequest, name: str, output: Path, should_stop: Callable[[], bool], cache: Path = CACHE_FOLDER) -> Iterator[RunEvent]:
    """Draw the grid into output/evaluations/<name> and measure it; a grid of that name and request goes on where it was. Raises UserError."""
    began = time.monotonic()
    quiet_libraries()
    grid = start_or_go_on(name, request, output)
    cells = len(request.rows) * len(request.strengths)
    yield RunStarted(job="evaluate", name=name, first_step=len(grid.cells), steps=cells)
    for item in draw_missing(grid, output, should_stop, cache):
        if isinstance(item, StrengthGrid):
            grid = item
        else:
            yield item
    yield from finish(grid, output, should_stop, cache)
    seconds = time.monotonic() - began
    yield RunFinished(seconds=seconds) if grid.finished and not should_stop() else RunStopped(step=len(grid.cells), seconds=seconds)


def start_or_go_on(name: str, request: GridRequest, output: Path) -> StrengthGrid:
    """The grid of that name as far as it is drawn. Raises Refused when it was another request's."""
    if name not in grid_names(output):
        return StrengthGrid(name=name, request=request)
    grid = load_grid(name, output)
    if grid.request != request:
        raise Refused(f"There is a grid called '{name}' already, of other prompts or settings.", str(evaluations_folder(output)), "Draw a new one, or resume that one with its own settings.")
    folder = evaluations_folder(output) / name
    return grid.model_copy(update={"cells": tuple(cell for cell in grid.cells if _is_whole(folder / cell.file))})


def draw_missing(grid: StrengthGrid, output: Path, should_stop: Callable[[], bool], cache: Path) -> Iterator[RunEvent | StrengthGrid]:
    """Yields events, and the grid each time it has grown. Whole rows in the order of their sources, so that each source is loaded once."""
    request, folder = grid.request, evaluations_folder(output) / grid.name
    model, hardware = open_model_folder(Path(request.model_path)), choose_hardware(request.precision)
    lora = read_lora_header(output / request.lora)
    yield from _warnings(lora, model)
    save_grid(grid, output)
    base = BasePictures(cache / "base-pictures", model.fingerprint, str(hardware.dtype))
    for row, cells in _from_cache(grid, base, folder):
        grid = _grown(grid, cells, output)
        yield grid
        yield from _saved(grid, row, cells)
    if grid.finished:
        return
    yield Phase(what="Encoding prompts")
    plain = encode_prompts(request, model, hardware)
    sources = [source for source in request.sources if _missing_rows(grid, source)]
    pooled = {source: pooled_of(read_source(source, lora, output).encoder, request, lora, model, hardware) for source in sources}
    yield Phase(what="Loading transformer")
    transformer = transformer_with(lora, model, hardware)
    for source in sources:
        yield Phase(what="Drawing", done=len(grid.cells), total=len(request.rows) * len(request.strengths))
        load_source(transformer, source, lora, output)
        for row in _missing_rows(grid, source):
            number = request.rows[row].prompt
            prompt = PromptEmbeds(plain[number].prompt_embeds, pooled[source][number]) if pooled[source] else plain[number]
            notes: list[str] = []
            try:
                for cell in draw_row(row, prompt, grid, transformer, model, hardware, folder, should_stop, notes.append):
                    grid = _grown(grid, [cell], output)
                    yield grid
                    yield from _saved(grid, row, [cell])
                    if cell.strength == 0:
                        base.keep(request, request.prompts[number], cell.seed, folder / cell.file)
            except RowGivenUp:
                return
            yield from (Warned(what=note) for note in notes)
            yield Phase(what="Drawing", done=len(grid.cells), total=len(request.rows) * len(request.strengths))


def finish(grid: StrengthGrid, output: Path, should_stop: Callable[[], bool], cache: Path) -> Iterator[RunEvent]:
    """Measures what is drawn, and writes both sheets."""
    folder = evaluations_folder(output) / grid.name
    scores = None
    if grid.cells:
        free_memory()
        for item in score_grid(grid, output, should_stop, cache):
            if isinstance(item, Phase | Warned):
                yield item
            else:
                scores = item
    draw_sheet(grid, folder, scores).save(folder / SHEET_FILE)
    write_atomic(folder / HTML_FILE, sheet_page(grid, folder, scores).encode())
    yield ReportSaved(what="grid", file=f"evaluations/{grid.name}/{SHEET_FILE}")


def transformer_with(lora: LoraFile, model: ModelFolder, hardware: Hardware):
    """The transformer with a LoRA of this file's shape at scale 1, its weights still to come."""
    transformer = load_transformer(model, hardware)
    add_lora(transformer, lora.rank, lora.rank, targets_of(lora.targets), seed=0)
    return transformer.requires_grad_(False).eval()


def load_source(transformer, source: str, lora: LoraFile, output: Path) -> None:
    """Raises Refused when it does not fit the model."""
    try:
        set_lora_weights(transformer, read_source(source, lora, output).transformer)
    except ValueError as error:
        raise Refused(f"This LoRA does not fit the base model ({error}).", str(lora.path), CHOOSE_ITS_BASE) from None


def _warnings(lora: LoraFile, model: ModelFolder) -> Iterator[RunEvent]:
    trained_on = lora.own.get("model")
    if trained_on and trained_on != model.fingerprint:
        yield Warned(what="This LoRA was trained on another base model than the one it is drawn with.")


def _from_cache(grid: StrengthGrid, base: BasePictures, folder: Path) -> Iterator[tuple[int, list[GridCell]]]:
    """The base model's pictures that other grids have drawn already. Rows that differ in their source alone share one."""
    request = grid.request
    if 0 not in request.strengths:
        return
    for number, row in enumerate(request.rows):
        kept = base.find(request, request.prompts[row.prompt], row.seed) if grid.cell(number, 0.0) is None else None
        if kept:
            cell = GridCell(row=number, seed=row.seed, strength=0.0, file=cell_file(number, 0.0))
            (folder / cell.file).write_bytes(kept.read_bytes())
            yield number, [cell]


def _missing_rows(grid: StrengthGrid, source: str) -> list[int]:
    request = grid.request
    return [number for number, row in enumerate(request.rows) if row.source == source and any(grid.cell(number, strength) is None for strength in request.strengths)]


def _grown(grid: StrengthGrid, cells: list[GridCell], output: Path) -> StrengthGrid:
    grid = grid.model_copy(update={"cells": grid.cells + tuple(cells)})
    save_grid(grid, output)
    return grid


def _saved(grid: StrengthGrid, row: int, cells: list[GridCell]) -> Iterator[RunEvent]:
    prompt = grid.request.prompts[grid.request.rows[row].prompt]
    for cell in cells:
        yield ImageSaved(step=row, prompt=prompt, strength=cell.strength, seed=cell.seed, file=f"evaluations/{grid.name}/{cell.file}")


def _is_whole(file: Path) -> bool:
    try:
        with Image.open(file) as picture:
            picture.load()
        return True
    except OSError:
        return False
