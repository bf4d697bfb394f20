"""How alike the samples are to the person, measured on the CPU after each round; what keeps it from being measured costs the measure, never the run."""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence

from PIL import Image

from core.errors import UserError
from core.events import LikenessMeasured, Warned
from core.identity.likeness import likeness_at_angle, nearest_photo, read_face, reference_of
from core.training.prepare import Material
from core.training.readings import reason_of

NOT_MEASURED = "The likeness of the samples is not measured: "


def measure_likeness(step: int, pictures: Sequence[Image.Image], material: Material) -> LikenessMeasured | Warned:
    """Of pictures that should show the person, against the photos that are trained."""
    try:
        return _measured(step, pictures, material)
    except Exception as error:
        return Warned(what=f"{NOT_MEASURED}{reason_of(error)} Training goes on.")


def _measured(step: int, pictures: Sequence[Image.Image], material: Material) -> LikenessMeasured:
    began = time.monotonic()
    reader = material.readings.reader
    if reader is None:
        raise UserError(material.readings.reason or "No photo was read.")
    trained = [face for photo in material.photos if (face := material.readings.faces.get(photo.name))]
    reference = reference_of(trained, reader.stranger, reader.same_person)
    faces = [face for number, picture in enumerate(pictures) if (face := read_face(reader, picture, str(number)))]
    values = [likeness_at_angle(reference, face) for face in faces]
    nearest = max((nearest_photo(reference, face.embedding) for face in faces), key=lambda photo: photo.cosine, default=None)
    return LikenessMeasured(
        step=step, pictures=len(pictures), faces=len(faces), mean=statistics.fmean(values) if values else None, spread=statistics.pstdev(values) if values else None,
        nearest=nearest.cosine if nearest else None, nearest_photo=nearest.name if nearest else "", copy_line=reference.copy_cosine, network=reader.name, seconds=time.monotonic() - began,
    )  # fmt: skip
