"""How much device memory a training needs, from the sizes of the model, the LoRA and the photos.

Symbols: h width of the model, r rank, T tokens of one picture (image and text), S tokens of one forward.
Activation figures are counted, not estimated: saved tensors of the real blocks, fitted exactly (docs/experiments.md); a test counts again.
"""

from __future__ import annotations

from dataclasses import dataclass

GIB = 2**30
# What a block keeps for its backward pass, per token (core.flux.forward): values per unit of h and of r, bytes per head and at all.
_SAVED = {"double": (14, 6, 4, 8), "single": (12, 5, 4, 4)}
# The same per unit of h for the input of the layer after GELU, where that is kept too.
_GELU = {"double": 4, "single": 5}
# Weights of a block in units of h^2: those a token passes, and the modulation.
_PASSED = {"double": 24, "single": 12}
_MODULATION = {"double": 12, "single": 3}
# Inputs plus outputs of a block's adapted layers, in units of h, by target set.
_ADAPTED = {"attn": {"double": 16, "single": 6}, "attn-mlp": {"double": 36, "single": 17}, "blocks": {"double": 50, "single": 21}}
# What allocators lose between blocks, as a share of all that moves; and what libraries take once (workspaces of products and attention).
LOST = 0.04
WORKSPACE = 0.35 * GIB


@dataclass(frozen=True)
class ModelShape:
    """Sizes of a FLUX transformer; `other_parameters` are those outside the blocks' linear layers."""

    double_blocks: int
    single_blocks: int
    hidden: int
    heads: int
    other_parameters: int

    @property
    def blocks(self) -> dict[str, int]:
        return {"double": self.double_blocks, "single": self.single_blocks}

    @property
    def linear_parameters(self) -> int:
        """Of the blocks' linear layers, without biases."""
        return sum(count * (_PASSED[kind] + _MODULATION[kind]) for kind, count in self.blocks.items()) * self.hidden**2


@dataclass(frozen=True)
class MemoryPlan:
    """How a training is laid out in memory. `checkpointed` counts the blocks that are computed again; `micro_batch` is pictures per forward.

    With `keeps_gelu` the results of GELU are kept for the backward pass instead of computed again.
    """

    int8_base: bool
    checkpointed: int
    micro_batch: int
    modulation_on_host: bool = False
    keeps_gelu: bool = False


@dataclass(frozen=True)
class Forecast:
    """Bytes on the device at the peak of a step, by what they are for."""

    weights: int
    lora: int
    activations: int
    working: int

    @property
    def total(self) -> int:
        return self.weights + self.lora + self.activations + self.working


def forecast(shape: ModelShape, plan: MemoryPlan, bytes_per_value: int, rank: int, targets: str, tokens: int, adam8: bool = False) -> Forecast:
    """Peak of a training step; `tokens` are those of one picture with its caption, `bytes_per_value` is 2 for bf16 and 4 for float32."""
    forward_tokens = tokens * plan.micro_batch
    saved = {kind: saved_by_block(kind, shape, rank, forward_tokens, bytes_per_value, plan.keeps_gelu) for kind in shape.blocks}
    kept_whole = _kept_whole(shape, plan.checkpointed)
    inputs = plan.checkpointed * forward_tokens * shape.hidden * bytes_per_value
    activations = sum(kept_whole[kind] * saved[kind] for kind in saved) + inputs
    # The backward pass holds one block's gradients beside what it saved, and recomputes one block where it is checkpointed.
    largest = max(saved.values())
    working = largest * (2 if plan.checkpointed else 1) + _widest_layer(shape, plan) + WORKSPACE
    moving = activations + working
    # Beside its float32 weights a LoRA has a copy in bfloat16 for its products.
    lora = lora_bytes(shape, rank, targets, adam8) + (bytes_per_value * lora_parameters(shape, rank, targets) if bytes_per_value < 4 else 0)
    return Forecast(base_bytes(shape, plan.int8_base, bytes_per_value, plan.modulation_on_host), lora, round(activations), round(working + LOST * moving))


def saved_by_block(kind: str, shape: ModelShape, rank: int, tokens: int, bytes_per_value: int, keeps_gelu: bool = False) -> int:
    """Bytes one block ('double' or 'single') keeps for its backward pass when it is not checkpointed."""
    values_h, values_r, bytes_head, bytes_token = _SAVED[kind]
    values_h += _GELU[kind] * keeps_gelu
    return tokens * (bytes_per_value * (values_h * shape.hidden + values_r * rank) + bytes_head * shape.heads + bytes_token)


def base_bytes(shape: ModelShape, int8: bool, bytes_per_value: int, modulation_on_host: bool = False) -> int:
    """The frozen model. In 8 bits the blocks' linear layers take one byte a weight and a float32 scale a row."""
    modulation = sum(count * _MODULATION[kind] for kind, count in shape.blocks.items()) * shape.hidden if modulation_on_host else 0
    linear = shape.linear_parameters - modulation * shape.hidden
    if not int8:
        return (linear + shape.other_parameters) * bytes_per_value
    rows = sum(count * (13 if kind == "single" else 26 + 4) for kind, count in shape.blocks.items()) * shape.hidden - modulation
    return linear + 4 * rows + shape.other_parameters * bytes_per_value


def lora_parameters(shape: ModelShape, rank: int, targets: str) -> int:
    return sum(count * _ADAPTED[targets][kind] for kind, count in shape.blocks.items()) * shape.hidden * rank


def lora_bytes(shape: ModelShape, rank: int, targets: str, adam8: bool = False) -> int:
    """Weights, gradients and AdamW's two moments, all float32; with `adam8` the moments take a byte and a scale for every 256."""
    return round((10 + 8 / 256 if adam8 else 16) * lora_parameters(shape, rank, targets))


def _kept_whole(shape: ModelShape, checkpointed: int) -> dict[str, int]:
    """Blocks of each kind that are not checkpointed; checkpointing begins with the double blocks."""
    double = max(0, shape.double_blocks - checkpointed)
    single = shape.single_blocks - max(0, checkpointed - shape.double_blocks)
    return {"double": double, "single": single}


def _widest_layer(shape: ModelShape, plan: MemoryPlan) -> int:
    """An 8-bit layer is widened for its product: the largest has 5 x h^2 weights of two bytes."""
    return 10 * shape.hidden**2 if plan.int8_base else 0
