"""Puts the transformer of a run into memory as a plan says, and into a thriftier one when the device has run out."""

from __future__ import annotations

import psutil
import torch
from diffusers import FluxTransformer2DModel
from torch import nn

from core.flux.forward import checkpoint_blocks
from core.flux.int8 import quantize_linears
from core.flux.lora import add_dropout, add_lora, keep_gelu, lora_weights, set_lora_weights
from core.flux.model_folder import ModelFolder
from core.flux.models import Hardware, empty_transformer, free_memory, load_transformer
from core.flux.modulation import move_modulation_to_host
from core.settings import Settings
from core.training.adam8 import AdamW8bit
from core.training.memory import Forecast, MemoryPlan, ModelShape
from core.training.preflight import ladder
from core.training.prepare import Material
from core.training.state import TrainState


def shape_of(model: ModelFolder) -> ModelShape:
    """Sizes of the transformer from its configuration, without its weights."""
    empty = empty_transformer(model)
    shape = ModelShape(model.double_blocks, model.single_blocks, model.hidden, empty.config.num_attention_heads, 0)
    parameters = sum(parameter.numel() for parameter in empty.parameters())
    return ModelShape(shape.double_blocks, shape.single_blocks, shape.hidden, shape.heads, parameters - shape.linear_parameters)


def free_bytes(hardware: Hardware) -> int:
    """Of the device's memory, now."""
    if hardware.device.type == "cuda":
        return torch.cuda.mem_get_info()[0]
    return psutil.virtual_memory().available


def rungs_for(settings: Settings, shape: ModelShape, tokens: int, free: int, hardware: Hardware) -> list[tuple[MemoryPlan, Forecast]]:
    """The plans that fit into `free` bytes, best first; `tokens` are those of the largest picture with its caption. Raises Refused when none fits."""
    train = settings.train
    # Its weights are read anew where it is adapted, and its input changes at each step while the text encoder is trained.
    hosts_modulation = hardware.device.type == "cuda" and settings.lora.targets != "blocks" and not settings.trains_text_encoder
    return ladder(
        shape, free, 2 if hardware.dtype == torch.bfloat16 else 4, settings.lora.rank, settings.lora.targets, tokens,
        train.batch_size * train.gradient_accumulation_steps, settings.model.base, settings.model.gradient_checkpointing, hosts_modulation, settings.optimizer.kind == "adamw8bit",
    )  # fmt: skip


def most_tokens(material: Material) -> int:
    """Of the largest picture with its caption."""
    text = next(iter(material.embeds.values())).prompt_embeds.shape[1]
    return text + max(photo.latents.mean[0, 0].numel() // 4 for photo in [*material.photos, *material.class_photos])


def place_transformer(plan: MemoryPlan, settings: Settings, model: ModelFolder, hardware: Hardware) -> tuple[FluxTransformer2DModel, list[nn.Parameter]]:
    """The transformer in the plan's precision and checkpointing, with a LoRA that changes nothing yet."""

    def finish(block: nn.Module) -> None:
        if plan.modulation_on_host:
            move_modulation_to_host(block)
        if plan.int8_base:
            quantize_linears(block, settings.model.int8_products)

    transformer = load_transformer(model, hardware, finish)
    parameters = add_lora(transformer, settings.lora.rank, settings.lora.alpha, settings.lora.targets, settings.train.seed)
    if settings.lora.dropout:
        add_dropout(transformer, settings.lora.dropout)
    checkpoint_blocks(transformer, plan.checkpointed)
    keep_gelu(transformer, plan.keeps_gelu)
    return transformer, parameters


def new_optimizer(parameters: list[nn.Parameter], settings: Settings) -> torch.optim.Optimizer:
    """Fused: the other kinds copy the whole LoRA at each step, or take a dozen small operations for each layer."""
    if settings.optimizer.kind == "adamw8bit":
        return AdamW8bit(parameters, settings.optimizer.learning_rate, weight_decay=settings.optimizer.weight_decay)
    return torch.optim.AdamW(parameters, settings.optimizer.learning_rate, weight_decay=settings.optimizer.weight_decay, fused=True)


def relay(state: TrainState, plan: MemoryPlan, settings: Settings, model: ModelFolder, hardware: Hardware) -> None:
    """Go over to another plan in mid-run; weights, moments and step stay what they are."""
    if (plan.int8_base, plan.modulation_on_host) == (state.plan.int8_base, state.plan.modulation_on_host):
        checkpoint_blocks(state.transformer, plan.checkpointed)
        keep_gelu(state.transformer, plan.keeps_gelu)
    else:
        weights, moments = lora_weights(state.transformer), state.optimizer.state_dict()
        del state.transformer, state.parameters, state.optimizer
        free_memory()
        state.transformer, state.parameters = place_transformer(plan, settings, model, hardware)
        set_lora_weights(state.transformer, weights)
        state.optimizer = new_optimizer(state.parameters, settings)
        state.optimizer.load_state_dict(moments)
    state.plan = plan
    free_memory()
