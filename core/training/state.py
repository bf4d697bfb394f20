"""TrainState, the one mutable value of a run, and its checkpoints: weights, optimizer, average, step, all or nothing."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from diffusers import FluxTransformer2DModel
from torch import Tensor, nn

from core.durable import publish_folder, retire_folder
from core.errors import Refused
from core.flux.lora import lora_weights, set_lora_weights
from core.runs import Run
from core.settings import Settings

# Settings that may differ between a checkpoint and the run that resumes it: they change what is shown or kept, not the LoRA.
FREE_SETTINGS = frozenset({"run.name", "run.output", "sampling", "train.save_every", "train.keep_checkpoints", "train.validate_every", "dataset.folder", "model.path"})


@dataclass
class TrainState:
    """`step` counts finished optimizer steps; `average` holds the EMA of the LoRA by name, empty when off."""

    transformer: FluxTransformer2DModel
    parameters: list[nn.Parameter]
    optimizer: torch.optim.Optimizer
    step: int = 0
    average: dict[str, Tensor] = field(default_factory=dict)

    @torch.no_grad()
    def update_average(self, decay: float) -> None:
        for name, tensor in lora_weights(self.transformer).items():
            self.average[name] = tensor if name not in self.average else self.average[name].lerp(tensor, 1 - decay)

    def weights_to_publish(self) -> dict[str, Tensor]:
        """The average where there is one, else the weights."""
        return self.average or lora_weights(self.transformer)


def save_checkpoint(state: TrainState, run: Run) -> Path:
    """Publish output/<run>/checkpoints/step-NNNNNN by one rename, then retire the oldest beyond keep_checkpoints."""

    def fill(folder: Path) -> None:
        safetensors.torch.save_file(lora_weights(state.transformer), folder / "lora.safetensors")
        if state.average:
            safetensors.torch.save_file(state.average, folder / "average.safetensors")
        torch.save(state.optimizer.state_dict(), folder / "optimizer.pt")
        record = {"step": state.step, "settings": settings_that_matter(run.settings), "torch": torch.__version__}
        (folder / "state.json").write_text(json.dumps(record), encoding="utf-8")

    final = run.checkpoints_folder / f"step-{state.step:06d}"
    publish_folder(final, fill)
    for _, old in run.checkpoints()[run.settings.train.keep_checkpoints :]:
        retire_folder(old)
    return final


def restore_checkpoint(state: TrainState, folder: Path, settings: Settings) -> None:
    """Set weights, optimizer, average and step. Raises Refused when the checkpoint belongs to other settings."""
    record = json.loads((folder / "state.json").read_text(encoding="utf-8"))
    now = settings_that_matter(settings)
    changed = sorted(key for key in now.keys() | record["settings"].keys() if now.get(key) != record["settings"].get(key))
    if changed:
        raise Refused(f"The checkpoint was made with other settings ({', '.join(changed)}).", str(folder), "Resume with the run's own settings, or start a new run from its LoRA (RESUME_FROM).")
    set_lora_weights(state.transformer, safetensors.torch.load_file(folder / "lora.safetensors"))
    if (folder / "average.safetensors").exists():
        state.average = safetensors.torch.load_file(folder / "average.safetensors")
    state.optimizer.load_state_dict(torch.load(folder / "optimizer.pt", weights_only=True))
    state.step = record["step"]


def settings_that_matter(settings: Settings) -> dict[str, Any]:
    """section.field -> value for everything the LoRA depends on."""
    flat = {f"{section}.{field}": value for section, fields in settings.model_dump(mode="json").items() for field, value in fields.items()}
    return {key: value for key, value in flat.items() if key not in FREE_SETTINGS and key.split(".")[0] not in FREE_SETTINGS}
