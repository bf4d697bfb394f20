"""Faces of photographs: YuNet finds them, SFace tells who they are, both through OpenCV on the CPU."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from core.errors import UserError
from core.identity.faces import Face, angle_of, framing_of
from core.identity.pose import UPRIGHT_5X2, roll_of, upright_map, yaw_of

DETECTOR, DETECTOR_SHA256 = "face_detection_yunet_2023mar_int8bq.onnx", "49f000ec501fef24739071fc7e68267d32209045b6822c0c72dce1da25726f10"
RECOGNISER, RECOGNISER_SHA256 = "face_recognition_sface_2021dec_int8bq.onnx", "fb143eea07838aa532d1c95df5f69899974ea0140e1fba05e94204be13ed74ee"
LEAST_SCORE, LARGEST_OVERLAP, MOST_FACES = 0.7, 0.3, 50
# YuNet was trained on faces of 10 to 300 pixels: large ones are found in the small pictures, small ones in the large.
SIDES, SIDE_FOR_SMALL_FACES, SMALL_FACE = (320, 640), 1280, 0.06
LARGEST_ENLARGEMENT = 2.0
CROP_SIDE = 112
# YuNet takes every face for an upright one, but is less sure of those that lie: at most .924 (docs/experiments.md, sideways).
SURELY_UPRIGHT, LEAST_GAIN, LEAST_TURNED_SCORE = 0.925, 0.03, 0.8
# YuNet draws its landmarks towards upright ones: of a lean of 25 degrees it shows 17. So the picture is turned back by what was seen and looked at again, until
# little is left; then the lean is right to 3 degrees on average up to 25, to 5 up to 40 (docs/experiments.md, tilt).
STRAIGHT, MOST_LOOKS, LARGEST_TILT = 2.0, 3, 45.0
# Around a turned picture: gray attracts no face.
SURROUND = (110, 110, 110)
# In faces: what is turned with a face whose tilt is measured; at that size the face has about 107 pixels.
ROOM_TO_TURN, NEAR_SIDE = 3.0, 320
# Clockwise; Pillow turns the other way.
TURNS = {90: Image.Transpose.ROTATE_270, 180: Image.Transpose.ROTATE_180, 270: Image.Transpose.ROTATE_90}


class PhotoFaces:
    """Safe to use from several threads: each has networks of its own, because OpenCV's keep state."""

    name = "YuNet 2023mar and SFace 2021dec"
    # Of 83 photos of 24 people: mean cosine of different people .12; .363 is the line SFace's authors give (docs/experiments.md, faces).
    stranger = 0.12
    same_person = 0.363

    def __init__(self, weights: Path) -> None:
        self._cv2 = _opencv()
        self._weights = tuple(_checked(weights / name, digest) for name, digest in ((DETECTOR, DETECTOR_SHA256), (RECOGNISER, RECOGNISER_SHA256)))
        self._own = threading.local()

    def find(self, image: Image.Image) -> tuple[Face, ...]:
        rows = [row for side in SIDES for row in self._detect(image, side)]
        if max((row[3] for row in rows), default=0.0) < SMALL_FACE:
            rows += self._detect(image, SIDE_FOR_SMALL_FACES)
        if not rows:
            return ()
        size = np.array(image.size * 2, dtype=float)
        kept = self._cv2.dnn.NMSBoxes([tuple(row[:4] * size) for row in rows], [float(row[14]) for row in rows], LEAST_SCORE, LARGEST_OVERLAP)
        return tuple(sorted((_face(rows[i], image.size) for i in np.array(kept).flatten()), key=lambda face: -face.area))

    def turn_of(self, image: Image.Image, faces: Sequence[Face]) -> int:
        score = max((face.score for face in faces), default=0.0)
        if score >= SURELY_UPRIGHT:
            return 0
        small = image.copy()
        small.thumbnail((max(SIDES), max(SIDES)), Image.Resampling.BOX)
        scores = {turn: max((row[14] for side in SIDES for row in self._detect(small.transpose(how), side)), default=0.0) for turn, how in TURNS.items()}
        best = max(scores, key=lambda turn: scores[turn])
        return best if scores[best] >= max(LEAST_TURNED_SCORE, score + LEAST_GAIN) else 0

    def tilt_of(self, image: Image.Image, faces: Sequence[Face]) -> float | None:
        if not faces:
            return None
        tilt = left = _roll(faces[0], image)
        near = _surround(image, faces[0]) if abs(left) >= STRAIGHT else image
        for _ in range(MOST_LOOKS):
            if abs(left) < STRAIGHT:
                break
            found = self._detect(near.rotate(tilt, Image.Resampling.BILINEAR, fillcolor=SURROUND), NEAR_SIDE)
            if not found:
                return None
            left = _roll(_face(min(found, key=_from_the_middle), near.size), near)
            tilt += left
        return round(tilt, 1) if abs(tilt) <= LARGEST_TILT else None

    def embed(self, image: Image.Image, face: Face) -> np.ndarray:
        """128 numbers."""
        crop = upright_crop(image, face)
        _, recogniser = self._networks()
        recogniser.setInput(self._cv2.dnn.blobFromImage(crop, 1.0, (CROP_SIDE, CROP_SIDE)), "data")
        embedding = recogniser.forward().flatten()
        return embedding / np.linalg.norm(embedding)

    def _detect(self, image: Image.Image, side: int) -> list[np.ndarray]:
        """YuNet's rows at one size, in shares of the picture: box (4), landmarks (10), score."""
        scale = min(side / max(image.size), LARGEST_ENLARGEMENT)
        width, height = (max(1, round(length * scale)) for length in image.size)
        detector, _ = self._networks()
        detector.setInputSize((width, height))
        resized = image.resize((width, height), Image.Resampling.BOX if scale < 1 else Image.Resampling.BILINEAR)
        _, found = detector.detect(np.asarray(resized)[:, :, ::-1].copy())
        if found is None:
            return []
        shares = np.array([*(width, height) * 7, 1.0])
        return list(found / shares)

    def _networks(self) -> tuple[Any, Any]:
        if not hasattr(self._own, "networks"):
            detector, recogniser = (np.frombuffer(weights, dtype=np.uint8) for weights in self._weights)
            none = np.empty(0, dtype=np.uint8)
            self._own.networks = (
                self._cv2.FaceDetectorYN.create("onnx", detector, none, (320, 320), LEAST_SCORE, LARGEST_OVERLAP, MOST_FACES),
                self._cv2.dnn.readNetFromONNX(recogniser),
            )
        return self._own.networks


