"""Measures a drawn grid: reads the person's photos and every cell, and writes scores.json beside the cells. Nothing biometric is in it."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from PIL import Image

from core.dataset.captions import class_caption
from core.dataset.folder import captions_of, open_dataset
from core.dataset.imaging import open_reduced
from core.durable import write_json
from core.errors import UserError
from core.evaluation.adherence import AdherenceReader
from core.evaluation.copies import CopyLines, Look, composition_copy, copy_lines, hash_copy
from core.evaluation.coverage import covered
from core.evaluation.grid import GridCell, GridRequest, StrengthGrid, evaluations_folder
from core.evaluation.open_readers import Readers, open_readers
from core.evaluation.prompts import TWO_PEOPLE_KIND, Prompt
from core.evaluation.readings import PictureReading, looks_of
from core.evaluation.run_of import run_of
from core.evaluation.scores import SCORES_FILE, GridScores, Vectors, measures_of
from core.evaluation.values import PictureScore
from core.events import Phase, RunEvent
from core.identity.likeness import Reference, copy_score, likeness, likeness_at_angle, nearest_photo, photos_at_angle, reference_of


@dataclass(frozen=True)
class Person:
    """The person's photos as read. `reference` is None, with the reason, where likeness cannot be measured; `held_out` are names of photos that were not trained on.

    `asked_for` are numbers of prompts that describe what one of the photos shows: a picture that looks like that photo obeys, and only the face can tell a copy.
    """

    readings: tuple[tuple[str, PictureReading], ...]
    reference: Reference | None
    reason: str
    held_out: frozenset[str]
    asked_for: frozenset[int] = frozenset()

    @cached_property
    def lines(self) -> CopyLines:
        """Of the trained photos."""
        return copy_lines(looks_of([(name, reading) for name, reading in self.readings if name not in self.held_out]))

    @property
    def skins(self) -> list[float]:
        return [reading.skin for _, reading in self.readings if reading.skin is not None]


def score_grid(grid: StrengthGrid, output: Path, should_stop: Callable[[], bool], cache: Path) -> Iterator[RunEvent | GridScores]:
    """Yields progress and, last, the scores. What was read before comes from the cache. A stop leaves the grid unmeasured."""
    folder = evaluations_folder(output) / grid.name
    yield Phase(what="Reading the person's photos")
    readers = open_readers(grid.request, _some_pictures(grid, folder), cache / "readings")
    person = read_person(grid.request, output, readers)
    read: list[tuple[GridCell, PictureReading]] = []
    for done, cell in enumerate(grid.cells):
        yield Phase(what="Measuring", done=done, total=len(grid.cells))
        if should_stop():
            return
        read.append((cell, readers.pictures.read(folder / cell.file)))
    bases = {_key(cell, grid): reading.look(cell.file) for cell, reading in read if cell.strength == 0}
    scores = [score_of(cell, reading, grid, person, bases.get(_key(cell, grid)), readers.adherence, folder) for cell, reading in read]
    vectors: dict[tuple[str, float], Vectors] = {}
    for cell, reading in read:
        vectors.setdefault((grid.request.rows[cell.row].source, cell.strength), {})[_key(cell, grid)] = reading.content()
    found = GridScores(
        scores=tuple(scores), configurations=measures_of(scores, vectors, person.skins, readers.adherence.scale if readers.adherence else None, readers.content_name),
        photos=len(person.readings), left_out=person.reference.left_out if person.reference else (), notes=tuple(filter(None, (person.reason, *readers.notes))), read_by=readers.names,
        own_nearest=person.reference.usual_nearest if person.reference else None, least_adherence=readers.adherence.scale.least if readers.adherence else None,
    )  # fmt: skip
    write_json(folder / SCORES_FILE, found.model_dump(mode="json"))
    yield found


def read_person(request: GridRequest, output: Path, readers: Readers) -> Person:
    """The photos of the request's dataset; those that cannot be read are passed over, the analyzer names them."""
    held_out = _held_out(request, output)
    if not request.dataset:
        return Person((), None, "It is not known which photos this LoRA was trained on, so likeness is not measured.", held_out)
    try:
        samples = open_dataset(Path(request.dataset)).samples
    except UserError as error:
        return Person((), None, f"The person's photos are not there, so likeness is not measured. {error.what}", held_out)
    readings = []
    for sample in samples:
        try:
            readings.append((sample.name, readers.pictures.read(sample.image)))
        except UserError:
            continue
    reader = readers.pictures.faces
    asked_for = frozenset(found.prompt for found in covered(_prompts_of(request), captions_of(samples), {}, request.trigger_word, request.class_word) if found.photo)
    if reader is None:
        return Person(tuple(readings), None, readers.faces_reason, held_out, asked_for)
    try:
        faces = [face for name, reading in readings if (face := reading.face(name))]
        return Person(tuple(readings), reference_of(faces, reader.stranger, reader.same_person), "", held_out, asked_for)
    except UserError as error:
        return Person(tuple(readings), None, f"{error.what} {error.fix}", held_out, asked_for)


