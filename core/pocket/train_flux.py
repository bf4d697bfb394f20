"""Trains transformer and text encoders of the pocket FLUX together, then distils guidance into it as FLUX.1-dev has it."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from pathlib import Path

import torch
from diffusers import FluxTransformer2DModel
from torch import Tensor, nn
from transformers import CLIPTextModel, CLIPTokenizer, T5EncoderModel, T5Tokenizer

from core.flux.flow import add_noise, draw_sigmas, image_positions, pack, unpack, velocity_loss
from core.pocket.loop import Ema, rise_and_fall, run_steps
from core.pocket.models import text_encoders, transformer
from core.pocket.recipe import Recipe

LEARNING_RATE = 1.3e-3
DISTIL_LEARNING_RATE = 3e-4
CAPTION_DROPOUT = 0.1
HIGHEST_GUIDANCE = 5.0
# Guidance 3.5, FLUX.1-dev's habit, becomes classifier-free guidance 1 + 0.6 x 2.5 = 2.5: more burns the flat colours.
GUIDANCE_SLOPE = 0.6


@dataclass(frozen=True)
class Texts:
    """Token ids of all captions and of the empty one (last row)."""

    clip_NL: Tensor
    t5_NL: Tensor


class Denoiser(nn.Module):
    """Transformer and both text encoders, trained as one."""

    def __init__(self, recipe: Recipe, clip: CLIPTextModel, t5: T5EncoderModel) -> None:
        super().__init__()
        self.transformer: FluxTransformer2DModel = transformer(recipe)
        self.clip = clip
        self.t5 = t5

    def velocity(self, noisy_BCHW: Tensor, sigma_B: Tensor, clip_ids_BL: Tensor, t5_ids_BL: Tensor, guidance_B: Tensor) -> Tensor:
        prompt_embeds = self.t5(t5_ids_BL).last_hidden_state
        pooled = self.clip(clip_ids_BL).pooler_output
        # By diffusers' own pass: core.flux.forward has the norms of queries and keys frozen.
        height, width = noisy_BCHW.shape[2:]
        tokens = self.transformer(
            hidden_states=pack(noisy_BCHW), timestep=sigma_B, guidance=guidance_B, pooled_projections=pooled, encoder_hidden_states=prompt_embeds,
            txt_ids=torch.zeros(prompt_embeds.shape[1], 3), img_ids=image_positions(height, width), return_dict=False,
        )[0]  # fmt: skip
        return unpack(tokens, height, width)


def tokenize(captions: list[str], clip: CLIPTokenizer, t5: T5Tokenizer) -> Texts:
    padded = {"padding": "max_length", "truncation": True, "return_tensors": "pt"}
    # The causal CLIP never sees what comes after the end token, so the longest caption is length enough.
    clip_ids = clip([*captions, ""], padding=True, truncation=True, return_tensors="pt").input_ids
    return Texts(clip_ids, t5([*captions, ""], **padded).input_ids)


def train_flux(folder: Path, recipe: Recipe, latents_NCHW: Tensor, shift: float, scale: float, captions: list[str], clip: CLIPTokenizer, t5: T5Tokenizer) -> Denoiser:
    """Both stages; resumes from `folder`. Returns the averaged weights."""
    denoiser = Denoiser(recipe, *text_encoders(clip, t5, recipe.seed + 2))
    texts = tokenize(captions, clip, t5)

    def batch(generator: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
        picks = torch.randint(0, len(latents_NCHW), (recipe.flux_batch,), generator=generator)
        dropped = torch.rand(recipe.flux_batch, generator=generator) < CAPTION_DROPOUT
        rows = torch.where(dropped, len(captions), picks)
        return (latents_NCHW[picks].float() - shift) * scale, texts.clip_NL[rows], texts.t5_NL[rows]

    _learn(folder, recipe, denoiser, batch)
    _distil(folder, recipe, denoiser, batch, texts)
    return denoiser.eval().requires_grad_(False)


def _learn(folder: Path, recipe: Recipe, denoiser: Denoiser, batch) -> None:
    parameters = list(denoiser.parameters())
    optimizer = torch.optim.AdamW(parameters, LEARNING_RATE, betas=(0.9, 0.98), weight_decay=0.01)
    schedule = rise_and_fall(optimizer, LEARNING_RATE, recipe.flux_steps)
    ema = Ema(parameters)

    def step(number: int, generator: torch.Generator) -> float:
        latents, clip_ids, t5_ids = batch(generator)
        sigma = draw_sigmas(len(latents), "flux_shift", latents[0, 0].numel() // 4, generator)
        guidance = 1 + (HIGHEST_GUIDANCE - 1) * torch.rand(len(latents), generator=generator)
        sample = add_noise(latents, torch.randn(latents.shape, generator=generator), sigma)
        loss = velocity_loss(denoiser.velocity(sample.noisy_BCHW, sigma, clip_ids, t5_ids, guidance), sample).mean()
        _update(loss, parameters, optimizer)
        schedule.step()
        ema.update(number)
        return loss.item()

    run_steps(folder / "flux.pt", recipe.flux_steps, {"denoiser": denoiser, "optimizer": optimizer, "schedule": schedule, "ema": ema}, step, recipe.seed + 3)
    ema.write_into_parameters()


def _distil(folder: Path, recipe: Recipe, denoiser: Denoiser, batch, texts: Texts) -> None:
    """Guidance g learns the guided velocity v_empty + (1 + slope (g - 1)) (v - v_empty) of the undistilled model."""
    teacher = copy.deepcopy(denoiser).eval().requires_grad_(False)
    parameters = list(denoiser.parameters())
    optimizer = torch.optim.AdamW(parameters, DISTIL_LEARNING_RATE, betas=(0.9, 0.98), weight_decay=0)
    schedule = rise_and_fall(optimizer, DISTIL_LEARNING_RATE, recipe.distil_steps)
    ema = Ema(parameters, 0.99)

    def step(number: int, generator: torch.Generator) -> float:
        latents, clip_ids, t5_ids = batch(generator)
        count = len(latents)
        sigma = draw_sigmas(count, "flux_shift", latents[0, 0].numel() // 4, generator)
        plain = torch.rand(count, generator=generator) < 0.25
        guidance = torch.where(plain, 1.0, 1 + (HIGHEST_GUIDANCE - 1) * torch.rand(count, generator=generator))
        noisy = add_noise(latents, torch.randn(latents.shape, generator=generator), sigma).noisy_BCHW
        with torch.no_grad():
            ones = torch.ones(count)
            with_text = teacher.velocity(noisy, sigma, clip_ids, t5_ids, ones)
            without = teacher.velocity(noisy, sigma, texts.clip_NL[-1:].expand(count, -1), texts.t5_NL[-1:].expand(count, -1), ones)
            target = without + (1 + GUIDANCE_SLOPE * (guidance - 1)).view(-1, 1, 1, 1) * (with_text - without)
        loss = (denoiser.velocity(noisy, sigma, clip_ids, t5_ids, guidance) - target).pow(2).mean()
        _update(loss, parameters, optimizer)
        schedule.step()
        ema.update(number)
        return loss.item()

    run_steps(folder / "distil.pt", recipe.distil_steps, {"denoiser": denoiser, "optimizer": optimizer, "schedule": schedule, "ema": ema}, step, recipe.seed + 4)
    ema.write_into_parameters()


def _update(loss: Tensor, parameters: list[nn.Parameter], optimizer: torch.optim.Optimizer) -> None:
    optimizer.zero_grad()
    loss.backward()
    torch.nn.utils.clip_grad_norm_(parameters, 1.0)
    optimizer.step()
