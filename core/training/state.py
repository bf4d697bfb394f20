"""TrainState, the one mutable value of a run, and its checkpoints: weights, optimizers, average, step, all or nothing."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from diffusers import FluxTransformer2DModel
from torch import Tensor, nn

from core.durable import publish_folder, read_json, retire_folder
from core.errors import Refused, UserError
from core.flux.checkpoint_lora import AVERAGE_PART, LORA_PART
from core.flux.encode import PromptEmbeds
from core.flux.lora import lora_weights, set_lora_weights
from core.flux.models import free_memory
from core.runs import Run
from core.settings import Settings, flatten
from core.training.memory import MemoryPlan
from core.training.text_encoder import NAME_PREFIX, TextEncoder

# Settings that may differ between a checkpoint and the run that resumes it: they change what is shown or kept, not the LoRA.
FREE_SETTINGS = frozenset({"run.name", "run.output", "run.price_per_hour", "sampling", "train.save_every", "train.save_minutes", "train.keep_checkpoints", "train.validate_every", "train.stop_early", "dataset.folder", "model.base", "model.gradient_checkpointing", "model.path", "regularization.folder", "evaluation"})


@dataclass
class TrainState:
    """`step` counts finished optimizer steps; `average` holds the EMA of all LoRA weights by name, empty when off.

    `text_encoder` is there while CLIP is trained; once frozen, `encoder_weights` keeps its LoRA and `frozen_pooled` what it makes of each text.
    """

    transformer: FluxTransformer2DModel
    parameters: list[nn.Parameter]
    optimizer: torch.optim.Optimizer
    plan: MemoryPlan
    text_encoder: TextEncoder | None = None
    encoder_weights: dict[str, Tensor] = field(default_factory=dict)
    frozen_pooled: dict[str, Tensor] = field(default_factory=dict)
    step: int = 0
    average: dict[str, Tensor] = field(default_factory=dict)

    def pooled(self, texts: Sequence[str], embeds: Mapping[str, PromptEmbeds]) -> Tensor:
        """(B, D): from CLIP while it is trained, else what was encoded when it was frozen, else by the untouched CLIP."""
        if self.text_encoder:
            return self.text_encoder.pooled(list(texts))
        return torch.cat([self.frozen_pooled[text] if self.frozen_pooled else embeds[text].pooled_prompt_embeds for text in texts])

    def freeze_text_encoder(self, texts: Sequence[str]) -> None:
        """Encode every text that will be needed, keep the LoRA, and give CLIP's memory back."""
        assert self.text_encoder is not None
        self.frozen_pooled = self.text_encoder.pooled_by_text(list(texts))
        self.encoder_weights = self.text_encoder.weights()
        self.text_encoder = None
        free_memory()

    def set_training(self) -> None:
        self.transformer.train()
        if self.text_encoder:
            self.text_encoder.clip.train()

    def set_measuring(self) -> None:
        self.transformer.eval()
        if self.text_encoder:
            self.text_encoder.clip.eval()

    def drop_gradients(self) -> None:
        self.optimizer.zero_grad(set_to_none=True)
        if self.text_encoder:
            self.text_encoder.optimizer.zero_grad(set_to_none=True)

    def weights(self) -> dict[str, Tensor]:
        """All LoRA weights by peft's names, float32 on the CPU; those of CLIP begin with NAME_PREFIX."""
        return lora_weights(self.transformer) | (self.text_encoder.weights() if self.text_encoder else self.encoder_weights)

    @torch.no_grad()
    def update_average(self, decay: float) -> None:
        for name, tensor in self.weights().items():
            self.average[name] = tensor if name not in self.average else self.average[name].lerp(tensor, 1 - decay)

    def weights_to_publish(self) -> dict[str, Tensor]:
        """The average where there is one, else the weights."""
        return self.average or self.weights()


