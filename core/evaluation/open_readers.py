"""Opens the networks a grid is measured with: the offline ones always, stronger ones where the settings name their files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from core.errors import UserError
from core.evaluation.adherence import AdherenceReader, SceneAdherence
from core.evaluation.flexibility import COARSE_COLOURS, DRAWINGS
from core.evaluation.grid import GridRequest
from core.evaluation.readings import ImageVectors, PictureReader
from core.identity.faces import FACE_WEIGHTS, FaceReader, SceneReader, open_face_reader
from core.identity.onnx_faces import LICENCE_NOTICE, OnnxFaces


@dataclass(frozen=True)
class Readers:
    """`faces_reason` says why faces cannot be read, empty where they can; `notes` what else a person should know of what was read by what."""

    pictures: PictureReader
    adherence: AdherenceReader | None
    faces_reason: str
    notes: tuple[str, ...]

    @property
    def content_name(self) -> str:
        """What pictures of one prompt are compared by."""
        if self.pictures.images:
            return self.pictures.images.name
        return DRAWINGS if isinstance(self.pictures.faces, SceneReader) else COARSE_COLOURS

    @property
    def names(self) -> tuple[str, ...]:
        found = [self.pictures.faces.name if self.pictures.faces else "", self.pictures.images.name if self.pictures.images else "", self.adherence.scale.name if self.adherence else ""]
        return tuple(filter(None, found))


def open_readers(request: GridRequest, pictures: Sequence[Image.Image], cache: Path) -> Readers:
    """`pictures` tell photographs from drawings. Raises UserError for a network that was asked for and cannot run."""
    faces, reason = _faces(request, pictures)
    images: ImageVectors | None = None
    if request.image_model:
        from core.evaluation.image_vectors import DinoVectors

        images = DinoVectors(Path(request.image_model))
    return Readers(PictureReader(faces, images, cache), _adherence(request, faces), reason, (LICENCE_NOTICE,) if isinstance(faces, OnnxFaces) else ())


def _adherence(request: GridRequest, faces: FaceReader | None) -> AdherenceReader | None:
    if isinstance(faces, SceneReader):
        return SceneAdherence(faces)
    if not request.text_image_model:
        return None
    from core.evaluation.text_image import TextImage

    return TextImage(Path(request.text_image_model))


def _faces(request: GridRequest, pictures: Sequence[Image.Image]) -> tuple[FaceReader | None, str]:
    """The reader, or None with the reason. A network that was asked for and cannot run is an error, not a reason."""
    try:
        faces = open_face_reader(Path(request.model_path), FACE_WEIGHTS, pictures)
    except UserError as error:
        return None, f"Faces were not read. {error.what} {error.fix}"
    if request.face_model and not isinstance(faces, SceneReader):
        return OnnxFaces(faces, Path(request.face_model)), ""
    return faces, ""
