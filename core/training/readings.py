"""Whose face each photo shows and which way it looks: read once, kept by content; samples are compared with it, and no photo is held out that is the only one of its view."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from core.dataset.folder import Sample
from core.dataset.imaging import open_reduced
from core.durable import sha256_of
from core.errors import UserError
from core.identity.faces import FACE_WEIGHTS, FaceReader, open_face_reader
from core.identity.likeness import FaceReading, read_face
from core.training.cache import Cache, cache_key

# Larger than any sample, so that a face in a photo of the whole body still has pixels.
READ_SIDE = 1024
# So many pictures, and so large, tell drawings from photographs.
KIND_PICTURES, KIND_SIDE = 12, 256


@dataclass(frozen=True)
class Readings:
    """The face in each photo by the photo's name, None where there is none; without a `reader` nothing was read, and `reason` says why."""

    reader: FaceReader | None
    faces: Mapping[str, FaceReading | None]
    reason: str = ""


NOTHING_READ = Readings(None, {})


def read_photos(samples: Sequence[Sample], model_path: Path, cache: Cache) -> Readings:
    """Embeddings are biometric data: they stay in memory and in the cache, which goes with the person."""
    try:
        reader = open_face_reader(model_path, FACE_WEIGHTS, [open_reduced(sample.image, KIND_SIDE)[0] for sample in samples[:KIND_PICTURES]])
        return Readings(reader, {sample.name: _read(sample, reader, cache) for sample in samples})
    except Exception as error:  # a run without faces is worth more than none
        return Readings(None, {}, reason_of(error))


def reason_of(error: Exception) -> str:
    """Why faces were not read. The networks are others' code and fail in ways of their own."""
    return f"{error.what} {error.fix}" if isinstance(error, UserError) else f"{type(error).__name__}: {error}."


def views_of(samples: Sequence[Sample], readings: Readings) -> list[str | None]:
    """A view such as 'profile view left' per photo; None where no face was found, and everywhere when faces cannot be read."""
    return [_view(readings.faces.get(sample.name)) for sample in samples]


def _read(sample: Sample, reader: FaceReader, cache: Cache) -> FaceReading | None:
    key = cache_key("face", READ_SIDE, reader.name, sha256_of(sample.image))
    entry = cache.get(key)
    if entry is None:
        found = read_face(reader, open_reduced(sample.image, READ_SIDE)[0], sample.name)
        entry = cache.put(key, {"embedding": torch.from_numpy(found.embedding), "yaw": torch.tensor([found.yaw])} if found else {"embedding": torch.zeros(0)})
    embedding = entry["embedding"].numpy()
    return FaceReading(sample.name, embedding.astype(np.float32), entry["yaw"].item()) if embedding.size else None


def _view(face: FaceReading | None) -> str | None:
    if face is None:
        return None
    side = "right" if face.yaw > 0 else "left"
    return face.angle if face.angle == "front view" else f"{face.angle} {side}"
