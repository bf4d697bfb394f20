"""A photo as the checks see it: what was measured of its pixels, its caption, its place in a bucket."""

from __future__ import annotations

from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict

from core.dataset.buckets import Placement
from core.dataset.captions import Caption
from core.dataset.clean import Conversion
from core.identity.face_pixels import Light, Sharpness
from core.identity.faces import Face

# Gray thumbnails are GRAY_SIDE x GRAY_SIDE bytes.
GRAY_SIDE = 64


class Look(BaseModel):
    """One orientation of a photo: 64-bit hashes as integers, and its gray thumbnail."""

    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_bytes="base64", val_json_bytes="base64")

    phash: int
    dhash: int
    gray: bytes


class Person(BaseModel):
    """Of the largest face: who it is (biometric, see FaceReader.embed), its height in pixels of the full photo; None where it was too small or not located."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    embedding: tuple[float, ...]
    face_pixels: int
    sharpness: Sharpness | None
    light: Light | None


class Measures(BaseModel):
    """`digest` is of the reduced pixels after EXIF rotation; `faces` come largest first; `turn` is degrees clockwise that would set the photo upright, `tilt` degrees the largest face leans clockwise, None where that cannot be told; `frames` is more than 1 for an animation; `chroma` is how far the most coloured hundredth of the pixels is from gray, 0 to 255."""

    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_bytes="base64", val_json_bytes="base64")

    format: str
    width: int
    height: int
    digest: str
    look: Look
    mirrored: Look
    faces: tuple[Face, ...] = ()
    person: Person | None = None
    turn: int = 0
    tilt: float | None = None
    frames: int = 1
    conversions: tuple[Conversion, ...] = ()
    chroma: int = 255


@dataclass(frozen=True)
class Photo:
    """A readable photo of the dataset."""

    name: str
    suffix: str
    measures: Measures
    placement: Placement
    caption: Caption | None
