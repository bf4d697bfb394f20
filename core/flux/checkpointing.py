"""Gradient checkpointing of some of the blocks: those keep only their input and are computed again in the backward pass."""

from __future__ import annotations

from typing import Any

from diffusers import FluxTransformer2DModel
from torch import nn
from torch.utils.checkpoint import checkpoint


def checkpoint_blocks(transformer: FluxTransformer2DModel, count: int) -> None:
    """Checkpoint the first `count` blocks (double blocks come first).

    The last ones stay as they are: theirs are the activations the backward pass frees before it recomputes anything.
    """
    chosen = {id(block) for block in [*transformer.transformer_blocks, *transformer.single_transformer_blocks][:count]}

    def run(block: nn.Module, *arguments: Any, **keywords: Any) -> Any:
        if id(block) not in chosen:
            return block(*arguments, **keywords)
        return checkpoint(block, *arguments, use_reentrant=False, **keywords)

    if chosen:
        transformer.enable_gradient_checkpointing(run)
