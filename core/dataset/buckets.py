"""Buckets: the picture sizes photos are trained at, and where each photo is cut to fit one."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from core.errors import UserError

# Heads are at the top: of what must be cut in height, this share comes off the bottom.
SHARE_CUT_AT_BOTTOM = 0.8


@dataclass(frozen=True, order=True)
class Bucket:
    """Sides in pixels, multiples of 16."""

    width: int
    height: int


@dataclass(frozen=True)
class Placement:
    """`crop` is (left, top, right, bottom) in pixels of the upright photo; `scale` above 1 means it is blown up."""

    bucket: Bucket
    crop: tuple[float, float, float, float]
    scale: float


def buckets_for(resolution: int, shortest: int, longest: int, step: int) -> tuple[Bucket, ...]:
    """All sizes in steps of `step` with at most resolution^2 pixels: each width with its tallest height and the other way round.

    The method is kohya's. Raises UserError when the range holds no size, or `step` is no multiple of 16.
    """
    if step <= 0 or step % 16:
        raise UserError(f"Buckets cannot be made in steps of {step}.", "dataset.bucket_step", "FLUX needs a multiple of 16; 64 is usual.")
    area = resolution * resolution
    sizes = {Bucket(side, side) for side in (resolution // step * step,) if shortest <= side <= longest}
    for side in range(-(-shortest // step) * step, longest + 1, step):
        other = min(longest, area // side) // step * step
        if other >= shortest:
            sizes |= {Bucket(side, other), Bucket(other, side)}
    if not sizes:
        raise UserError(
            f"No bucket fits: sides from {shortest} to {longest} in steps of {step}, at most {resolution} x {resolution} pixels.", "dataset.resolution, bucket range", "Widen the bucket range or use a smaller bucket step."
        )
    return tuple(sorted(sizes))


def place(width: int, height: int, buckets: Sequence[Bucket]) -> Placement:
    """The bucket of the nearest shape; among nearly equal shapes the largest the photo fills, or the smallest when it fills none.

    No more is cut than the bucket's shape asks for.
    """
    aspect = math.log(width / height)

    def misfit(bucket: Bucket) -> tuple[float, bool, int]:
        distance = abs(math.log(bucket.width / bucket.height) - aspect)
        area = bucket.width * bucket.height
        is_blown_up = _scale(width, height, bucket) > 1
        return round(distance, 3), is_blown_up, area if is_blown_up else -area

    bucket = min(buckets, key=misfit)
    scale = _scale(width, height, bucket)
    kept_width, kept_height = min(width, bucket.width / scale), min(height, bucket.height / scale)
    left = (width - kept_width) / 2
    top = (height - kept_height) * (1 - SHARE_CUT_AT_BOTTOM)
    return Placement(bucket, (left, top, left + kept_width, top + kept_height), scale)


def crop_loss(placement: Placement, width: int, height: int) -> float:
    """Share of the photo's area that is cut away, 0 to 1."""
    left, top, right, bottom = placement.crop
    return 1 - (right - left) * (bottom - top) / (width * height)


def _scale(width: int, height: int, bucket: Bucket) -> float:
    """What the photo is multiplied by to cover the bucket."""
    return max(bucket.width / width, bucket.height / height)
