"""The training loop: settings in, events out; stops, saves and resumes without losing a step."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from core.durable import NO_SPACE, sweep_hidden
from core.errors import Refused, UserError
from core.events import CheckpointSaved, FixedNoiseLoss, ImageSaved, Phase, ReportSaved, RunEvent, RunFinished, RunStarted, RunStopped, StepDone, Warned
from core.flux.encode import decode_latents
from core.flux.flow import FlowSample, add_noise, draw_noise, draw_sigmas, predict_velocity, snr_weights, velocity_loss
from core.flux.lora import add_dropout, add_lora, set_lora_weights
from core.flux.lora_file import load_lora_weights, metadata_of, read_lora_header, save_lora_file
from core.flux.model_folder import ModelFolder, open_model_folder
from core.flux.models import Hardware, choose_hardware, free_memory, load_transformer, load_vae, memory_gib, quiet_libraries
from core.flux.sampler import Drawing, draw_latents
from core.runs import Run
from core.settings import Settings, refuse_what_is_not_built, warnings_of
from core.training.batches import batch_at
from core.training.prepare import Material, draw_training_latents, open_photos, prepare, sample_prompts, short_caption
from core.training.schedule import learning_rate_at
from core.training.state import TrainState, restore_checkpoint, save_checkpoint

FIXED_SIGMAS = (0.2, 0.4, 0.6, 0.8)
FIXED_PHOTOS = 4
# Added to the seed of draws that are never trained on.
FIXED_NOISE_SEED = 987_654_321


@dataclass(frozen=True)
class Parts:
    """What a step needs besides the state."""

    run: Run
    model: ModelFolder
    hardware: Hardware
    material: Material

    @property
    def settings(self) -> Settings:
        return self.run.settings


def train(run: Run, should_stop: Callable[[], bool], resume: bool) -> Iterator[RunEvent]:
    """Train the run to its end or until `should_stop`; with `resume`, from its newest whole checkpoint.

    Raises UserError, with everything up to the last checkpoint on disk.
    """
    began = time.monotonic()
    settings = run.settings
    quiet_libraries()
    refuse_what_is_not_built(settings)
    checkpoint, damaged = run.newest_whole_checkpoint() if resume else (None, [])
    first_step = checkpoint[0] if checkpoint else 0
    run.log.cut_after(first_step)
    yield RunStarted(job="train", name=run.name, first_step=first_step, steps=settings.train.steps)
    for sentence in [*damaged, *warnings_of(settings)]:
        yield Warned(what=sentence)
    sweep_hidden(run.checkpoints_folder)

    model, hardware = open_model_folder(Path(settings.model.path)), choose_hardware(settings.model.precision)
    if settings.dataset.resolution > model.image_size:
        yield Warned(what=f"Resolution {settings.dataset.resolution} is above the {model.image_size} px this model was made for; likeness will suffer.")
    material = None
    for item in prepare(open_photos(settings), settings, model, hardware):
        if isinstance(item, Material):
            material = item
        else:
            yield item
        if should_stop():
            yield RunStopped(step=first_step, seconds=time.monotonic() - began)
            return
    assert material is not None
    yield Phase(what="Loading transformer")
    parts = Parts(run, model, hardware, material)
    state = build_state(parts)
    if checkpoint:
        restore_checkpoint(state, checkpoint[1], settings)
    yield from _loop(state, parts, should_stop, began)


def build_state(parts: Parts) -> TrainState:
    """Transformer with its LoRA and optimizer at step 0. Raises Refused for a warm start from another kind of LoRA."""
    settings = parts.settings
    transformer = load_transformer(parts.model, parts.hardware)
    parameters = add_lora(transformer, settings.lora.rank, settings.lora.alpha, settings.lora.targets, settings.train.seed)
    if settings.lora.dropout:
        add_dropout(transformer, settings.lora.dropout)
    if settings.run.warm_start:
        _warm_start(transformer, settings)
    if settings.model.gradient_checkpointing:
        transformer.enable_gradient_checkpointing()
    optimizer = torch.optim.AdamW(parameters, settings.optimizer.learning_rate, weight_decay=settings.optimizer.weight_decay)
    return TrainState(transformer, parameters, optimizer)


def _warm_start(transformer, settings: Settings) -> None:
    file = read_lora_header(Path(settings.run.warm_start))
    scale = settings.lora.alpha / settings.lora.rank
    weights = {name: tensor / scale if ".lora_B." in name else tensor for name, tensor in load_lora_weights(file).items()}
    try:
        set_lora_weights(transformer, weights)
    except ValueError as error:
        raise Refused(
            f"This LoRA does not fit the settings: it has rank {file.rank} on {len(file.targets)} layers ({error}).", str(file.path), f"Set RANK={file.rank} and the target layers it was trained with, on the same base model."
        ) from None


def _loop(state: TrainState, parts: Parts, should_stop: Callable[[], bool], began: float) -> Iterator[RunEvent]:
    settings, saved_step = parts.settings, state.step
    if state.step == 0:
        yield from _measure_and_draw(state, parts)
    while state.step < settings.train.steps and not should_stop():
        yield train_step(state, parts)
        last = state.step == settings.train.steps
        yield from _measure_and_draw(state, parts)
        if state.step % settings.train.save_every == 0 and not last:
            for event in _periodic_checkpoint(state, parts.run):
                saved_step = state.step if isinstance(event, CheckpointSaved) else saved_step
                yield event
    if state.step > saved_step:
        yield Phase(what="Saving")
        yield CheckpointSaved(step=state.step, file=str(save_checkpoint(state, parts.run).relative_to(parts.run.folder)))
    if state.step:
        yield _publish(state, parts)
    seconds = time.monotonic() - began
    yield RunFinished(seconds=seconds) if state.step == settings.train.steps else RunStopped(step=state.step, seconds=seconds)


def train_step(state: TrainState, parts: Parts) -> StepDone:
    """One optimizer step over gradient_accumulation_steps batches. Raises UserError before a non-finite update."""
    began = time.monotonic()
    settings = parts.settings
    learning_rate = learning_rate_at(state.step, settings.train.steps, settings.optimizer)
    for group in state.optimizer.param_groups:
        group["lr"] = learning_rate
    state.transformer.train()
    accumulation = settings.train.gradient_accumulation_steps
    loss_sum = 0.0
    for micro_step in range(accumulation):
        loss = _batch_loss(state, parts, state.step * accumulation + micro_step) / accumulation
        _require_finite(loss.item(), "loss", state.step + 1)
        loss.backward()
        loss_sum += loss.item()
    grad_norm = torch.nn.utils.clip_grad_norm_(state.parameters, settings.optimizer.max_grad_norm or math.inf).item()
    _require_finite(grad_norm, "gradient", state.step + 1)
    state.optimizer.step()
    state.optimizer.zero_grad(set_to_none=True)
    state.step += 1
    if settings.train.ema_decay:
        state.update_average(settings.train.ema_decay)
    return StepDone(step=state.step, loss=loss_sum, learning_rate=learning_rate, grad_norm=grad_norm, seconds=time.monotonic() - began, memory_gib=round(memory_gib(parts.hardware), 3))


def _batch_loss(state: TrainState, parts: Parts, position: int) -> Tensor:
    """Mean weighted loss of the batch at a position; every draw is a function of seed and position alone."""
    settings = parts.settings
    photos = parts.material.photos
    batch = [photos[i] for i in batch_at(position, [photo.bucket for photo in photos], settings.train.batch_size, settings.train.seed)]
    generator = torch.Generator().manual_seed(settings.train.seed * 1_000_003 + position)
    torch.manual_seed(settings.train.seed * 1_000_003 + position)  # dropout draws from the global generator
    latents = draw_training_latents(batch, generator)
    sigma = draw_sigmas(len(batch), settings.train.timestep_sampling, latents[0, 0].numel() // 4, generator)
    sample = add_noise(latents, draw_noise(tuple(latents.shape), settings.train.noise_offset, generator), sigma)
    dropped = torch.rand(len(batch), generator=generator) < settings.dataset.caption_dropout
    captions = [short_caption(settings) if drop else photo.caption for photo, drop in zip(batch, dropped.tolist(), strict=True)]
    loss_B = _losses(state, parts, sample, captions)
    return (loss_B * snr_weights(sigma, settings.train.snr_gamma).to(loss_B.device)).mean()


def _losses(state: TrainState, parts: Parts, sample: FlowSample, captions: list[str]) -> Tensor:
    """Per-picture loss, (B,) float32 on the device; training guidance is 1.0, because real photos are unguided samples."""
    hardware = parts.hardware
    on_device = FlowSample(sample.noisy_BCHW.to(hardware.device), sample.target_BCHW.to(hardware.device), sample.sigma_B.to(hardware.device))
    embeds = [parts.material.embeds[caption] for caption in captions]
    prompt_embeds = torch.cat([e.prompt_embeds for e in embeds]).to(hardware.device)
    pooled = torch.cat([e.pooled_prompt_embeds for e in embeds]).to(hardware.device)
    velocity = predict_velocity(state.transformer, on_device.noisy_BCHW, on_device.sigma_B, prompt_embeds, pooled, 1.0, hardware.dtype)
    return velocity_loss(velocity, on_device)


def _require_finite(value: float, what: str, step: int) -> None:
    if not math.isfinite(value):
        raise UserError(
            f"The {what} of step {step} is {value}: training has left the rails, and this step was not applied.",
            "training",
            "Halve the learning rate (UNET_LR=5e-5) and keep precision at bf16 (auto), then start again or resume from the last checkpoint.",
        )


def _measure_and_draw(state: TrainState, parts: Parts) -> Iterator[RunEvent]:
    """What is due after this step: the fixed-noise loss and the samples."""
    train_settings, sampling = parts.settings.train, parts.settings.sampling
    last = state.step == train_settings.steps
    if train_settings.validate_every and (state.step % train_settings.validate_every == 0 or last):
        yield FixedNoiseLoss(step=state.step, loss=fixed_noise_loss(state, parts))
    if sampling.every and (state.step % sampling.every == 0 or last):
        yield from _draw_samples(state, parts)


@torch.no_grad()
def fixed_noise_loss(state: TrainState, parts: Parts) -> float:
    """Mean loss over fixed photos, noise levels and noise: the same numbers at every step of every run of this seed."""
    state.transformer.eval()
    photos = parts.material.photos[:: max(1, len(parts.material.photos) // FIXED_PHOTOS)][:FIXED_PHOTOS]
    losses = []
    for number, photo in enumerate(photos):
        generator = torch.Generator().manual_seed(parts.settings.train.seed + FIXED_NOISE_SEED + number)
        for sigma in FIXED_SIGMAS:
            noise = draw_noise(tuple(photo.latents.mean.shape), 0.0, generator)
            sample = add_noise(photo.latents.mean, noise, torch.tensor([sigma]))
            losses.append(_losses(state, parts, sample, [photo.caption]).item())
    return sum(losses) / len(losses)


def _draw_samples(state: TrainState, parts: Parts) -> Iterator[RunEvent]:
    """Every sample prompt with the LoRA as it stands; at step 0 that is the base model."""
    settings, run = parts.settings, parts.run
    sampling, size = settings.sampling, settings.dataset.resolution
    drawing = Drawing(sampling.width or size, sampling.height or size, sampling.num_inference_steps, sampling.guidance_scale)
    state.transformer.eval()
    prompts = sample_prompts(settings)
    latents = []
    for number, prompt in enumerate(prompts):
        yield Phase(what="Drawing samples", done=number, total=len(prompts))
        latents.append(draw_latents(state.transformer, parts.material.embeds[prompt], sampling.seed + number, [1.0], drawing, parts.hardware))
    vae = load_vae(parts.model, parts.hardware)
    for number, (prompt, picture) in enumerate(zip(prompts, (decode_latents(vae, latent)[0] for latent in latents), strict=True)):
        file = run.samples_folder / f"step-{state.step:06d}-{number}.webp"
        file.parent.mkdir(parents=True, exist_ok=True)
        picture.save(file, quality=95)
        yield ImageSaved(step=state.step, prompt=prompt, strength=1.0 if state.step else 0.0, seed=sampling.seed + number, file=str(file.relative_to(run.output)))
    del vae
    free_memory()


def _periodic_checkpoint(state: TrainState, run: Run) -> Iterator[RunEvent]:
    """A full disk costs this checkpoint, not the run: the next one is tried again."""
    try:
        yield CheckpointSaved(step=state.step, file=str(save_checkpoint(state, run).relative_to(run.folder)))
    except OSError as error:
        if error.errno not in NO_SPACE:
            raise
        yield Warned(what=f"No space for the checkpoint of step {state.step}; training goes on. Free some space before the next one.")


def _publish(state: TrainState, parts: Parts) -> ReportSaved:
    """Write output/<run>.safetensors, proven before it is published."""
    settings, run = parts.settings, parts.run
    buckets: dict[str, int] = {}
    for photo in parts.material.photos:
        buckets[photo.bucket] = buckets.get(photo.bucket, 0) + 1
    metadata = metadata_of(settings, parts.model, state.step, len(parts.material.photos), buckets)
    file = save_lora_file(run.lora_file, state.weights_to_publish(), settings.lora.alpha / settings.lora.rank, metadata)
    return ReportSaved(what="lora", file=file.path.name)
