"""One optimizer step: batches drawn as a function of seed and position, their losses, the update.

Shapes: B pictures of a batch, C latent channels, H W latent sides, L text tokens, D width.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from core.dataset.captions import class_caption
from core.errors import UserError
from core.events import StepDone
from core.flux.flow import FlowSample, add_noise, draw_noise, draw_sigmas, snr_weights, velocity_loss
from core.flux.forward import look_ahead, predict_velocity
from core.flux.lora import products_in, without_lora
from core.flux.model_folder import ModelFolder
from core.flux.models import Hardware, memory_gib
from core.flux.modulation import Conditions, table_of
from core.runs import Run
from core.settings import Settings
from core.training.batches import batch_at
from core.training.prepare import Material, Photo, draw_training_latents, short_caption
from core.training.schedule import learning_rate_at
from core.training.state import TrainState
from core.training.world import World

# Added to the seed where class photos are drawn, so that they are not paired with the same photo each epoch.
CLASS_SEED = 7_919
# Real photos are unguided samples.
TRAINING_GUIDANCE = 1.0
# So many steps' modulations are computed together where its weights are on the host.
STEPS_AHEAD = 64


class StepGivenUp(Exception):
    """Raised inside a step that was asked to stop; the state is that of the last whole step."""


@dataclass(frozen=True)
class Parts:
    """What a step needs besides the state."""

    run: Run
    model: ModelFolder
    hardware: Hardware
    material: Material
    world: World

    @property
    def settings(self) -> Settings:
        return self.run.settings


@dataclass(frozen=True)
class Batch:
    """Pictures of one bucket with all their draws made; `weight_B` is the share of each in the step's loss."""

    sample: FlowSample
    captions: tuple[str, ...]
    weight_B: Tensor

    def part(self, rows: slice) -> Batch:
        sample = FlowSample(self.sample.noisy_BCHW[rows], self.sample.target_BCHW[rows], self.sample.sigma_B[rows])
        return Batch(sample, self.captions[rows], self.weight_B[rows])


def train_step(state: TrainState, parts: Parts, should_stop: Callable[[], bool]) -> StepDone:
    """One optimizer step over gradient_accumulation_steps batches, shared among the processes of the world.

    Raises UserError before a non-finite update, StepGivenUp when asked to stop between two forwards.
    """
    began = time.monotonic()
    settings, world = parts.settings, parts.world
    _look_ahead(state, parts)
    learning_rate = _set_learning_rates(state, settings)
    state.set_training()
    with products_in(state.transformer, parts.hardware.dtype):
        loss, class_loss = world.sum(_gather_gradients(state, parts, should_stop)).tolist()
    _require_finite(loss + class_loss, "loss", state.step + 1)
    grad_norm = _update(state, parts)
    state.step += 1
    if settings.train.ema_decay:
        state.update_average(settings.train.ema_decay)
    return StepDone(
        step=state.step, loss=loss, class_loss=class_loss if settings.regularization.enabled else None, learning_rate=learning_rate, grad_norm=grad_norm,
        seconds=time.monotonic() - began, memory_gib=round(memory_gib(parts.hardware), 3),
    )  # fmt: skip


def _gather_gradients(state: TrainState, parts: Parts, should_stop: Callable[[], bool]) -> Tensor:
    """Forward and backward passes of a step; this process's losses of the person's photos and of the class, (2,)."""
    regularization, class_photos = parts.settings.regularization, parts.material.class_photos
    losses = torch.zeros(2, device=parts.hardware.device)
    for batch in regrouped(photo_batches(state.step, parts), state.plan.micro_batch):
        _give_up_if_asked(state, parts, should_stop)
        losses[0] += _backward(_weighted_loss(state, parts, batch))
        if regularization.enabled and not class_photos:
            losses[1] += _backward(regularization.weight * _prior_loss(state, parts, batch))
    if regularization.enabled and class_photos:
        for batch in regrouped(class_batches(state.step, parts), state.plan.micro_batch):
            _give_up_if_asked(state, parts, should_stop)
            losses[1] += _backward(regularization.weight * _weighted_loss(state, parts, batch))
    return losses


