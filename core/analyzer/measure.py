"""What is measured of each photo: read once, at a reduced size, and kept on disk by content, so that a second look is instant."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import imagehash
import numpy as np
from PIL import Image, ImageOps
from pydantic import ValidationError

from core.analyzer.photo import GRAY_SIDE, Look, Measures, Person
from core.dataset.clean import conversions_of
from core.dataset.folder import Problem, Sample
from core.dataset.imaging import format_of, frame_count, open_reduced
from core.durable import write_if_possible
from core.errors import UserError
from core.identity.face_pixels import light_of, sharpness_of
from core.identity.faces import Face, FaceReader

# Faces, hashes and light need no more; a face of 160 pixels in a photo of 12 MP is still 64 wide.
MEASURED_SIDE = 1600
# Hashes look at 32 x 32 pixels at most.
HASH_SIDE = 512
# A smaller face has too few pixels to call it blurred (measured on faces of 200 pixels and more: docs/experiments.md, faces).
SHARP_FACE_PIXELS = 160
# Changes with anything that changes a measure.
VERSION = 5
WORKERS = 2


def measure_all(samples: Sequence[Sample], reader: FaceReader | None, cache: Path) -> Iterator[Measures | Problem]:
    """In the order of the samples; two at a time, because decoding and networks leave Python's lock. A photo that cannot be read is a Problem."""
    with ThreadPoolExecutor(WORKERS) as pool:
        yield from pool.map(lambda sample: _measured(sample, reader, cache), samples)


def measure(file: Path, reader: FaceReader | None) -> Measures:
    """Raises UserError for a photo that cannot be read."""
    image, (width, height) = open_reduced(file, MEASURED_SIDE)
    small = image.copy()
    small.thumbnail((HASH_SIDE, HASH_SIDE), Image.Resampling.LANCZOS)
    faces = reader.find(image) if reader else ()
    return Measures(
        format=format_of(file), frames=frame_count(file), width=width, height=height, digest=hashlib.sha256(f"{image.size}".encode() + image.tobytes()).hexdigest(),
        look=_look(small), mirrored=_look(ImageOps.mirror(small)), faces=faces, person=_person(image, height, faces[0], reader) if faces else None,
        turn=reader.turn_of(image, faces) if reader else 0, tilt=reader.tilt_of(image, faces) if reader else None, conversions=conversions_of(file), chroma=_chroma(small),
    )  # fmt: skip


def _measured(sample: Sample, reader: FaceReader | None, cache: Path) -> Measures | Problem:
    try:
        kept = cache / f"{_content_of(sample.image)}-{_reader_key(reader)}.json"
        known = _read(kept)
        if known:
            return known
        found = measure(sample.image, reader)
    except UserError as error:
        return Problem(sample.image, error.what, error.fix)
    write_if_possible(kept, found.model_dump_json().encode())
    return found


def _read(kept: Path) -> Measures | None:
    try:
        return Measures.model_validate_json(kept.read_bytes())
    except (OSError, ValidationError):
        return None


def _content_of(file: Path) -> str:
    """Raises UserError for a file that cannot be read."""
    try:
        with file.open("rb") as opened:
            return hashlib.file_digest(opened, "sha256").hexdigest()[:32]
    except OSError as error:
        raise UserError(f"The photo cannot be read: {error.strerror}.", str(file), "Give read permission on it.") from None


def _reader_key(reader: FaceReader | None) -> str:
    return hashlib.sha256(f"{VERSION} {MEASURED_SIDE} {reader.name if reader else 'no faces'}".encode()).hexdigest()[:8]


def _person(image: Image.Image, full_height: int, face: Face, reader: FaceReader) -> Person:
    tall = face.box[3] * full_height
    is_located = face.landmarks is not None
    return Person(
        embedding=tuple(np.round(reader.embed(image, face), 5).tolist()), face_pixels=round(tall),
        sharpness=sharpness_of(image, face) if is_located and tall >= SHARP_FACE_PIXELS else None, light=light_of(image, face) if is_located else None,
    )  # fmt: skip


def _chroma(image: Image.Image) -> int:
    values = np.asarray(image, dtype=np.int16)
    return round(float(np.percentile(values.max(2) - values.min(2), 99)))


def _look(image: Image.Image) -> Look:
    gray = image.convert("L").resize((GRAY_SIDE, GRAY_SIDE), Image.Resampling.BOX)
    return Look(phash=int(str(imagehash.phash(image)), 16), dhash=int(str(imagehash.dhash(image)), 16), gray=gray.tobytes())
