"""Which photos are kept aside: those the others cover best, so that little is lost and memorising still shows."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

FEWEST_PHOTOS = 15
# From this many photos on three are held out, below two.
PHOTOS_FOR_THREE = 20
COARSE = 8
# Two photos nearer than this share of the median distance are taken for the same shot: holding one out would test nothing.
SAME_SHOT = 0.25


def held_out_count(photos: int) -> int:
    if photos < FEWEST_PHOTOS:
        return 0
    return 3 if photos >= PHOTOS_FOR_THREE else 2


def choose_held_out(latents: Sequence[Tensor], views: Sequence[str | None]) -> list[int]:
    """Indices to hold out, given each photo's latents (1, C, H, W) of any size and its view of the head, None where it was not read.

    Photos are compared by coarse latents. One after another the photo nearest to those that stay is taken;
    the neighbour that covers it then stays, near-identical shots are left in, and so is the last photo of a view.
    """
    count = held_out_count(len(latents))
    if not count:
        return []
    distance = _distances(latents)
    typical = distance.min(dim=1).values.median()
    chosen: list[int] = []
    cover: set[int] = set()
    for _ in range(count):
        staying = [i for i in range(len(latents)) if i not in chosen]
        candidates = [(distance[i, [j for j in staying if j != i]].min().item(), i) for i in staying if i not in cover and _has_company(i, staying, views)]
        fit = [(gap, i) for gap, i in candidates if gap > SAME_SHOT * typical]
        if not fit:
            break
        _, photo = min(fit)
        chosen.append(photo)
        cover.add(min((j for j in staying if j != photo), key=lambda j: distance[photo, j].item()))
    return sorted(chosen)


def _has_company(photo: int, staying: Sequence[int], views: Sequence[str | None]) -> bool:
    return views[photo] is None or any(views[other] == views[photo] for other in staying if other != photo)


def _distances(latents: Sequence[Tensor]) -> Tensor:
    """Pairwise distance of coarse latents, (N, N) float32, infinite on the diagonal."""
    coarse = torch.cat([F.adaptive_avg_pool2d(latent.float(), COARSE).flatten(1) for latent in latents])
    return torch.cdist(coarse, coarse).fill_diagonal_(float("inf"))
