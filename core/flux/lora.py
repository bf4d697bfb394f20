"""LoRA on FLUX: where it attaches, float32 weights, dropout between A and B, and a strength of its own for every picture of a batch."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Sequence

import torch
import torch.nn.functional as F
from diffusers import FluxTransformer2DModel
from peft import LoraConfig
from peft.utils import get_peft_model_state_dict, set_peft_model_state_dict
from torch import Tensor, nn

from core.errors import Refused

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


def add_lora(transformer: FluxTransformer2DModel, rank: int, alpha: float, targets: str, seed: int) -> list[nn.Parameter]:
    """Attach a LoRA that changes nothing yet (B is zero) and return its parameters, float32 whatever the base is."""
    torch.manual_seed(seed)
    transformer.requires_grad_(False)
    transformer.add_adapter(LoraConfig(r=rank, lora_alpha=alpha, target_modules=TARGETS[targets], init_lora_weights=True), adapter_name=ADAPTER)
    parameters = []
    for name, parameter in transformer.named_parameters():
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


def add_dropout(transformer: nn.Module, share: float) -> None:
    """Switch off a share of the units between A and B while training (kohya's network_dropout)."""

    def drop(module: nn.Module, inputs: tuple[Tensor]) -> tuple[Tensor]:
        return (F.dropout(inputs[0], share, module.training),)

    for module in _lora_b_modules(transformer):
        module.register_forward_pre_hook(drop)


@contextlib.contextmanager
def strengths_per_picture(transformer: nn.Module, strengths_B: Sequence[float]) -> Iterator[None]:
    """Inside, picture i of every batch sees the LoRA at strengths_B[i]; a batch must have that many pictures."""

    def scale(_: nn.Module, __: tuple[Tensor], output: Tensor) -> Tensor:
        factor = torch.tensor(strengths_B, dtype=output.dtype, device=output.device)
        return output * factor.view(-1, *[1] * (output.dim() - 1))

    hooks = [module.register_forward_hook(scale) for module in _lora_b_modules(transformer)]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def lora_weights(transformer: FluxTransformer2DModel) -> dict[str, Tensor]:
    """peft's names (transformer_blocks.0.attn.to_q.lora_A.weight ...) to float32 tensors on the CPU."""
    return {name: tensor.detach().float().cpu().contiguous() for name, tensor in get_peft_model_state_dict(transformer, adapter_name=ADAPTER).items()}


def set_lora_weights(transformer: FluxTransformer2DModel, weights: dict[str, Tensor]) -> None:
    """The inverse of lora_weights. Raises ValueError when names or shapes differ."""
    expected = {name: tuple(tensor.shape) for name, tensor in lora_weights(transformer).items()}
    given = {name: tuple(tensor.shape) for name, tensor in weights.items()}
    if expected != given:
        raise ValueError(f"{len(expected.keys() ^ given.keys())} names and {sum(given.get(n, s) != s for n, s in expected.items())} shapes differ")
    set_peft_model_state_dict(transformer, weights, adapter_name=ADAPTER)


def _lora_b_modules(transformer: nn.Module) -> list[nn.Module]:
    return [module for name, module in transformer.named_modules() if name.endswith(f".lora_B.{ADAPTER}")]
