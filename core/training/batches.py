"""Which photos make up which batch: a pure function of seed and position, so a resumed run goes on where it was."""

from __future__ import annotations

import random
from collections.abc import Hashable, Sequence


def batches_of_epoch(groups: Sequence[Hashable], batch_size: int, seed: int, epoch: int) -> list[tuple[int, ...]]:
    """Every photo once, shuffled, each batch from one group (bucket). `groups[i]` is the group of photo i.

    A group whose size is no multiple of batch_size gives one smaller batch.
    """
    order = random.Random(f"{seed}-{epoch}")
    members: dict[Hashable, list[int]] = {}
    for photo, group in enumerate(groups):
        members.setdefault(group, []).append(photo)
    batches = []
    for photos in members.values():
        order.shuffle(photos)
        batches += [tuple(photos[i : i + batch_size]) for i in range(0, len(photos), batch_size)]
    order.shuffle(batches)
    return batches


def batch_at(position: int, groups: Sequence[Hashable], batch_size: int, seed: int) -> tuple[int, ...]:
    """The batch at a position counted from the start of training (0 is the first forward pass)."""
    per_epoch = len(batches_of_epoch(groups, batch_size, seed, 0))
    epoch, place = divmod(position, per_epoch)
    return batches_of_epoch(groups, batch_size, seed, epoch)[place]
