"""A stronger face network for photographs: YuNet finds faces, an ArcFace-family ONNX file of your own tells who they are.

The usual files (w600k_r50 of buffalo_l, antelopev2's glint360k) are licensed for non-commercial research only; so nothing is shipped or downloaded here.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from core.errors import UserError
from core.identity.faces import Face, FaceReader
from core.identity.photo_faces import upright_crop

LICENCE_NOTICE = "ArcFace weights such as w600k_r50 and glint360k are licensed for non-commercial research only."
INPUT_SIDE = 112


class OnnxFaces:
    """Detection by `detector`, embeddings by the file. Input (1, 3, 112, 112), RGB in [-1, 1], aligned as ArcFace was trained."""

    # Mean cosine of different people, and the line at one false match in a thousand pairs (docs/EVAL_PROTOCOL.md, sources).
    stranger = 0.02
    same_person = 0.28

    def __init__(self, detector: FaceReader, file: Path) -> None:
        self._detector = detector
        self._session = _session(file)
        self._input = self._session.get_inputs()[0].name
        shape = self._session.get_inputs()[0].shape
        if list(shape[1:]) != [3, INPUT_SIDE, INPUT_SIDE]:
            raise UserError(f"This network takes {shape}, not pictures of 3 x 112 x 112.", str(file), "Choose a recognition network of the ArcFace family.")
        self.name = f"{detector.name}, then {file.name} {hashlib.sha256(file.read_bytes()).hexdigest()[:12]}"

    def find(self, image: Image.Image) -> tuple[Face, ...]:
        return self._detector.find(image)

    def turn_of(self, image: Image.Image, faces: Sequence[Face]) -> int:
        return self._detector.turn_of(image, faces)

    def tilt_of(self, image: Image.Image, faces: Sequence[Face]) -> float | None:
        return self._detector.tilt_of(image, faces)

    def embed(self, image: Image.Image, face: Face) -> np.ndarray:
        pixels = upright_crop(image, face).astype(np.float32)
        blob = ((pixels - 127.5) / 127.5).transpose(2, 0, 1)[None]
        embedding = self._session.run(None, {self._input: blob})[0][0]
        return embedding / np.linalg.norm(embedding)


def _session(file: Path):
    if not file.is_file():
        raise UserError("The face network is not there.", str(file), "Put its .onnx file into models/, or leave evaluation.face_model empty.")
    try:
        import onnxruntime
    except ImportError:
        raise UserError("onnxruntime is not installed, which an ONNX face network needs.", "evaluation.face_model", "Run: pip install onnxruntime (or onnxruntime-gpu, never both).") from None
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    try:
        return onnxruntime.InferenceSession(str(file), options, providers=[name for name in ("CUDAExecutionProvider", "CPUExecutionProvider") if name in onnxruntime.get_available_providers()])
    except Exception as error:  # onnxruntime raises classes of its own that it does not export
        raise UserError(f"The face network cannot be loaded: {str(error).splitlines()[0][:200]}", str(file), "Choose a whole .onnx file of the ArcFace family.") from None
