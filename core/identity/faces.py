"""Faces: where they are in a picture, which way they look, how much of it they fill; one interface for photos and drawings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal, Protocol, runtime_checkable

import numpy as np
from PIL import Image
from pydantic import BaseModel, ConfigDict

from core.loading import LOADING

Angle = Literal["front view", "three-quarter view", "profile view"]
Facing = Literal["left", "right"]
Framing = Literal["close-up", "portrait", "half body", "full body"]
ANGLES: tuple[Angle, ...] = ("front view", "three-quarter view", "profile view")
FRAMINGS: tuple[Framing, ...] = ("close-up", "portrait", "half body", "full body")
# Degrees. With yaw from five landmarks these bins agree with the truth in 94 % of 16 labelled photos (docs/experiments.md, faces).
FRONT_YAW, PROFILE_YAW = 20.0, 50.0
# Height of the face's box over that of the picture; seen: head and shoulders .38-.55, to the waist .29, to the thighs .15-.17.
CLOSE_UP_SHARE, PORTRAIT_SHARE, HALF_BODY_SHARE = 0.55, 0.30, 0.12
# YuNet and SFace with their licences.
FACE_WEIGHTS = Path("presets/faces")
# A network that reads faces of its own kind of pictures lies in the folder of the model that draws them.
JUDGE_FILE = "judge.safetensors"


class Face(BaseModel):
    """`box` is left, top, width, height in shares of the picture; left and right are the picture's sides.

    `light` is None where the reader has no word for it. `landmarks` (eyes, nose, corners of the mouth, in shares of the picture) and `yaw` (degrees, positive towards the picture's right)
    are None where the reader does not locate the face.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    box: tuple[float, float, float, float]
    score: float
    angle: Angle
    facing: Facing
    framing: Framing
    light: str | None = None
    yaw: float | None = None
    landmarks: tuple[tuple[float, float], ...] | None = None

    @property
    def area(self) -> float:
        return self.box[2] * self.box[3]


class FaceReader(Protocol):
    """`name` says what it is and changes with its weights; `stranger` and `same_person` are cosines of its embeddings: the mean of different people, and the line above which two are one."""

    name: str
    stranger: float
    same_person: float

    def find(self, image: Image.Image) -> tuple[Face, ...]:
        """The faces of an RGB picture, largest first."""

    def turn_of(self, image: Image.Image, faces: Sequence[Face]) -> int:
        """Degrees clockwise that would set the picture upright, a multiple of 90; 0 where it is upright or one cannot tell. `faces` are those `find` found in it."""

    def tilt_of(self, image: Image.Image, faces: Sequence[Face]) -> float | None:
        """Degrees by which the largest of the faces `find` found leans clockwise, up to 45 either way; None where the reader does not locate faces or cannot tell."""

    def embed(self, image: Image.Image, face: Face) -> np.ndarray:
        """A unit vector, float32, of who it is. It is biometric data: it stays in memory or in data/cache."""


@runtime_checkable
class SceneReader(Protocol):
    """A face reader that also has words for what a picture shows: attributes with their values."""

    name: str

    @property
    def attributes(self) -> Mapping[str, Sequence[str | bool]]:
        """The values of each attribute; an attribute of booleans is there or not."""

    def scene(self, image: Image.Image) -> dict[str, str | bool]:
        """The value of each attribute in an RGB picture."""


def open_face_reader(model_path: Path, weights: Path, pictures: Sequence[Image.Image]) -> FaceReader:
    """The reader a model brings with it if these pictures are of its kind, else that of photographs. Raises UserError, with the reason, when it cannot run."""
    if (model_path / JUDGE_FILE).is_file():
        with LOADING:
            from core.identity.drawn_faces import DrawnFaces

        drawn_faces = DrawnFaces(model_path / JUDGE_FILE)
        if drawn_faces.knows(pictures):
            return drawn_faces
    with LOADING:
        from core.identity.photo_faces import PhotoFaces

    return PhotoFaces(weights)


def angle_of(yaw: float) -> Angle:
    if abs(yaw) < FRONT_YAW:
        return "front view"
    return "three-quarter view" if abs(yaw) <= PROFILE_YAW else "profile view"


def framing_of(share: float) -> Framing:
    """From the face's height over the picture's."""
    if share >= CLOSE_UP_SHARE:
        return "close-up"
    if share >= PORTRAIT_SHARE:
        return "portrait"
    return "half body" if share >= HALF_BODY_SHARE else "full body"
