"""The mathematics of rectified flow as FLUX.1 uses it: noise levels, interpolation, velocity target, packing, positions.

Shapes: B batch, C latent channels (16), H W latent sides (pixels / 8), N = H W / 4 image tokens, L text tokens, D width.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

# FLUX.1-dev's scheduler_config.json: the shift grows in a line from 256 to 4096 image tokens.
BASE_TOKENS, MAX_TOKENS = 256, 4096
BASE_SHIFT, MAX_SHIFT = 0.5, 1.15


@dataclass(frozen=True)
class FlowSample:
    """noisy = (1 - sigma) latents + sigma noise, and the velocity the model shall predict there, noise - latents."""

    noisy_BCHW: Tensor
    target_BCHW: Tensor
    sigma_B: Tensor


def flux_mu(image_tokens: int) -> float:
    """Shift exponent for a picture of that many tokens (black-forest-labs/flux, sampling.py)."""
    slope = (MAX_SHIFT - BASE_SHIFT) / (MAX_TOKENS - BASE_TOKENS)
    return BASE_SHIFT + slope * (image_tokens - BASE_TOKENS)


def shift_sigmas(sigma: Tensor, mu: float) -> Tensor:
    """Move noise levels in (0, 1] toward 1 by e^mu."""
    factor = math.exp(mu)
    return factor * sigma / (1 + (factor - 1) * sigma)


def draw_sigmas(count: int, kind: str, image_tokens: int, generator: torch.Generator) -> Tensor:
    """Noise levels in [1e-4, 1], shape (count,). `kind` is flux_shift, sigmoid or uniform."""
    if kind == "uniform":
        return torch.rand(count, generator=generator).clamp(1e-4, 1.0)
    sigma = torch.sigmoid(torch.randn(count, generator=generator))
    if kind == "flux_shift":
        sigma = shift_sigmas(sigma, flux_mu(image_tokens))
    elif kind != "sigmoid":
        raise ValueError(f"kind is {kind!r}; it must be flux_shift, sigmoid or uniform")
    return sigma.clamp(1e-4, 1.0)


def draw_noise(shape: tuple[int, ...], offset: float, generator: torch.Generator) -> Tensor:
    """Gaussian noise BCHW; `offset` adds a constant per picture and channel (in noise and target alike)."""
    noise = torch.randn(shape, generator=generator)
    if offset:
        noise = noise + offset * torch.randn((*shape[:2], 1, 1), generator=generator)
    return noise


def add_noise(latents_BCHW: Tensor, noise_BCHW: Tensor, sigma_B: Tensor) -> FlowSample:
    """Straight path from latents (sigma 0) to noise (sigma 1), all in float32."""
    sigma = sigma_B.view(-1, 1, 1, 1)
    return FlowSample((1 - sigma) * latents_BCHW + sigma * noise_BCHW, noise_BCHW - latents_BCHW, sigma_B)


def snr_weights(sigma_B: Tensor, gamma: float) -> Tensor:
    """min(1, gamma / SNR) with SNR = ((1 - sigma) / sigma)^2; ones when gamma is 0.

    This is the factor min-SNR-gamma (arXiv 2303.09556) puts on the default loss of noise-predicting models,
    carried over to the velocity loss: noise levels with SNR <= gamma keep their full weight.
    """
    if gamma == 0:
        return torch.ones_like(sigma_B)
    snr = ((1 - sigma_B) / sigma_B) ** 2
    return (gamma / snr.clamp_min(1e-12)).clamp(max=1.0)


def pack(latents_BCHW: Tensor) -> Tensor:
    """BCHW -> (B, N, 4C): each token is a 2x2 square of latents."""
    batch, channels, height, width = latents_BCHW.shape
    squares = latents_BCHW.view(batch, channels, height // 2, 2, width // 2, 2)
    return squares.permute(0, 2, 4, 1, 3, 5).reshape(batch, height * width // 4, channels * 4)


def unpack(tokens_BND: Tensor, height: int, width: int) -> Tensor:
    """The inverse of pack; height and width are those of the latents."""
    batch, _, depth = tokens_BND.shape
    squares = tokens_BND.view(batch, height // 2, width // 2, depth // 4, 2, 2)
    return squares.permute(0, 3, 1, 4, 2, 5).reshape(batch, depth // 4, height, width)


def image_positions(height: int, width: int) -> Tensor:
    """(N, 3) float32: 0, row, column of each token; height and width are those of the latents."""
    rows, columns = torch.meshgrid(torch.arange(height // 2), torch.arange(width // 2), indexing="ij")
    return torch.stack((torch.zeros_like(rows), rows, columns), dim=-1).reshape(-1, 3).float()


def velocity_loss(velocity_BCHW: Tensor, sample: FlowSample) -> Tensor:
    """Mean squared error per picture in float32, shape (B,)."""
    return (velocity_BCHW.float() - sample.target_BCHW.float()).pow(2).mean(dim=(1, 2, 3))
