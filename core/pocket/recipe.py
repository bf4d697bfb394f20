"""How much of everything the pocket FLUX is made of: sizes, steps and seeds of each stage of the build."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Recipe:
    """Counts of drawings and optimizer steps; the same recipe and seed give the same weights on the same machine."""

    seed: int = 20261123
    image_size: int = 128
    people: int = 3500
    pictures_each: int = 6
    vae_channels: tuple[int, ...] = (16, 32, 64, 96)
    vae_steps: int = 4500
    vae_batch: int = 16
    vae_crop: int = 64
    hidden: int = 192
    heads: int = 6
    rope_axes: tuple[int, int, int] = (8, 12, 12)
    double_blocks: int = 2
    single_blocks: int = 6
    text_tokens: int = 32
    flux_steps: int = 8500
    flux_batch: int = 16
    distil_steps: int = 300
    judge_steps: int = 2400
    judge_people: int = 24


SHIPPED = Recipe()
# Every stage in seconds: proves the path, not the pictures.
REHEARSAL = Recipe(people=24, pictures_each=4, vae_channels=(8, 8, 8, 8), vae_steps=2, vae_batch=4, hidden=64, heads=2, double_blocks=1, single_blocks=1, flux_steps=3, flux_batch=4, distil_steps=2, judge_steps=2, judge_people=4)
