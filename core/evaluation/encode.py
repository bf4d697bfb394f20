"""Prompts of a grid to embeddings: T5 and CLIP as they are, and CLIP with its LoRA at every strength where it has one."""

from __future__ import annotations

import torch
from torch import Tensor

from core.errors import Refused
from core.evaluation.grid import GridRequest
from core.flux.encode import PromptEmbeds, clip_ids, encode_prompt
from core.flux.lora import add_encoder_lora, set_lora_weights, strengths_per_picture
from core.flux.lora_file import LoraFile
from core.flux.model_folder import ModelFolder
from core.flux.models import Hardware, free_memory, load_clip, load_text_encoders


def encode_prompts(request: GridRequest, model: ModelFolder, hardware: Hardware) -> list[PromptEmbeds]:
    """One per prompt, by the untouched encoders."""
    encoders = load_text_encoders(model, hardware, request.text_length)
    embeds = [encode_prompt(encoders, prompt) for prompt in request.prompts]
    del encoders
    free_memory()
    return embeds


@torch.no_grad()
def pooled_of(encoder: dict[str, Tensor], request: GridRequest, lora: LoraFile, model: ModelFolder, hardware: Hardware) -> list[Tensor]:
    """For each prompt CLIP's pooled state with this LoRA at each strength, (strengths, D) on the CPU; empty where CLIP has none. Raises Refused when it does not fit."""
    if not encoder:
        return []
    tokenizer, clip = load_clip(model, hardware)
    rank = next(len(tensor) for name, tensor in encoder.items() if ".lora_A." in name)
    add_encoder_lora(clip, rank, rank, seed=0)
    try:
        set_lora_weights(clip, encoder)
    except ValueError as error:
        raise Refused(f"The text-encoder part of this LoRA does not fit the base model ({error}).", str(lora.path), "Choose the base model it was trained on (MODEL_PATH).") from None
    clip.eval()
    with strengths_per_picture(clip, request.strengths):
        pooled = [clip(clip_ids(tokenizer, [prompt] * len(request.strengths)).to(hardware.device)).pooler_output.cpu() for prompt in request.prompts]
    del clip
    free_memory()
    return pooled