def _opencv() -> Any:
    try:
        import cv2
    except ImportError as error:
        raise UserError(f"OpenCV cannot be loaded: {error}.", "opencv-python-headless", "Run: pip install -r requirements.txt") from None
    # It warns about targets that are not there; what matters raises.
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_ERROR)
    return cv2


def _checked(file: Path, digest: str) -> bytes:
    try:
        content = file.read_bytes()
    except OSError as error:
        raise UserError(f"A face network is missing: {error.strerror}.", str(file), "Restore presets/ from the repository.") from None
    if hashlib.sha256(content).hexdigest() != digest:
        raise UserError("A face network is not the one we know.", str(file), "Restore presets/ from the repository.")
    return content


def upright_crop(image: Image.Image, face: Face) -> np.ndarray:
    """A located face as recognition networks were trained on it, (112, 112, 3) RGB."""
    return _upright(image, upright_map(np.array(face.landmarks) * image.size))


def _upright(image: Image.Image, forward_2x3: np.ndarray) -> np.ndarray:
    """The face at 112 x 112 as RGB; shrunk first where it is much larger, so that no detail turns into noise."""
    shrink = max(1.0, 1 / float(np.linalg.norm(forward_2x3[:, 0])))
    small = image.resize([max(1, round(length / shrink)) for length in image.size], Image.Resampling.BOX) if shrink > 1 else image
    factors = np.array([image.width / small.width, image.height / small.height, 1.0])
    square = np.vstack([forward_2x3 * factors, (0, 0, 1)])
    inverse = np.linalg.inv(square)[:2].flatten()
    return np.asarray(small.transform((CROP_SIDE, CROP_SIDE), Image.Transform.AFFINE, tuple(inverse), Image.Resampling.BILINEAR))


def _surround(image: Image.Image, face: Face) -> Image.Image:
    """A square of NEAR_SIDE pixels with the face in the middle; shrunk first where it is larger, so that no detail turns into noise."""
    left, top, width, height = face.box
    side = ROOM_TO_TURN * max(width * image.width, height * image.height)
    step = side / NEAR_SIDE
    small = image.resize([max(1, round(length / step)) for length in image.size], Image.Resampling.BOX) if step > 1 else image
    pixel = step * small.width / image.width
    x, y = (left + width / 2) * small.width - pixel * NEAR_SIDE / 2, (top + height / 2) * small.height - pixel * NEAR_SIDE / 2
    return small.transform((NEAR_SIDE, NEAR_SIDE), Image.Transform.AFFINE, (pixel, 0, x, 0, pixel, y), Image.Resampling.BILINEAR, fillcolor=SURROUND)


def _from_the_middle(row: np.ndarray) -> float:
    return float(np.hypot(row[0] + row[2] / 2 - 0.5, row[1] + row[3] / 2 - 0.5))


def _roll(face: Face, image: Image.Image) -> float:
    return roll_of(np.array(face.landmarks) * image.size)


def _face(row: np.ndarray, size: tuple[int, int]) -> Face:
    landmarks = row[4:14].reshape(len(UPRIGHT_5X2), 2)
    yaw = yaw_of(landmarks * size)
    return Face(
        box=tuple(row[:4].tolist()), score=float(row[14]), yaw=yaw, angle=angle_of(yaw), facing="right" if yaw > 0 else "left",
        framing=framing_of(float(row[3])), landmarks=tuple(map(tuple, landmarks.tolist())),
    )  # fmt: skip
