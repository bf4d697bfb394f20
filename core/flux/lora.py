"""LoRA on FLUX: where it attaches, float32 weights, dropout between A and B, and a strength of its own for every picture of a batch."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Sequence

import torch
from diffusers import FluxTransformer2DModel
from peft import LoraConfig
from peft.utils import get_peft_model_state_dict, set_peft_model_state_dict
from torch import Tensor, nn
from transformers import CLIPTextModel

from core.errors import Refused
from core.flux.adapted import LoraLinear, cast_factors

ADAPTER = "default"
_ATTENTION = r"attn\.(?:to_q|to_k|to_v|to_out\.0|add_q_proj|add_k_proj|add_v_proj|to_add_out)"
_MLP = r"ff\.net\.(?:0\.proj|2)|ff_context\.net\.(?:0\.proj|2)|proj_mlp|proj_out"
_MODULATION = r"norm\.linear|norm1\.linear|norm1_context\.linear"
_BLOCK = r"(?:single_)?transformer_blocks\.\d+\."
TARGETS = {
    "attn": f"{_BLOCK}(?:{_ATTENTION})",
    "attn-mlp": f"{_BLOCK}(?:{_ATTENTION}|{_MLP})",
    "blocks": f"{_BLOCK}(?:{_ATTENTION}|{_MLP}|{_MODULATION})",
}
CLIP_TARGETS = r"encoder\.layers\.\d+\.(?:self_attn\.(?:q_proj|k_proj|v_proj|out_proj)|mlp\.(?:fc1|fc2))"


def add_lora(transformer: FluxTransformer2DModel, rank: int, alpha: float, targets: str, seed: int) -> list[nn.Parameter]:
    """Attach a LoRA that changes nothing yet (B is zero) and return its parameters, float32 whatever the base is."""
    return _attach(transformer, rank, alpha, TARGETS[targets], seed)


def add_encoder_lora(clip: CLIPTextModel, rank: int, alpha: float, seed: int) -> list[nn.Parameter]:
    """The same on every linear layer of CLIP's blocks."""
    return _attach(clip, rank, alpha, CLIP_TARGETS, seed)


def _attach(model: FluxTransformer2DModel | CLIPTextModel, rank: int, alpha: float, pattern: str, seed: int) -> list[nn.Parameter]:
    torch.manual_seed(seed)
    model.requires_grad_(False)
    config = LoraConfig(r=rank, lora_alpha=alpha, target_modules=pattern, init_lora_weights=True)
    config._register_custom_module({nn.Linear: LoraLinear})
    model.add_adapter(config, adapter_name=ADAPTER)
    parameters = []
    for name, parameter in model.named_parameters():
        if ".lora_A." in name or ".lora_B." in name:
            parameter.data = parameter.data.float()
            parameter.requires_grad_(True)
            parameters.append(parameter)
    return parameters


def targets_of(modules: frozenset[str]) -> str:
    """The smallest target set whose pattern takes in every named module."""
    for name, pattern in TARGETS.items():
        if all(re.fullmatch(pattern, module) for module in modules):
            return name
    raise Refused("This LoRA changes layers that are never trained here.", "LoRA file", "Choose a LoRA of the attention and MLP layers of FLUX's blocks.")


@contextlib.contextmanager
def without_lora(transformer: FluxTransformer2DModel) -> Iterator[None]:
    """Inside, the transformer is the base model, bit for bit."""
    transformer.disable_adapters()
    try:
        yield
    finally:
        transformer.enable_adapters()


def add_dropout(model: nn.Module, share: float) -> None:
    """Switch off a share of the units between A and B while training (kohya's network_dropout)."""
    for layer in _lora_layers(model):
        layer.dropout = share


def keep_gelu(model: nn.Module, kept: bool) -> None:
    """Whether results of GELU are kept for the backward pass (more memory) or computed again."""
    for layer in _lora_layers(model):
        layer.keeps_gelu = kept


@contextlib.contextmanager
def products_in(model: nn.Module, dtype: torch.dtype) -> Iterator[None]:
    """Around the forward and backward passes of one step: the LoRA in the dtype of its products, cast once. In float32 there is nothing to cast."""
    with contextlib.nullcontext() if dtype == torch.float32 else cast_factors(_lora_layers(model), dtype):
        yield


@contextlib.contextmanager
def strengths_per_picture(model: nn.Module, strengths_B: Sequence[float]) -> Iterator[None]:
    """Inside, picture i of every batch sees the LoRA at strengths_B[i]; a batch must have that many pictures."""
    layers = _lora_layers(model)
    strengths = torch.tensor(strengths_B, device=next(model.parameters()).device)
    for layer in layers:
        layer.strengths_B = strengths
    try:
        yield
    finally:
        for layer in layers:
            layer.strengths_B = None


def lora_weights(model: FluxTransformer2DModel | CLIPTextModel) -> dict[str, Tensor]:
    """peft's names (transformer_blocks.0.attn.to_q.lora_A.weight ...) to float32 copies on the CPU."""
    return {name: tensor.detach().to("cpu", torch.float32, copy=True).contiguous() for name, tensor in get_peft_model_state_dict(model, adapter_name=ADAPTER).items()}


def set_lora_weights(model: FluxTransformer2DModel | CLIPTextModel, weights: dict[str, Tensor]) -> None:
    """The inverse of lora_weights. Raises ValueError when names or shapes differ."""
    expected = {name: tuple(tensor.shape) for name, tensor in lora_weights(model).items()}
    given = {name: tuple(tensor.shape) for name, tensor in weights.items()}
    if expected != given:
        raise ValueError(f"{len(expected.keys() ^ given.keys())} names and {sum(given.get(n, s) != s for n, s in expected.items())} shapes differ")
    set_peft_model_state_dict(model, weights, adapter_name=ADAPTER)


def _lora_layers(model: nn.Module) -> list[LoraLinear]:
    return [module for module in model.modules() if isinstance(module, LoraLinear)]