def split(weights: Mapping[str, Tensor]) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Weights of the transformer, weights of the text encoder."""
    encoder = {name: tensor for name, tensor in weights.items() if name.startswith(NAME_PREFIX)}
    return {name: tensor for name, tensor in weights.items() if name not in encoder}, encoder


def save_checkpoint(state: TrainState, run: Run, held_out_loss: float | None, keep: int | None = None) -> Path:
    """Publish output/<run>/checkpoints/step-NNNNNN by one rename, then retire the oldest beyond keep_checkpoints, but never the best nor that of step `keep`."""

    def fill(folder: Path) -> None:
        safetensors.torch.save_file(state.weights(), folder / LORA_PART)
        if state.average:
            safetensors.torch.save_file(state.average, folder / AVERAGE_PART)
        torch.save(state.optimizer.state_dict(), folder / "optimizer.pt")
        if state.text_encoder:
            torch.save(state.text_encoder.optimizer.state_dict(), folder / "encoder-optimizer.pt")
        record = {"step": state.step, "held_out_loss": held_out_loss, "plan": vars(state.plan), "settings": settings_that_matter(run.settings), "torch": torch.__version__}
        (folder / "state.json").write_text(json.dumps(record), encoding="utf-8")

    final = run.checkpoints_folder / f"step-{state.step:06d}"
    publish_folder(final, fill)
    best = best_checkpoint(run)
    for step, old in run.checkpoints()[run.settings.train.keep_checkpoints :]:
        if old != best and step != keep:
            retire_folder(old)
    return final


def best_checkpoint(run: Run) -> Path | None:
    """The checkpoint with the lowest held-out loss, or None where none was measured."""
    measured = []
    for _, folder in run.checkpoints():
        try:
            loss = read_json(folder / "state.json").get("held_out_loss")
        except (OSError, ValueError):
            continue  # damaged: resuming passes over it and says so
        if loss is not None:
            measured.append((loss, folder))
    return min(measured)[1] if measured else None


def plan_of(checkpoint: Path) -> MemoryPlan | None:
    """How the run lay in memory when it was saved: the same layout goes on bit for bit."""
    record = read_json(checkpoint / "state.json")
    return MemoryPlan(**record["plan"]) if "plan" in record else None


def restore_checkpoint(state: TrainState, folder: Path, settings: Settings) -> None:
    """Set weights, optimizers, average and step. Raises Refused when the checkpoint belongs to other settings, UserError when a part is missing."""
    record = read_json(folder / "state.json")
    now, then = settings_that_matter(settings), settings_that_matter(Settings()) | record["settings"]
    changed = sorted(key for key in now.keys() | then.keys() if now.get(key) != then.get(key))
    if changed:
        raise Refused(f"The checkpoint was made with other settings ({', '.join(changed)}).", str(folder), "Resume with the run's own settings, or start a new run from its LoRA (RESUME_FROM).")
    try:
        transformer, encoder = split(safetensors.torch.load_file(folder / LORA_PART))
        set_lora_weights(state.transformer, transformer)
        if state.text_encoder:
            state.text_encoder.set_weights(encoder)
        if settings.train.ema_decay:
            state.average = safetensors.torch.load_file(folder / AVERAGE_PART)
        state.optimizer.load_state_dict(torch.load(folder / "optimizer.pt", weights_only=True))
        if state.text_encoder and record["step"] < settings.text_encoder_steps:
            state.text_encoder.optimizer.load_state_dict(torch.load(folder / "encoder-optimizer.pt", weights_only=True))
    except (OSError, ValueError) as error:
        raise UserError(f"The checkpoint is not complete: {error}", str(folder), "Start a new run from its LoRA file instead (RESUME_FROM): the weights go on, the optimizer starts anew.") from None
    state.step = record["step"]


def settings_that_matter(settings: Settings) -> dict[str, Any]:
    """section.field -> value for everything the LoRA depends on."""
    flat = flatten(settings)
    return {key: list(value) if isinstance(value, tuple) else value for key, value in flat.items() if key not in FREE_SETTINGS and key.split(".")[0] not in FREE_SETTINGS}
