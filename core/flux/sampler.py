"""Draws pictures with FLUX.1's own sampler; one batch may hold one prompt at several LoRA strengths."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from diffusers import FluxTransformer2DModel
from torch import Tensor

from core.flux.encode import PromptEmbeds
from core.flux.flow import flux_mu, shift_sigmas
from core.flux.forward import predict_velocity
from core.flux.lora import strengths_per_picture
from core.flux.models import Hardware


@dataclass(frozen=True)
class Drawing:
    """How a picture is drawn: size in pixels (multiples of 16), denoising steps, distilled guidance."""

    width: int
    height: int
    num_inference_steps: int
    guidance_scale: float


def sampler_sigmas(steps: int, image_tokens: int) -> Tensor:
    """steps + 1 noise levels from 1 to 0, shifted for the picture's size (FlowMatchEulerDiscreteScheduler, dynamic shifting)."""
    sigmas = shift_sigmas(torch.linspace(1.0, 1 / steps, steps), flux_mu(image_tokens))
    return torch.cat((sigmas, torch.zeros(1)))


def first_noise(drawing: Drawing, channels: int, seed: int) -> Tensor:
    """(1, C, H, W) on the CPU, so that a seed means the same picture on every device."""
    return torch.randn(1, channels, drawing.height // 8, drawing.width // 8, generator=torch.Generator().manual_seed(seed))


@torch.no_grad()
def draw_latents(
    transformer: FluxTransformer2DModel, prompt: PromptEmbeds, seed: int, strengths: Sequence[float], drawing: Drawing, hardware: Hardware, on_step: Callable[[], None] = lambda: None
) -> Tensor:
    """One prompt and seed at each strength, (len(strengths), C, H, W) on the CPU, in the transformer's units.

    `on_step` is called after each denoising step and may raise to give up.
    """
    count = len(strengths)
    noise = first_noise(drawing, transformer.config.in_channels // 4, seed)
    latents = noise.to(hardware.device).expand(count, -1, -1, -1)
    prompt_embeds = prompt.prompt_embeds.to(hardware.device).expand(count, -1, -1)
    pooled = prompt.pooled_prompt_embeds.to(hardware.device).expand(count, -1)
    sigmas = sampler_sigmas(drawing.num_inference_steps, drawing.height * drawing.width // 256).tolist()
    with strengths_per_picture(transformer, strengths):
        for sigma, next_sigma in itertools.pairwise(sigmas):
            sigma_B = torch.full((count,), sigma, device=hardware.device)
            velocity = predict_velocity(transformer, latents, sigma_B, prompt_embeds, pooled, drawing.guidance_scale, hardware.dtype)
            latents = latents + (next_sigma - sigma) * velocity
            on_step()
    return latents.float().cpu()
