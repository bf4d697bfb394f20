"""What a row is drawn with: the LoRA file, the same without its text encoder, or a checkpoint of its run. One at a time in memory."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from core.errors import Refused
from core.evaluation.grid import FINAL, TRANSFORMER_ONLY
from core.evaluation.run_of import run_of
from core.flux.checkpoint_lora import read_checkpoint_lora
from core.flux.lora_file import LoraFile, load_encoder_weights, load_lora_weights
from core.runs import Run

# peft's names of CLIP's weights begin with this, those of the transformer's never do.
ENCODER_NAME = "encoder."


@dataclass(frozen=True)
class SourceWeights:
    """peft's names to float32 tensors at scale 1; `encoder` is empty where the text encoder has no part."""

    transformer: dict[str, Tensor]
    encoder: dict[str, Tensor]


def read_source(source: str, lora: LoraFile, output: Path) -> SourceWeights:
    """Raises UserError when the source is not there or damaged, Refused when the file has no such source."""
    if source == FINAL:
        return SourceWeights(load_lora_weights(lora), load_encoder_weights(lora))
    if source == TRANSFORMER_ONLY:
        if not lora.encoder_rank:
            raise Refused("This LoRA has no text-encoder part, so there is nothing to compare.", str(lora.path), "Train with TWO_PHASE_TE=1 or ENABLE_TE=1 first.")
        return SourceWeights(load_lora_weights(lora), {})
    run = run_of(lora.path.name, output)
    if run is None:
        raise Refused("Checkpoints are known only for a run of this studio.", str(lora.path), "Choose the LoRA of a run that is still in the output folder.")
    return _from_checkpoint(run, source)


def _from_checkpoint(run: Run, source: str) -> SourceWeights:
    weights, scale = read_checkpoint_lora(run.checkpoints_folder / source), run.settings.lora.alpha / run.settings.lora.rank
    folded = {name: tensor * scale if ".lora_B." in name else tensor for name, tensor in weights.items()}
    encoder = {name: tensor for name, tensor in folded.items() if name.startswith(ENCODER_NAME)}
    return SourceWeights({name: tensor for name, tensor in folded.items() if name not in encoder}, encoder)
