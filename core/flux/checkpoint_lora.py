"""The LoRA inside a checkpoint folder: what would be published from it, without its optimizer."""

from __future__ import annotations

from pathlib import Path

import safetensors
import safetensors.torch
from torch import Tensor

from core.durable import damage_of
from core.errors import UserError

LORA_PART, AVERAGE_PART = "lora.safetensors", "average.safetensors"


def read_checkpoint_lora(folder: Path) -> dict[str, Tensor]:
    """All LoRA weights by peft's names, the average where there is one. Alpha is not folded in. Raises UserError for a damaged or missing checkpoint."""
    fix = "Choose another checkpoint."
    if not folder.is_dir():
        raise UserError("This checkpoint is not there.", str(folder), f"{fix} The oldest are deleted beyond train.keep_checkpoints.")
    damage = damage_of(folder)
    if damage:
        raise UserError(f"This checkpoint is damaged: {damage}.", str(folder), fix)
    part = folder / AVERAGE_PART
    try:
        return safetensors.torch.load_file(part if part.exists() else folder / LORA_PART)
    except (OSError, safetensors.SafetensorError) as error:
        raise UserError(f"This checkpoint cannot be read: {error}.", str(folder), fix) from None