def _prompts_of(request: GridRequest) -> list[Prompt]:
    return [Prompt(text, request.kind_of(number)) for number, text in enumerate(request.prompts)]


def score_of(cell: GridCell, reading: PictureReading, grid: StrengthGrid, person: Person, base: Look | None, adherence: AdherenceReader | None, folder: Path) -> PictureScore:
    row, request = grid.request.rows[cell.row], grid.request
    kind, face, reference = request.kind_of(row.prompt), reading.face(cell.file), person.reference
    known = {"prompt": row.prompt, "kind": kind, "seed": cell.seed, "source": row.source, "strength": cell.strength, "sharpness": reading.sharpness, "skin": reading.skin, "asks_for_a_photo": row.prompt in person.asked_for}
    if adherence:
        known["adherence"] = adherence.score(open_reduced(folder / cell.file, 1024)[0], _without_trigger(request, row.prompt))
    copies: dict[str, str] = {}
    if cell.strength and row.prompt not in person.asked_for:
        look = reading.look(cell.file)
        copies = {"picture": hash_copy(look, base, person.lines), "composition": composition_copy(look, base, person.lines)}
    if reference:
        known["has_face"] = face is not None
    if reference and face:
        nearest = nearest_photo(reference, face.embedding)
        known |= {"likeness": likeness(reference, face.embedding), "likeness_at_angle": likeness_at_angle(reference, face), "angle": face.angle, "yaw": face.yaw, "photos_at_angle": photos_at_angle(reference, face.angle), "nearest": nearest.name, "nearest_cosine": nearest.cosine}
        is_copy = cell.strength and reference.copy_cosine is not None and nearest.cosine > reference.copy_cosine and nearest.name not in person.held_out
        copies["face"] = nearest.name if is_copy else ""
        known["copy_score"] = _copy_score(face.embedding, reference, person.held_out)
        if kind == TWO_PEOPLE_KIND and len(reading.embeddings) > 1:
            known["second_face"] = min(likeness(reference, np.array(embedding)) for embedding in reading.embeddings)
    copied = tuple(way for way, photo in sorted(copies.items()) if photo)
    return PictureScore(**known, copied=copied, copy_of=copies[copied[0]] if copied else "")


def _copy_score(embedding: np.ndarray, reference: Reference, held_out: frozenset[str]) -> float | None:
    """Against the nearest trained photo, mean over those held out; None where none was."""
    kept = [i for i, name in enumerate(reference.names) if name in held_out]
    trained = [i for i, name in enumerate(reference.names) if name not in held_out]
    if not kept or not trained:
        return None
    nearest = reference.embeddings_ND[max(trained, key=lambda i: float(reference.embeddings_ND[i] @ embedding))]
    return float(np.mean([copy_score(embedding, reference.embeddings_ND[i], nearest) for i in kept]))


def _held_out(request: GridRequest, output: Path) -> frozenset[str]:
    run = run_of(request.lora, output)
    return run.held_out() if run else frozenset()


def _without_trigger(request: GridRequest, prompt: int) -> str:
    return class_caption(request.prompts[prompt], request.trigger_word, request.class_word) if request.trigger_word else request.prompts[prompt]


def _key(cell: GridCell, grid: StrengthGrid) -> tuple[int, int]:
    return grid.request.rows[cell.row].prompt, cell.seed


def _some_pictures(grid: StrengthGrid, folder: Path) -> list[Image.Image]:
    """The person's photos tell what kind of pictures these are; where there are none, the drawn ones do."""
    files = [folder / cell.file for cell in grid.cells]
    if grid.request.dataset:
        with contextlib.suppress(UserError):  # said when the person is read
            files = [sample.image for sample in open_dataset(Path(grid.request.dataset)).samples] or files
    pictures = []
    for file in files[:8]:
        try:
            pictures.append(open_reduced(file, 640)[0])
        except UserError:
            continue
    return pictures
