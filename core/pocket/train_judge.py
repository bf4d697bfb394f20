"""Trains the judge of drawn people: metric learning on who it is, classification of what the scene shows."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from diffusers import AutoencoderKL
from torch import Tensor

from core.identity.drawn import DrawnJudge
from core.pocket.drawings import LABELS, Drawings
from core.pocket.loop import rise_and_fall, run_steps
from core.pocket.recipe import Recipe
from core.pocket.train_autoencoder import to_model_range

TEMPERATURE = 0.1
PICTURES_PER_PERSON = 4
LEARNING_RATE = 2e-3
# Pictures of these first people are shown as the VAE redraws them, because the judge will look at generated pictures.
REDRAWN_SHARE = 0.1


def train_judge(folder: Path, recipe: Recipe, drawings: Drawings, latents_NCHW: Tensor, vae: AutoencoderKL) -> DrawnJudge:
    torch.manual_seed(recipe.seed + 5)
    judge = DrawnJudge(LABELS).train()
    optimizer = torch.optim.AdamW(judge.parameters(), LEARNING_RATE, weight_decay=0.05)
    schedule = rise_and_fall(optimizer, LEARNING_RATE, recipe.judge_steps)
    redrawn = _redraw(folder / "redrawn.npy", recipe, latents_NCHW, vae)
    labels = torch.from_numpy(drawings.labels_NK)

    def step(_: int, generator: torch.Generator) -> float:
        people = torch.randperm(recipe.people, generator=generator)[: recipe.judge_people]
        people[: recipe.judge_people // 3] %= max(1, len(redrawn) // recipe.pictures_each)
        rows = torch.cat([p * recipe.pictures_each + torch.randperm(recipe.pictures_each, generator=generator)[:PICTURES_PER_PERSON] for p in people])
        pixels = np.stack([redrawn[row] if row < len(redrawn) else drawings.pixels_NHWC[row] for row in rows.tolist()])
        embeddings, scene = judge(_roughen(to_model_range(pixels), generator))
        loss = _contrast(embeddings, people.repeat_interleave(PICTURES_PER_PERSON))
        for column, logits in enumerate(scene.values()):
            loss = loss + 0.3 * F.cross_entropy(logits, labels[rows, column])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        return loss.item()

    run_steps(folder / "judge.pt", recipe.judge_steps, {"judge": judge, "optimizer": optimizer, "schedule": schedule}, step, recipe.seed + 6)
    return judge.eval().requires_grad_(False)


@torch.no_grad()
def _redraw(file: Path, recipe: Recipe, latents_NCHW: Tensor, vae: AutoencoderKL) -> np.ndarray:
    if not file.exists():
        count = int(recipe.people * REDRAWN_SHARE + 1) * recipe.pictures_each
        pictures = []
        for start in range(0, count, 32):
            decoded = vae.decode(latents_NCHW[start : min(start + 32, count)].float()).sample.clamp(-1, 1)
            pictures.append(((decoded + 1) * 127.5).round().byte().permute(0, 2, 3, 1).numpy())
        np.save(file, np.concatenate(pictures))
    return np.load(file, mmap_mode="r")


def _roughen(x: Tensor, generator: torch.Generator) -> Tensor:
    """Blur some, shift brightness, add noise: a generated picture is never as clean as a drawing."""
    side = int(torch.randint(56, 129, (1,), generator=generator))
    x = F.interpolate(F.interpolate(x, size=side, mode="area"), size=x.shape[-1], mode="bilinear")
    brightness = 1 + 0.1 * torch.randn((len(x), 1, 1, 1), generator=generator)
    return x * brightness + 0.04 * torch.randn(x.shape, generator=generator)


def _contrast(embeddings_BD: Tensor, people_B: Tensor) -> Tensor:
    """Supervised contrastive loss (arXiv 2004.11362, equation 2)."""
    itself = torch.eye(len(people_B), dtype=torch.bool)
    similar = (embeddings_BD @ embeddings_BD.T / TEMPERATURE).masked_fill(itself, float("-inf"))
    log_share = similar - similar.logsumexp(dim=1, keepdim=True)
    same = (people_B[:, None] == people_B[None, :]) & ~itself
    return -(log_share.masked_fill(~same, 0).sum(dim=1) / same.sum(dim=1).clamp_min(1)).mean()
