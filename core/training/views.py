"""Which way the head looks in each photo, so that no photo is held out that is the only one of its view."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch

from core.dataset.folder import Sample
from core.dataset.imaging import open_reduced
from core.durable import sha256_of
from core.errors import UserError
from core.identity.faces import ANGLES, FACE_WEIGHTS, Face, open_face_reader
from core.training.cache import Cache, cache_key

READ_SIDE = 640
SIDES = ("left", "right")


def views_of(samples: Sequence[Sample], model_path: Path, cache: Cache) -> list[str | None]:
    """A view such as 'profile view left' per photo; None where no face was found, and everywhere when faces cannot be read."""
    keys = [cache_key("view", READ_SIDE, model_path, sha256_of(sample.image)) for sample in samples]
    kept = [cache.get(key) for key in keys]
    if all(entry is not None for entry in kept):
        return [_words(entry["view"].tolist()) for entry in kept]
    images = [open_reduced(sample.image, READ_SIDE)[0] for sample in samples]
    try:
        reader = open_face_reader(model_path, FACE_WEIGHTS, images)
    except UserError:
        return [None] * len(samples)
    views = []
    for key, image in zip(keys, images, strict=True):
        faces = reader.find(image)
        views.append(_words(cache.put(key, {"view": torch.tensor(_numbers(faces[0]) if faces else [], dtype=torch.int64)})["view"].tolist()))
    return views


def _numbers(face: Face) -> list[int]:
    return [ANGLES.index(face.angle), SIDES.index(face.facing)]


def _words(numbers: list[int]) -> str | None:
    if not numbers:
        return None
    angle, side = ANGLES[numbers[0]], SIDES[numbers[1]]
    return angle if angle == "front view" else f"{angle} {side}"
