"""The blocks' modulation computed ahead, so that its weights can stay on the host: 27 % of FLUX.1-dev's weights do nothing else.

It depends on noise level, guidance and pooled prompt alone, which a seeded training and a sampler know long before. Not for LoRAs that
adapt the modulation, nor while the text encoder is trained.
Shapes: B pictures, D pooled width, h hidden width, K outputs of a modulation: 6 h in a double block (one for each stream), 3 h in a single block.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from diffusers import FluxTransformer2DModel
from torch import Tensor, nn

MODULATED = ("norm1", "norm1_context", "norm")


@dataclass(frozen=True)
class Conditions:
    """What the modulation of one forward pass depends on: noise levels (B,), pooled prompts (B, D), guidance scale."""

    sigma_B: Tensor
    pooled_prompt_embeds_BD: Tensor
    guidance_scale: float

    @property
    def key(self) -> bytes:
        return b"|".join(tensor.detach().float().cpu().numpy().tobytes() for tensor in (self.sigma_B, self.pooled_prompt_embeds_BD, torch.tensor(self.guidance_scale)))


class HostLinear(nn.Module):
    """A frozen linear layer whose weights stay on the host and visit the device for each use."""

    def __init__(self, linear: nn.Linear) -> None:
        super().__init__()
        tensors = (linear.weight.detach().cpu(), linear.bias.detach().cpu())
        # Plain attributes: model.to(device) shall not move them.
        self.host = [tensor.pin_memory() if linear.weight.is_cuda else tensor for tensor in tensors]

    def forward(self, x_Bh: Tensor) -> Tensor:
        return self.each([x_Bh])[0]

    def each(self, inputs: Sequence[Tensor]) -> list[Tensor]:
        """Outputs for each input (B, h), one product each, so that they are those of a single call; one visit for all."""
        weight, bias = (tensor.to(inputs[0].device, non_blocking=True) for tensor in self.host)
        return [F.linear(x.to(weight.dtype), weight, bias) for x in inputs]


class ModulationTable:
    """Rows by conditions, kept on the host until they are needed."""

    def __init__(self) -> None:
        self._rows: dict[bytes, list[Tensor]] = {}

    def get(self, conditions: Conditions, device: torch.device) -> list[Tensor] | None:
        rows = self._rows.get(conditions.key)
        return None if rows is None else [row.to(device, non_blocking=True) for row in rows]

    def has(self, conditions: Conditions) -> bool:
        return conditions.key in self._rows

    def replace(self, conditions: Sequence[Conditions], columns: Sequence[Sequence[Tensor]]) -> None:
        """`columns` holds, per modulation, the rows of all conditions; only these are kept."""
        self._rows = {one.key: list(rows) for one, rows in zip(conditions, zip(*columns, strict=True), strict=True)}


def modulation_linears(transformer: FluxTransformer2DModel) -> list[nn.Module]:
    """In the order the blocks use them: both streams of each double block, image first, then the single blocks."""
    double = [linear for block in transformer.transformer_blocks for linear in (block.norm1.linear, block.norm1_context.linear)]
    return double + [block.norm.linear for block in transformer.single_transformer_blocks]


def move_modulation_to_host(block: nn.Module) -> None:
    """Call it on a block before its linears are quantized."""
    for name in MODULATED:
        norm = getattr(block, name, None)
        if isinstance(getattr(norm, "linear", None), nn.Linear):
            norm.linear = HostLinear(norm.linear)


def table_of(transformer: FluxTransformer2DModel) -> ModulationTable | None:
    """None where the modulation is on the device."""
    if not isinstance(modulation_linears(transformer)[0], HostLinear):
        return None
    if not hasattr(transformer, "modulation_table"):
        transformer.modulation_table = ModulationTable()
    return transformer.modulation_table


def modulate(transformer: FluxTransformer2DModel, embedding_Bh: Tensor, conditions: Conditions) -> list[Tensor]:
    """Every modulation's output, (B, K) each: from the table where it was looked up ahead, else computed now."""
    table = table_of(transformer)
    rows = table.get(conditions, embedding_Bh.device) if table else None
    activated = F.silu(embedding_Bh)
    return rows or [linear(activated) for linear in modulation_linears(transformer)]


@torch.no_grad()
def look_up(transformer: FluxTransformer2DModel, upcoming: Sequence[Conditions], embed: Callable[[Conditions], Tensor]) -> None:
    """Fill the table for these forward passes and no others; nothing to do where the modulation is on the device. `embed` gives (B, h)."""
    table = table_of(transformer)
    if table is None or all(table.has(one) for one in upcoming):
        return
    activated = [F.silu(embed(one)) for one in upcoming]
    table.replace(upcoming, [[row.cpu() for row in linear.each(activated)] for linear in modulation_linears(transformer)])
