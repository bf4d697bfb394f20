"""Captions to embeddings, pictures to latents and back, with the conventions of FLUX.1.

Shapes: B batch, L text tokens, D width, C latent channels, H W latent sides.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from transformers import CLIPTokenizer

from core.flux.models import TextEncoders

if TYPE_CHECKING:
    from diffusers import AutoencoderKL


@dataclass(frozen=True)
class PromptEmbeds:
    """One prompt: T5 states (1, L, D) and CLIP's pooled state (1, D), on the CPU.

    Where CLIP has a LoRA, the pooled state may hold a row for each strength.
    """

    prompt_embeds: Tensor
    pooled_prompt_embeds: Tensor

    def rows(self, part: slice | list[int]) -> PromptEmbeds:
        """For some of the strengths."""
        return self if len(self.pooled_prompt_embeds) == 1 else PromptEmbeds(self.prompt_embeds, self.pooled_prompt_embeds[part])


@dataclass(frozen=True)
class LatentMoments:
    """Mean and standard deviation of a picture's latents, (1, C, H, W) float32: each step samples anew."""

    mean: Tensor
    std: Tensor


@torch.no_grad()
def encode_prompt(encoders: TextEncoders, prompt: str) -> PromptEmbeds:
    """T5 padded to its length without attention mask, CLIP to 77, as FLUX was trained."""
    device = encoders.t5.device
    t5_ids = encoders.t5_tokenizer(prompt, padding="max_length", max_length=encoders.length, truncation=True, return_tensors="pt").input_ids
    prompt_embeds = encoders.t5(t5_ids.to(device)).last_hidden_state
    pooled = encoders.clip(clip_ids(encoders.clip_tokenizer, [prompt]).to(device)).pooler_output
    return PromptEmbeds(prompt_embeds.cpu(), pooled.cpu())


def clip_ids(tokenizer: CLIPTokenizer, prompts: list[str]) -> Tensor:
    """(B, 77): padded to the tokenizer's length, longer prompts are cut."""
    return tokenizer(prompts, padding="max_length", max_length=tokenizer.model_max_length, truncation=True, return_tensors="pt").input_ids


@torch.no_grad()
def encode_pixels(vae: AutoencoderKL, pixels_CHW: np.ndarray) -> LatentMoments:
    """Pixels in [-1, 1], sides multiples of 16."""
    posterior = vae.encode(torch.from_numpy(pixels_CHW)[None].to(vae.device, vae.dtype)).latent_dist
    return LatentMoments(posterior.mean.float().cpu(), posterior.std.float().cpu())


def scale_latents(latents: Tensor, vae_config) -> Tensor:
    """From the VAE's units to the transformer's."""
    return (latents - vae_config.shift_factor) * vae_config.scaling_factor


@torch.no_grad()
def decode_latents(vae: AutoencoderKL, latents_BCHW: Tensor) -> list[Image.Image]:
    """From the transformer's units to pictures, one at a time: the decoder is the hungriest part for its size."""
    pictures = []
    for latents in latents_BCHW.to(vae.device, vae.dtype).split(1):
        pixels = vae.decode(latents / vae.config.scaling_factor + vae.config.shift_factor).sample[0]
        array = ((pixels.clamp(-1, 1) + 1) * 127.5).round().byte().permute(1, 2, 0).cpu().numpy()
        pictures.append(Image.fromarray(array))
    return pictures
