"""Reads every photo of a dataset once, runs all checks, writes the report."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import imagehash
from PIL import Image, ImageOps

from core.analyzer import checks
from core.analyzer.checks import GRAY_SIDE, Look, Photo
from core.analyzer.report import SEVERITIES, AnalysisReport, write_report
from core.dataset.buckets import Bucket, buckets_for, place
from core.dataset.folder import Dataset, Problem, Sample, open_dataset
from core.dataset.imaging import format_of, open_upright
from core.durable import storage_error
from core.errors import UserError
from core.events import Phase, ReportSaved, RunEvent, RunFinished, RunStarted
from core.settings import DatasetSettings

# Hashes look at 32 x 32 pixels at most; hashing a photo of 12 MP as it is would cost seconds.
HASH_SIDE = 512


def analyze(settings: DatasetSettings, report_file: Path, shown_as: str) -> Iterator[RunEvent]:
    """Yields progress; a photo that cannot be read is a finding. Raises UserError for a folder that is missing or empty, or a report that cannot be written."""
    began = time.monotonic()
    yield RunStarted(job="analyze", name=Path(settings.folder).name)
    dataset = open_dataset(Path(settings.folder))
    buckets = buckets_for(settings.resolution, settings.min_bucket_resolution, settings.max_bucket_resolution, settings.bucket_step)
    photos: list[Photo] = []
    problems = list(dataset.problems)
    for done, sample in enumerate(dataset.samples):
        yield Phase(what="Reading photos", done=done, total=len(dataset.samples))
        try:
            photos.append(measure(sample, buckets))
        except UserError as error:
            problems.append(Problem(sample.image, error.what, error.fix))
    yield Phase(what="Comparing photos and captions")
    try:
        write_report(report_of(dataset, photos, problems, settings), report_file)
    except OSError as error:
        raise storage_error(error, report_file) from None
    yield ReportSaved(what="analysis", file=shown_as)
    yield RunFinished(seconds=time.monotonic() - began)


def measure(sample: Sample, buckets: Sequence[Bucket]) -> Photo:
    """Raises UserError for a photo that cannot be read."""
    image = open_upright(sample.image)
    digest = hashlib.sha256(f"{image.size}".encode() + image.tobytes()).hexdigest()
    small = image.copy()
    small.thumbnail((HASH_SIDE, HASH_SIDE), Image.Resampling.LANCZOS)
    return Photo(
        name=sample.name,
        suffix=sample.image.suffix.lower(),
        format=format_of(sample.image),
        width=image.width,
        height=image.height,
        digest=digest,
        look=_look(small),
        mirrored=_look(ImageOps.mirror(small)),
        placement=place(image.width, image.height, buckets),
        caption=sample.caption,
    )


def report_of(dataset: Dataset, photos: Sequence[Photo], problems: Sequence[Problem], settings: DatasetSettings) -> AnalysisReport:
    """All checks, the most serious findings first."""
    findings = [
        *checks.check_count(photos),
        *checks.check_problems(problems),
        *checks.check_trigger(photos, settings.trigger_word),
        *checks.check_duplicates(photos),
        *checks.check_resolution(photos),
        *checks.check_crop(photos),
        *checks.check_captions_present(photos, dataset.orphan_captions),
        *checks.check_caption_length(photos),
        *checks.check_caption_variety(photos),
        *checks.check_formats(photos),
        *checks.check_buckets(photos),
    ]
    return AnalysisReport(
        folder=settings.folder,
        photo_count=len(photos),
        trigger_word=settings.trigger_word,
        resolution=settings.resolution,
        findings=tuple(sorted(findings, key=lambda finding: SEVERITIES.index(finding.severity))),
        buckets=checks.bucket_rows(photos),
    )


def _look(image: Image.Image) -> Look:
    gray = image.convert("L").resize((GRAY_SIDE, GRAY_SIDE), Image.Resampling.BOX)
    return Look(int(str(imagehash.phash(image)), 16), int(str(imagehash.dhash(image)), 16), gray.tobytes())