def losses_of(state: TrainState, parts: Parts, sample: FlowSample, captions: Sequence[str]) -> Tensor:
    """Per-picture loss, (B,) float32 on the device."""
    sample = _on_device(sample, parts.hardware)
    return velocity_loss(velocity_of(state, parts, sample, captions, state.pooled(captions, parts.material.embeds)), sample)


def regrouped(batches: Sequence[Batch], most: int) -> Iterator[Batch]:
    """The same pictures in forwards of at most `most`, each of one bucket; the sum of weighted losses stays the same."""
    by_shape: dict[torch.Size, list[Batch]] = {}
    for batch in batches:
        by_shape.setdefault(batch.sample.noisy_BCHW.shape[2:], []).append(batch)
    for same in by_shape.values():
        whole = joined(same)
        for start in range(0, len(whole.captions), most):
            yield whole.part(slice(start, start + most))


def joined(batches: Sequence[Batch]) -> Batch:
    """Batches of one bucket as one."""
    samples = [batch.sample for batch in batches]
    sample = FlowSample(torch.cat([s.noisy_BCHW for s in samples]), torch.cat([s.target_BCHW for s in samples]), torch.cat([s.sigma_B for s in samples]))
    return Batch(sample, tuple(caption for batch in batches for caption in batch.captions), torch.cat([batch.weight_B for batch in batches]))


def photo_batches(step: int, parts: Parts) -> list[Batch]:
    """This process's batches of the step numbered `step` (0 is the first)."""
    return [draw_batch(parts.material.photos, position, parts.settings.train.seed, parts) for position in _positions(step, parts)]


def class_batches(step: int, parts: Parts) -> list[Batch]:
    return [draw_batch(parts.material.class_photos, position, parts.settings.train.seed + CLASS_SEED, parts) for position in _positions(step, parts)]


def _look_ahead(state: TrainState, parts: Parts) -> None:
    """Where the modulation is on the host: have it ready for the forwards of this step and those after it."""
    if table_of(state.transformer) is None:
        return
    steps = range(state.step, min(state.step + STEPS_AHEAD, parts.settings.train.steps))
    if not all(table_of(state.transformer).has(one) for one in _conditions_of(state, parts, state.step)):
        look_ahead(state.transformer, [one for step in steps for one in _conditions_of(state, parts, step)], parts.hardware.device, parts.hardware.dtype)


def _conditions_of(state: TrainState, parts: Parts, step: int) -> list[Conditions]:
    """Of every forward of a step."""
    embeds, regularized, class_photos = parts.material.embeds, parts.settings.regularization.enabled, parts.material.class_photos
    conditions = []
    batches = list(regrouped(photo_batches(step, parts), state.plan.micro_batch))
    if regularized and class_photos:
        batches += regrouped(class_batches(step, parts), state.plan.micro_batch)
    for batch in batches:
        conditions.append(Conditions(batch.sample.sigma_B, state.pooled(batch.captions, embeds), TRAINING_GUIDANCE))
        if regularized and not class_photos:
            captions = _class_captions(batch, parts)
            for pooled in (state.pooled(captions, embeds), _base_pooled(captions, parts)):
                conditions.append(Conditions(batch.sample.sigma_B, pooled, TRAINING_GUIDANCE))
    return conditions


def _positions(step: int, parts: Parts) -> list[int]:
    accumulation = parts.settings.train.gradient_accumulation_steps
    return [step * accumulation + number for number in parts.world.share_of(accumulation, "GRAD_ACCUM")]


