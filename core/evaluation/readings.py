"""What is read of one picture, photo or drawn: its largest faces, its look, its surface; kept in data/cache by content, because faces are biometric."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import imagehash
import numpy as np
from PIL import Image, ImageOps
from pydantic import BaseModel, ConfigDict, ValidationError

from core.dataset.imaging import open_reduced
from core.durable import write_if_possible
from core.evaluation.copies import Look
from core.identity.face_pixels import laplacian_variance, sharpness_of
from core.identity.faces import Face, FaceReader
from core.identity.likeness import FaceReading, yaw_of_face
from core.identity.skin import SMALLEST_FACE, skin_detail

READ_SIDE = 1600
LOOK_SIDE = 256
# Composition is compared at 12 x 12 colours: places and people move less between two drawings of one prompt than between prompts.
COARSE_SIDE = 12
# The lines the analyzer draws for a blurred face.
BLURRED_LAPLACIAN, BLURRED_REBLUR = 60.0, 0.55
# Changes with anything that changes a reading.
VERSION = 1


class ImageVectors(Protocol):
    """A network that turns a picture into a unit vector of what it shows."""

    name: str

    def vector(self, image: Image.Image) -> np.ndarray: ...


class PictureReading(BaseModel):
    """`embeddings` are of at most two faces, largest first. `coarse` is the look at COARSE_SIDE^2 colours. `vector` is the image network's, empty without one."""

    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_bytes="base64", val_json_bytes="base64")

    faces: tuple[Face, ...] = ()
    embeddings: tuple[tuple[float, ...], ...] = ()
    is_blurred: bool = False
    skin: float | None = None
    sharpness: float
    phash: int
    mirrored_phash: int
    coarse: bytes
    vector: tuple[float, ...] = ()

    def face(self, name: str) -> FaceReading | None:
        """The largest one."""
        return FaceReading(name, np.array(self.embeddings[0]), yaw_of_face(self.faces[0]), self.is_blurred) if self.embeddings else None

    def look(self, name: str) -> Look:
        coarse = np.frombuffer(self.coarse, dtype=np.uint8).reshape(COARSE_SIDE, COARSE_SIDE, 3)
        return Look(name, self.phash, self.mirrored_phash, _unit(coarse), _unit(coarse[:, ::-1]))

    def content(self) -> np.ndarray:
        """For diversity: the image network's vector, else the coarse look."""
        return np.array(self.vector) if self.vector else _unit(np.frombuffer(self.coarse, dtype=np.uint8))


@dataclass(frozen=True)
class PictureReader:
    """Reads pictures with these networks; `cache` is a folder in data/cache."""

    faces: FaceReader | None
    images: ImageVectors | None
    cache: Path

    def read(self, file: Path) -> PictureReading:
        """Raises UserError for a picture that cannot be read."""
        kept = self.cache / f"{_content_of(file)}-{self._key()}.json"
        known = _known(kept)
        if known:
            return known
        found = read_picture(open_reduced(file, READ_SIDE)[0], self.faces, self.images)
        write_if_possible(kept, found.model_dump_json().encode())
        return found

    def _key(self) -> str:
        names = [reader.name if reader else "none" for reader in (self.faces, self.images)]
        return hashlib.sha256(f"{VERSION} {READ_SIDE} {names}".encode()).hexdigest()[:8]


def _known(kept: Path) -> PictureReading | None:
    """None for a picture that was not read before, or by another version."""
    try:
        return PictureReading.model_validate_json(kept.read_bytes())
    except (OSError, ValidationError):
        return None


def read_picture(image: Image.Image, reader: FaceReader | None, images: ImageVectors | None) -> PictureReading:
    small = image.copy()
    small.thumbnail((LOOK_SIDE, LOOK_SIDE), Image.Resampling.LANCZOS)
    faces = reader.find(image)[:2] if reader else ()
    first = faces[0] if faces else None
    return PictureReading(
        faces=faces, embeddings=tuple(tuple(np.round(reader.embed(image, face), 5).tolist()) for face in faces) if reader else (),
        is_blurred=bool(first and _is_blurred(image, first)), skin=skin_detail(image, first) if first else None,
        sharpness=float(np.sqrt(laplacian_variance(np.asarray(small.convert("L"), dtype=np.float64)))), phash=_hash(small), mirrored_phash=_hash(ImageOps.mirror(small)),
        coarse=small.resize((COARSE_SIDE, COARSE_SIDE), Image.Resampling.BOX).tobytes(), vector=tuple(np.round(images.vector(image), 5).tolist()) if images else (),
    )  # fmt: skip


def looks_of(readings: Sequence[tuple[str, PictureReading]]) -> list[Look]:
    return [reading.look(name) for name, reading in readings]


def _is_blurred(image: Image.Image, face: Face) -> bool:
    """Judged only where a face was located and is large enough."""
    if face.landmarks is None or face.box[3] * image.height < SMALLEST_FACE:
        return False
    sharpness = sharpness_of(image, face)
    return sharpness.laplacian < BLURRED_LAPLACIAN or sharpness.reblur > BLURRED_REBLUR


def _hash(image: Image.Image) -> int:
    return int(str(imagehash.phash(image)), 16)


def _unit(colours: np.ndarray) -> np.ndarray:
    """Mean taken out, so that a product of two is their correlation."""
    vector = colours.astype(np.float64).flatten()
    vector -= vector.mean()
    return vector / max(float(np.linalg.norm(vector)), 1e-9)


def _content_of(file: Path) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()[:32]
