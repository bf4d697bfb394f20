"""How a run ends: its LoRA is written, proven and only then published; a run that ends early publishes that of its best step."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch

from core.errors import UserError
from core.events import ReportSaved, RunEvent, StoppedEarly, Warned
from core.flux.checkpoint_lora import read_checkpoint_lora
from core.flux.lora_file import metadata_of, save_lora_file
from core.pace import cost
from core.signs import EarlyStop, seconds_for
from core.training.state import TrainState, split
from core.training.step import Parts


def end_early(end: EarlyStop, state: TrainState, parts: Parts, seen: Sequence[RunEvent]) -> Iterator[RunEvent]:
    """Publish the LoRA of the best step; where its checkpoint is gone or damaged, that of the last."""
    settings = parts.settings
    seconds = seconds_for(settings.train.steps - state.step, seen)
    try:
        step, weights = end.best_step, read_checkpoint_lora(parts.run.checkpoints_folder / f"step-{end.best_step:06d}")
    except UserError as error:
        yield Warned(what=f"The checkpoint of step {end.best_step}, the best one, cannot be used: {error.what} The LoRA is that of step {state.step}.")
        step, weights = state.step, state.weights_to_publish()
    yield StoppedEarly(step=state.step, best_step=step, reason=end.reason, seconds_saved=seconds, money_saved=cost(seconds, settings.run.price_per_hour))
    yield from publish(weights, step, parts)


def publish(weights: dict[str, torch.Tensor], step: int, parts: Parts) -> Iterator[ReportSaved]:
    """Write output/<run>.safetensors, proven before it is published; beside one with encoder weights, its transformer-only twin."""
    settings, run = parts.settings, parts.run
    buckets: dict[str, int] = {}
    for photo in parts.material.photos:
        buckets[photo.bucket] = buckets.get(photo.bucket, 0) + 1
    metadata = metadata_of(settings, parts.model, step, len(parts.material.photos), buckets)
    scale = settings.lora.alpha / settings.lora.rank
    file = save_lora_file(run.lora_file, weights, scale, metadata)
    yield ReportSaved(what="lora", file=file.path.name)
    transformer, encoder = split(weights)
    if encoder:
        twin = save_lora_file(run.transformer_only_file, transformer, scale, metadata)
        yield ReportSaved(what="lora", file=twin.path.name)