def draw_batch(photos: Sequence[Photo], position: int, seed: int, parts: Parts) -> Batch:
    """The batch at a position; every draw is a function of seed and position alone."""
    settings = parts.settings
    batch = [photos[i] for i in batch_at(position, [photo.bucket for photo in photos], settings.train.batch_size, seed)]
    generator = torch.Generator().manual_seed(seed * 1_000_003 + position)
    latents = draw_training_latents(batch, settings.dataset.flip, generator)
    sigma = draw_sigmas(len(batch), settings.train.timestep_sampling, latents[0, 0].numel() // 4, generator)
    sample = add_noise(latents, draw_noise(tuple(latents.shape), settings.train.noise_offset, generator), sigma)
    dropped = torch.rand(len(batch), generator=generator) < settings.dataset.caption_dropout
    captions = tuple(short_caption(settings) if drop and not photo.is_class else photo.caption for photo, drop in zip(batch, dropped.tolist(), strict=True))
    share = 1 / (len(batch) * settings.train.gradient_accumulation_steps)
    return Batch(sample, captions, share * snr_weights(sigma, settings.train.snr_gamma))


def _weighted_loss(state: TrainState, parts: Parts, batch: Batch) -> Tensor:
    loss_B = losses_of(state, parts, batch.sample, batch.captions)
    return (loss_B * batch.weight_B.to(loss_B.device)).sum()


def _prior_loss(state: TrainState, parts: Parts, batch: Batch) -> Tensor:
    """Distance between what the LoRA and the base model predict for these noisy photos when the caption names only the class."""
    captions = _class_captions(batch, parts)
    sample = _on_device(batch.sample, parts.hardware)
    with torch.no_grad(), without_lora(state.transformer):
        base = velocity_of(state, parts, sample, captions, _base_pooled(captions, parts))
    loss_B = (velocity_of(state, parts, sample, captions, state.pooled(captions, parts.material.embeds)) - base).pow(2).mean(dim=(1, 2, 3))
    return (loss_B * batch.weight_B.to(loss_B.device)).sum()


def _class_captions(batch: Batch, parts: Parts) -> list[str]:
    dataset = parts.settings.dataset
    return [class_caption(caption, dataset.trigger_word, dataset.class_word) for caption in batch.captions]


def _base_pooled(captions: Sequence[str], parts: Parts) -> Tensor:
    return torch.cat([parts.material.embeds[caption].pooled_prompt_embeds for caption in captions])


def velocity_of(state: TrainState, parts: Parts, sample: FlowSample, captions: Sequence[str], pooled_BD: Tensor) -> Tensor:
    device = parts.hardware.device
    prompt_embeds = torch.cat([parts.material.embeds[caption].prompt_embeds for caption in captions]).to(device)
    return predict_velocity(state.transformer, sample.noisy_BCHW, sample.sigma_B, prompt_embeds, pooled_BD, TRAINING_GUIDANCE, parts.hardware.dtype)


def _on_device(sample: FlowSample, hardware: Hardware) -> FlowSample:
    """Noise levels stay: the forward pass looks them up before it moves them."""
    return FlowSample(sample.noisy_BCHW.to(hardware.device), sample.target_BCHW.to(hardware.device), sample.sigma_B)


def _set_learning_rates(state: TrainState, settings: Settings) -> float:
    learning_rate = learning_rate_at(state.step, settings.train.steps, settings.optimizer)
    for group in state.optimizer.param_groups:
        group["lr"] = learning_rate
    if state.text_encoder:
        for group in state.text_encoder.optimizer.param_groups:
            group["lr"] = learning_rate * settings.text_encoder.learning_rate_scale
    # Dropout draws from the global generator.
    torch.manual_seed(settings.train.seed * 1_000_003 + state.step)
    return learning_rate


def _update(state: TrainState, parts: Parts) -> float:
    """Clip, check and apply the gradients of transformer and text encoder, each on its own; the transformer's norm before clipping."""
    trained = [(state.parameters, state.optimizer)]
    if state.text_encoder:
        trained.append((state.text_encoder.parameters, state.text_encoder.optimizer))
    norms = []
    for parameters, _ in trained:
        parts.world.sum_gradients(parameters)
        norms.append(torch.nn.utils.clip_grad_norm_(parameters, parts.settings.optimizer.max_grad_norm or math.inf).item())
        _require_finite(norms[-1], "gradient", state.step + 1)
    for _, optimizer in trained:
        optimizer.step()
    state.drop_gradients()
    return norms[0]


def _backward(loss: Tensor) -> Tensor:
    loss.backward()
    return loss.detach()


def _give_up_if_asked(state: TrainState, parts: Parts, should_stop: Callable[[], bool]) -> None:
    """With several processes only between steps: they must agree, and agreeing costs an exchange."""
    if parts.world.size == 1 and should_stop():
        state.drop_gradients()
        raise StepGivenUp


def _require_finite(value: float, what: str, step: int) -> None:
    if not math.isfinite(value):
        raise UserError(
            f"The {what} of step {step} is {value}: training has left the rails, and this step was not applied.",
            "training",
            "Halve the learning rate (UNET_LR=5e-5) and keep precision at bf16 (auto), then start again or resume from the last checkpoint.",
        )
