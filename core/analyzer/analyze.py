"""Reads every photo of a dataset once, runs all checks, writes the report."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from core.analyzer import caption_checks, checks, face_checks
from core.analyzer.measure import measure_all
from core.analyzer.photo import Photo
from core.analyzer.report import SEVERITIES, AnalysisReport, Finding, write_report
from core.dataset.buckets import buckets_for, place
from core.dataset.folder import Dataset, Problem, Sample, files_state, open_dataset
from core.dataset.imaging import open_reduced
from core.durable import storage_error
from core.errors import UserError
from core.events import Phase, ReportSaved, RunEvent, RunFinished, RunStarted
from core.identity.faces import FACE_WEIGHTS, FaceReader, open_face_reader
from core.settings import Settings

# So many pictures, and so large, tell drawings from photographs.
KIND_PICTURES, KIND_SIDE = 12, 256


@dataclass(frozen=True)
class Faces:
    """How faces are read, or why they are not."""

    reader: FaceReader | None
    reason: str = ""


def analyze(settings: Settings, report_file: Path, shown_as: str, cache: Path) -> Iterator[RunEvent]:
    """Yields progress; a photo that cannot be read is a finding. Raises UserError for a folder that is missing or empty, or a report that cannot be written."""
    began = time.monotonic()
    yield RunStarted(job="analyze", name=Path(settings.dataset.folder).name)
    state = files_state(Path(settings.dataset.folder))
    dataset = open_dataset(Path(settings.dataset.folder))
    yield Phase(what="Loading face networks")
    faces = faces_for(dataset.samples, Path(settings.model.path))
    photos: list[Photo] = []
    problems = list(dataset.problems)
    options = settings.dataset
    buckets = buckets_for(options.resolution, options.min_bucket_resolution, options.max_bucket_resolution, options.bucket_step)
    measured = measure_all(dataset.samples, faces.reader, cache)
    for done, sample in enumerate(dataset.samples):
        yield Phase(what="Reading photos", done=done, total=len(dataset.samples))
        found = next(measured)
        if isinstance(found, Problem):
            problems.append(found)
        else:
            photos.append(Photo(sample.name, sample.image.suffix.lower(), found, place(found.width, found.height, buckets), sample.caption))
    yield Phase(what="Comparing photos and captions")
    try:
        write_report(report_of(dataset, photos, problems, settings, faces, state), report_file)
    except OSError as error:
        raise storage_error(error, report_file) from None
    yield ReportSaved(what="analysis", file=shown_as)
    yield RunFinished(seconds=time.monotonic() - began)


def faces_for(samples: Sequence[Sample], model_path: Path) -> Faces:
    """The reader for this kind of pictures, told from the first of them."""
    pictures = []
    for sample in samples[:KIND_PICTURES]:
        try:
            pictures.append(open_reduced(sample.image, KIND_SIDE)[0])
        except UserError:
            continue  # It is a finding when it is measured.
    try:
        return Faces(open_face_reader(model_path, FACE_WEIGHTS, pictures))
    except UserError as error:
        return Faces(None, f"{error.what} {error.fix}")


def report_of(dataset: Dataset, photos: Sequence[Photo], problems: Sequence[Problem], settings: Settings, faces: Faces, state: str) -> AnalysisReport:
    """All checks, the most serious findings first. `state` is the folder's before its photos were read."""
    trigger_word, class_word = settings.dataset.trigger_word, settings.dataset.class_word
    findings = [
        *checks.check_count(photos),
        *checks.check_problems(problems),
        *caption_checks.check_trigger_word(photos, trigger_word, class_word),
        *caption_checks.check_trigger(photos, trigger_word),
        *_face_findings(photos, faces),
        *checks.check_duplicates(photos),
        *checks.check_resolution(photos),
        *checks.check_crop(photos),
        *caption_checks.check_captions_present(photos, dataset.orphan_captions),
        *caption_checks.check_caption_length(photos),
        *caption_checks.check_caption_variety(photos),
        *caption_checks.check_traits(photos, class_word),
        *checks.check_formats(photos),
        *checks.check_conversions(photos),
        *checks.check_colour(photos),
        *checks.check_buckets(photos, settings.train.batch_size),
    ]
    return AnalysisReport(
        folder=settings.dataset.folder, files_state=state, photo_count=len(photos), trigger_word=trigger_word, resolution=settings.dataset.resolution,
        findings=tuple(sorted(findings, key=lambda finding: SEVERITIES.index(finding.severity))), buckets=checks.bucket_rows(photos), coverage=face_checks.coverage_of(photos),
    )  # fmt: skip


def _face_findings(photos: Sequence[Photo], faces: Faces) -> Iterator[Finding]:
    if faces.reader is None:
        yield Finding(check="faces", severity="note", what=f"The checks of faces were not run. {faces.reason}", fix="Everything else was checked.")
        return
    duplicates = [finding.photos for finding in checks.check_duplicates(photos)]
    yield from face_checks.check_sideways(photos)
    photos = [photo for photo in photos if not photo.measures.turn]  # The networks were trained on upright faces; these are read wrongly.
    yield from face_checks.check_faces(photos)
    yield from face_checks.check_not_judged(photos)
    yield from face_checks.check_tilted(photos)
    yield from face_checks.check_face_size(photos)
    yield from face_checks.check_person(photos, faces.reader.same_person)
    yield from face_checks.check_same_shot(photos, duplicates)
    yield from face_checks.check_sharpness(photos)
    yield from face_checks.check_exposure(photos)
    yield from face_checks.check_light_variety(photos)
    yield from face_checks.check_angles(photos)
    yield from face_checks.check_framing(photos)
