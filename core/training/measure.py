"""What is looked at while training: the loss on fixed noise, of trained and of held-out photos, and the sample pictures."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import torch
from PIL import Image

from core.dataset.captions import has_trigger
from core.events import FixedNoiseLoss, ImageSaved, Phase, RunEvent
from core.flux.encode import PromptEmbeds, decode_latents
from core.flux.flow import add_noise, draw_noise
from core.flux.models import free_memory, load_vae
from core.flux.sampler import Drawing, draw_latents
from core.training.likeness import measure_likeness
from core.training.prepare import Photo, sample_prompts
from core.training.state import TrainState
from core.training.step import Parts, StepGivenUp, losses_of

FIXED_SIGMAS = (0.2, 0.4, 0.6, 0.8)
FIXED_PHOTOS = 4
# Added to the seed of draws that are never trained on.
FIXED_NOISE_SEED = 987_654_321


def measure_fixed_noise(state: TrainState, parts: Parts) -> FixedNoiseLoss:
    """On at most FIXED_PHOTOS trained photos spread over the dataset, and on every held-out one."""
    photos, held_out = parts.material.photos, parts.material.held_out
    spread = photos[:: max(1, len(photos) // FIXED_PHOTOS)][:FIXED_PHOTOS]
    return FixedNoiseLoss(step=state.step, loss=fixed_noise_loss(state, parts, spread), held_out=fixed_noise_loss(state, parts, held_out) if held_out else None)


@torch.no_grad()
def fixed_noise_loss(state: TrainState, parts: Parts, photos: Sequence[Photo]) -> float:
    """Mean loss over photos and fixed noise levels with noise of its own: the same draws at every step of every run of this seed."""
    state.set_measuring()
    losses = []
    for number, photo in enumerate(photos):
        generator = torch.Generator().manual_seed(parts.settings.train.seed + FIXED_NOISE_SEED + number)
        latents = photo.latents.mean.expand(len(FIXED_SIGMAS), -1, -1, -1)
        # All noise levels in one forward: without a graph it needs no more memory than training on one picture.
        sample = add_noise(latents, draw_noise(tuple(latents.shape), 0.0, generator), torch.tensor(FIXED_SIGMAS))
        losses.append(losses_of(state, parts, sample, [photo.caption] * len(FIXED_SIGMAS)).mean().item())
    return sum(losses) / len(losses)


def draw_samples(state: TrainState, parts: Parts, should_stop: Callable[[], bool]) -> Iterator[RunEvent]:
    """Every sample prompt with the LoRA as it stands, and how alike they are to the person; at step 0 that is the base model. A stop leaves the pictures undrawn."""

    def give_up_when_asked() -> None:
        if should_stop():
            raise StepGivenUp

    settings = parts.settings
    sampling, size = settings.sampling, settings.dataset.resolution
    drawing = Drawing(sampling.width or size, sampling.height or size, sampling.num_inference_steps, sampling.guidance_scale)
    state.set_measuring()
    prompts = sample_prompts(settings)
    latents = []
    try:
        for number, prompt in enumerate(prompts):
            yield Phase(what="Drawing samples", done=number, total=len(prompts))
            embeds = _embeds_now(state, parts, prompt)
            latents.append(draw_latents(state.transformer, embeds, sampling.seed + number, [1.0], drawing, parts.hardware, give_up_when_asked))
    except StepGivenUp:
        return
    vae = load_vae(parts.model, parts.hardware)
    pictures = [decode_latents(vae, latent)[0] for latent in latents]
    del vae
    free_memory()
    yield from _keep(pictures, prompts, state.step, parts)


def _keep(pictures: Sequence[Image.Image], prompts: Sequence[str], step: int, parts: Parts) -> Iterator[RunEvent]:
    """Files, then likeness, then the pictures' events: a round whose pictures stand in the log is one whose likeness does."""
    settings, run = parts.settings, parts.run
    run.samples_folder.mkdir(parents=True, exist_ok=True)
    files = [run.samples_folder / f"step-{step:06d}-{number}.webp" for number in range(len(pictures))]
    for file, picture in zip(files, pictures, strict=True):
        picture.save(file, quality=95)
    shown = [picture for prompt, picture in zip(prompts, pictures, strict=True) if has_trigger(prompt, settings.dataset.trigger_word)]
    if shown:
        yield measure_likeness(step, shown, parts.material)
    for number, (prompt, file) in enumerate(zip(prompts, files, strict=True)):
        yield ImageSaved(step=step, prompt=prompt, strength=1.0 if step else 0.0, seed=settings.sampling.seed + number, file=file.relative_to(run.output).as_posix())


@torch.no_grad()
def _embeds_now(state: TrainState, parts: Parts, prompt: str) -> PromptEmbeds:
    """As the text encoder stands now."""
    embeds = parts.material.embeds
    return PromptEmbeds(embeds[prompt].prompt_embeds, state.pooled([prompt], embeds).cpu())
