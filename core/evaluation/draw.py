"""Draws one row of a grid: one prompt and seed, all strengths in one forward where memory allows."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import torch

from core.evaluation.grid import GridCell, StrengthGrid, cell_file
from core.flux.encode import PromptEmbeds, decode_latents
from core.flux.model_folder import ModelFolder
from core.flux.models import Hardware, free_memory, load_vae
from core.flux.sampler import Drawing, draw_latents


class RowGivenUp(Exception):
    """Raised inside the sampler to leave a half-drawn row."""


def draw_row(
    row: int, prompt: PromptEmbeds, grid: StrengthGrid, transformer, model: ModelFolder, hardware: Hardware, folder: Path, should_stop: Callable[[], bool], note: Callable[[str], None]
) -> Iterator[GridCell]:
    """The cells of this row that are missing, each as soon as it is written. Out of memory halves the strengths per forward instead of failing."""

    def give_up_when_asked() -> None:
        if should_stop():
            raise RowGivenUp

    request, seed = grid.request, grid.request.rows[row].seed
    missing = [number for number, strength in enumerate(request.strengths) if grid.cell(row, strength) is None]
    drawing = Drawing(request.width, request.height, request.num_inference_steps, request.guidance_scale)
    at_once, latents = len(missing), []
    while len(latents) < len(missing):
        part = missing[len(latents) : len(latents) + at_once]
        ran_out = False
        try:
            strengths = [request.strengths[number] for number in part]
            latents += draw_latents(transformer, prompt.rows(part), seed, strengths, drawing, hardware, give_up_when_asked).split(1)
        except torch.OutOfMemoryError:
            if at_once == 1:
                raise
            ran_out = True
        if ran_out:  # outside the except block, whose traceback holds the tensors
            at_once = (at_once + 1) // 2
            free_memory()
            note(f"Not enough memory for {len(part)} strengths at once; drawing {at_once} at a time.")
    vae = load_vae(model, hardware)
    for number, latent in zip(missing, latents, strict=True):
        cell = GridCell(row=row, seed=seed, strength=request.strengths[number], file=cell_file(row, request.strengths[number]))
        decode_latents(vae, latent)[0].save(folder / cell.file)
        yield cell
    del vae
    free_memory()
