"""Trains the VAE of the pocket FLUX on crops of the drawings, then measures the shift and scale of its latents."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderKL
from torch import Tensor

from core.pocket.loop import rise_and_fall, run_steps
from core.pocket.models import autoencoder
from core.pocket.recipe import Recipe

KL_WEIGHT = 2.5e-4  # per latent value: keeps latents near unit size without blurring
EDGE_WEIGHT = 1.0
LEARNING_RATE = 2.5e-3


def train_autoencoder(folder: Path, recipe: Recipe, pixels_NHWC: np.ndarray) -> AutoencoderKL:
    """Returns the trained VAE, frozen; resumes from `folder`."""
    vae = autoencoder(recipe).train()
    optimizer = torch.optim.AdamW(vae.parameters(), LEARNING_RATE, betas=(0.9, 0.99), weight_decay=0)
    schedule = rise_and_fall(optimizer, LEARNING_RATE, recipe.vae_steps)

    def step(_: int, generator: torch.Generator) -> float:
        x = _crops(pixels_NHWC, recipe, generator)
        posterior = vae.encode(x).latent_dist
        latents = posterior.mean + posterior.std * torch.randn(posterior.mean.shape, generator=generator)
        y = vae.decode(latents).sample
        error = (y - x).abs().mean()
        loss = error + EDGE_WEIGHT * _edge_error(x, y) + KL_WEIGHT * posterior.kl().mean() / latents[0].numel()
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(vae.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        return error.item()

    run_steps(folder / "vae.pt", recipe.vae_steps, {"vae": vae, "optimizer": optimizer, "schedule": schedule}, step, recipe.seed)
    return vae.eval().requires_grad_(False)


@torch.no_grad()
def encode_all(file: Path, vae: AutoencoderKL, pixels_NHWC: np.ndarray) -> Tensor:
    """Posterior means of all drawings, (N, 16, h, w) float16; sets the VAE's shift and scaling factor from them."""
    if not file.exists():
        means = [vae.encode(to_model_range(pixels_NHWC[i : i + 32])).latent_dist.mean.half() for i in range(0, len(pixels_NHWC), 32)]
        torch.save(torch.cat(means), file)
    latents = torch.load(file, weights_only=True, mmap=True)
    some = latents[:: max(1, len(latents) // 2000)].float()
    vae.register_to_config(shift_factor=round(some.mean().item(), 4), scaling_factor=round(1 / some.std().item(), 4))
    return latents


def to_model_range(pixels_NHWC: np.ndarray) -> Tensor:
    """uint8 NHWC -> float32 NCHW in [-1, 1]."""
    x = torch.from_numpy(np.array(pixels_NHWC)).permute(0, 3, 1, 2)
    return (x.float() / 127.5 - 1).contiguous(memory_format=torch.channels_last)


def _crops(pixels_NHWC: np.ndarray, recipe: Recipe, generator: torch.Generator) -> Tensor:
    size, crop = recipe.image_size, recipe.vae_crop
    picks = torch.randint(0, len(pixels_NHWC), (recipe.vae_batch,), generator=generator).sort().values.tolist()
    corners = 8 * torch.randint(0, (size - crop) // 8 + 1, (recipe.vae_batch, 2), generator=generator)
    return to_model_range(np.stack([pixels_NHWC[i, y : y + crop, x : x + crop] for i, (y, x) in zip(picks, corners.tolist(), strict=True)]))


def _edge_error(x: Tensor, y: Tensor) -> Tensor:
    across = (y.diff(dim=3) - x.diff(dim=3)).abs().mean()
    down = (y.diff(dim=2) - x.diff(dim=2)).abs().mean()
    return across + down
