"""Draws a strength grid: prompts x strengths, one seed per row, all strengths of a row in one forward where memory allows."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import torch

from core.errors import Refused
from core.evaluation.grid import SHEET_FILE, GridCell, GridRequest, StrengthGrid, draw_sheet, evaluations_folder, save_grid
from core.events import ImageSaved, Phase, ReportSaved, RunEvent, RunFinished, RunStarted, RunStopped, Warned
from core.flux.encode import PromptEmbeds, clip_ids, decode_latents, encode_prompt
from core.flux.lora import add_encoder_lora, add_lora, set_lora_weights, strengths_per_picture, targets_of
from core.flux.lora_file import LoraFile, load_encoder_weights, load_lora_weights, read_lora_header
from core.flux.model_folder import ModelFolder, open_model_folder
from core.flux.models import Hardware, choose_hardware, free_memory, load_clip, load_text_encoders, load_transformer, load_vae, quiet_libraries
from core.flux.sampler import Drawing, draw_latents


class _Stopped(Exception):
    """Raised inside the sampler to leave a half-drawn row."""


def evaluate(request: GridRequest, name: str, output: Path, should_stop: Callable[[], bool]) -> Iterator[RunEvent]:
    """Draw the grid into output/evaluations/<name>; every finished row is kept when stopped. Raises UserError."""
    began = time.monotonic()
    quiet_libraries()
    yield RunStarted(job="evaluate", name=name, steps=len(request.prompts))
    model, hardware = open_model_folder(Path(request.model_path)), choose_hardware(request.precision)
    lora = read_lora_header(output / request.lora)
    trained_on = lora.own.get("model")
    if trained_on and trained_on != model.fingerprint:
        yield Warned(what="This LoRA was trained on another base model than the one it is drawn with.")
    yield Phase(what="Encoding prompts")
    embeds = encode_for_grid(request, lora, model, hardware)
    yield Phase(what="Loading transformer")
    transformer = transformer_with(lora, model, hardware)
    grid = StrengthGrid(name=name, request=request)
    save_grid(grid, output)
    for row, prompt in enumerate(embeds):
        yield Phase(what="Drawing", done=row, total=len(embeds))
        try:
            cells, notes = _draw_row(row, prompt, request, transformer, model, hardware, evaluations_folder(output) / name, should_stop)
        except _Stopped:
            break
        grid = grid.model_copy(update={"cells": grid.cells + tuple(cells)})
        save_grid(grid, output)
        yield from (Warned(what=note) for note in notes)
        for cell in cells:
            yield ImageSaved(step=row, prompt=request.prompts[row], strength=cell.strength, seed=cell.seed, file=f"evaluations/{name}/{cell.file}")
    folder = evaluations_folder(output) / name
    draw_sheet(grid, folder).save(folder / SHEET_FILE)
    yield ReportSaved(what="grid", file=f"evaluations/{name}/{SHEET_FILE}")
    seconds = time.monotonic() - began
    yield RunFinished(seconds=seconds) if grid.finished else RunStopped(step=len(grid.cells) // len(request.strengths), seconds=seconds)


def transformer_with(lora: LoraFile, model: ModelFolder, hardware: Hardware):
    """The transformer with this LoRA at scale 1. Raises Refused when it does not fit the model."""
    transformer = load_transformer(model, hardware)
    add_lora(transformer, lora.rank, lora.rank, targets_of(lora.targets), seed=0)
    try:
        set_lora_weights(transformer, load_lora_weights(lora))
    except ValueError as error:
        raise Refused(f"This LoRA does not fit the base model ({error}).", str(lora.path), "Choose the base model it was trained on (MODEL_PATH).") from None
    return transformer.requires_grad_(False).eval()


def encode_for_grid(request: GridRequest, lora: LoraFile, model: ModelFolder, hardware: Hardware) -> list[PromptEmbeds]:
    """One per prompt; where the LoRA has a text encoder, CLIP's part holds one row per strength."""
    encoders = load_text_encoders(model, hardware, request.text_length)
    embeds = [encode_prompt(encoders, prompt) for prompt in request.prompts]
    del encoders
    free_memory()
    if lora.encoder_rank:
        pooled = _pooled_by_strength(request, lora, model, hardware)
        embeds = [PromptEmbeds(plain.prompt_embeds, rows) for plain, rows in zip(embeds, pooled, strict=True)]
    return embeds


@torch.no_grad()
def _pooled_by_strength(request: GridRequest, lora: LoraFile, model: ModelFolder, hardware: Hardware) -> list[torch.Tensor]:
    """For each prompt CLIP's pooled state with its LoRA at each strength, (strengths, D) on the CPU."""
    tokenizer, clip = load_clip(model, hardware)
    add_encoder_lora(clip, lora.encoder_rank, lora.encoder_rank, seed=0)
    try:
        set_lora_weights(clip, load_encoder_weights(lora))
    except ValueError as error:
        raise Refused(f"The text-encoder part of this LoRA does not fit the base model ({error}).", str(lora.path), "Choose the base model it was trained on (MODEL_PATH).") from None
    clip.eval()
    with strengths_per_picture(clip, request.strengths):
        pooled = [clip(clip_ids(tokenizer, [prompt] * len(request.strengths)).to(hardware.device)).pooler_output.cpu() for prompt in request.prompts]
    del clip
    free_memory()
    return pooled


def _draw_row(
    row: int, prompt: PromptEmbeds, request: GridRequest, transformer, model: ModelFolder, hardware: Hardware, folder: Path, should_stop: Callable[[], bool]
) -> tuple[list[GridCell], list[str]]:
    """Cells of one row, and notes for the log. Out of memory halves the strengths per forward instead of failing."""

    def give_up_when_asked() -> None:
        if should_stop():
            raise _Stopped

    drawing = Drawing(request.width, request.height, request.num_inference_steps, request.guidance_scale)
    seed, at_once, notes = request.seed + row, len(request.strengths), []
    latents: list[torch.Tensor] = []
    while len(latents) < len(request.strengths):
        rows = slice(len(latents), len(latents) + at_once)
        part = request.strengths[rows]
        ran_out = False
        try:
            latents += draw_latents(transformer, prompt.rows(rows), seed, part, drawing, hardware, give_up_when_asked).split(1)
        except torch.OutOfMemoryError:
            if at_once == 1:
                raise
            ran_out = True
        if ran_out:  # outside the except block, whose traceback holds the tensors
            at_once = (at_once + 1) // 2
            free_memory()
            notes.append(f"Not enough memory for {len(part)} strengths at once; drawing {at_once} at a time.")
    vae = load_vae(model, hardware)
    cells = []
    for strength, latent in zip(request.strengths, latents, strict=True):
        cell = GridCell(row=row, seed=seed, strength=strength, file=f"row-{row:02d}-strength-{strength:g}.png")
        decode_latents(vae, latent)[0].save(folder / cell.file)
        cells.append(cell)
    del vae
    free_memory()
    return cells, notes
