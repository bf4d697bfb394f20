"""The checks of a dataset: each a pure function from measured photos to findings, each threshold with its source."""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from core.analyzer.report import BucketRow, Finding
from core.dataset.buckets import Placement, crop_loss
from core.dataset.captions import Caption, has_trigger, normalised, similarity, word_count
from core.dataset.folder import Problem

# The guide, section Image Requirements.
FEWEST_PHOTOS, MOST_USEFUL_PHOTOS, FAR_TOO_MANY = 15, 30, 60
# Blowing a photo up by a quarter shows as softness the LoRA learns (docs/experiments.md, thresholds).
LARGEST_SCALE, SERIOUS_SCALE = 1.0, 1.25
CROP_LOSS = 0.10
# phash of 64 bits: edits of one photo stay at 10 or below, different photos start at 16 (docs/experiments.md, thresholds).
SAME_PHASH, PERHAPS_PHASH, SAME_DHASH = 10, 14, 10
# Gray thumbnails of 64 x 64, each brought to mean 0 and deviation 50, in squares of 8 x 8 pixels: the mean of the four squares that differ most.
# Hashes alone confuse drawings of one person in one pose; another shirt changes few squares, but those much (docs/experiments.md, thresholds).
GRAY_SIDE, GRAY_SQUARE, GRAY_DEVIATION, WORST_SQUARES = 64, 8, 50.0, 4
SAME_GRAY = 25.0
# Below this deviation of gray a picture is nearly flat, and stretching it would only show its noise. Chosen, not measured.
FLAT_DEVIATION = 4.0
# CLIP reads 77 tokens, about 55 words; the guide asks for concise captions.
VERBOSE_WORDS, FAR_TOO_VERBOSE_WORDS = 40, 75
NEAR_IDENTICAL, FEWEST_COMPARED_WORDS = 0.9, 4


@dataclass(frozen=True)
class Look:
    """One orientation of a photo: 64-bit hashes as integers, and its gray thumbnail (GRAY_SIDE x GRAY_SIDE) as bytes."""

    phash: int
    dhash: int
    gray: bytes


@dataclass(frozen=True)
class Photo:
    """What was measured of one readable photo; `digest` is of its pixels after EXIF rotation."""

    name: str
    suffix: str
    format: str
    width: int
    height: int
    digest: str
    look: Look
    mirrored: Look
    placement: Placement
    caption: Caption | None


def check_count(photos: Sequence[Photo]) -> Iterable[Finding]:
    count = len(photos)
    if count < FEWEST_PHOTOS:
        yield Finding(check="count", severity="error", what=f"{count} readable photos; {FEWEST_PHOTOS} are needed.", fix=f"Add {FEWEST_PHOTOS - count} more, from other angles and in other light.", value=count, threshold=FEWEST_PHOTOS)
    elif count > MOST_USEFUL_PHOTOS:
        severity = "warning" if count > FAR_TOO_MANY else "note"
        yield Finding(check="count", severity=severity, what=f"{count} photos; {FEWEST_PHOTOS}-{MOST_USEFUL_PHOTOS} are recommended.", fix="Keep the sharpest and most varied ones.", value=count, threshold=FAR_TOO_MANY if count > FAR_TOO_MANY else MOST_USEFUL_PHOTOS)


def check_problems(problems: Sequence[Problem]) -> Iterable[Finding]:
    for problem in problems:
        yield Finding(check="file", severity="error", photos=(problem.file.name,), what=f"{problem.file.name}: {problem.what}", fix=problem.fix)


def check_formats(photos: Sequence[Photo]) -> Iterable[Finding]:
    expected = {".jpg": ("JPEG", "MPO"), ".jpeg": ("JPEG", "MPO"), ".png": ("PNG",), ".webp": ("WEBP",)}
    for photo in photos:
        if photo.format not in expected[photo.suffix]:
            yield Finding(check="format", severity="note", photos=(photo.name,), what=f"{photo.name}{photo.suffix} is really a {photo.format} file.", fix="It is read all the same; rename it if other programs stumble.")


def check_resolution(photos: Sequence[Photo]) -> Iterable[Finding]:
    for photo in photos:
        scale, bucket = photo.placement.scale, photo.placement.bucket
        if scale > LARGEST_SCALE:
            yield Finding(
                check="resolution",
                severity="error" if scale > SERIOUS_SCALE else "warning",
                photos=(photo.name,),
                what=f"{photo.name} has {photo.width} x {photo.height} pixels and is blown up {scale:.2f} times for its bucket {bucket.width} x {bucket.height}.",
                fix="Use the original, larger photo, or leave it out.",
                value=round(scale, 3),
                threshold=SERIOUS_SCALE if scale > SERIOUS_SCALE else LARGEST_SCALE,
            )


def check_crop(photos: Sequence[Photo]) -> Iterable[Finding]:
    for photo in photos:
        loss = crop_loss(photo.placement, photo.width, photo.height)
        if loss > CROP_LOSS:
            yield Finding(check="crop", severity="warning", photos=(photo.name,), what=f"{loss:.0%} of {photo.name} is cut away to fit its bucket.", fix="Crop it yourself to a shape nearer to 1:1, 3:4 or 4:3.", value=round(loss, 3), threshold=CROP_LOSS)


def check_buckets(photos: Sequence[Photo]) -> Iterable[Finding]:
    rows = bucket_rows(photos)
    if len(rows) == 1 and len(photos) >= FEWEST_PHOTOS:
        row = rows[0]
        yield Finding(check="buckets", severity="note", what=f"All photos have the same shape ({row.width} x {row.height}).", fix="A few portrait and landscape photos help prompts of other shapes.")
    alone = tuple(row.photos[0] for row in rows if len(row.photos) == 1)
    if alone and len(rows) > 1:
        yield Finding(check="lonely bucket", severity="note", photos=alone, what=f"Alone in their bucket: {', '.join(alone)}.", fix="It matters with a batch size above 1 only: crop them to a shape others have, or leave it.")


def bucket_rows(photos: Sequence[Photo]) -> tuple[BucketRow, ...]:
    members = defaultdict(list)
    for photo in photos:
        members[photo.placement.bucket].append(photo.name)
    return tuple(BucketRow(width=bucket.width, height=bucket.height, photos=tuple(names)) for bucket, names in sorted(members.items(), key=lambda item: -len(item[1])))


def check_duplicates(photos: Sequence[Photo]) -> Iterable[Finding]:
    """Exact ones by their pixels, near ones by two hashes and the pixels of a thumbnail, mirrored ones too."""
    same = defaultdict(list)
    for photo in photos:
        same[photo.digest].append(photo)
    for copies in same.values():
        if len(copies) > 1:
            names = tuple(photo.name for photo in copies)
            yield Finding(check="duplicate", severity="error", photos=names, what=f"{' and '.join(names)} are the same photo.", fix="Keep one of them: what is seen twice is learned by heart.")
    for one, other in itertools.combinations([copies[0] for copies in same.values()], 2):
        pair = (one.name, other.name)
        if (distance := near_distance(one.look, other.look)) is not None:
            yield _near(pair, "nearly the same photo", distance)
        elif (distance := near_distance(one.look, other.mirrored)) is not None:
            yield _near(pair, "the same photo, mirrored", distance)


def near_distance(one: Look, other: Look) -> int | None:
    """The phash distance of two looks that show one photo, None for two photos."""
    phash = (one.phash ^ other.phash).bit_count()
    dhash = (one.dhash ^ other.dhash).bit_count()
    alike = phash <= SAME_PHASH or (phash <= PERHAPS_PHASH and dhash <= SAME_DHASH)
    return phash if alike and gray_difference(one.gray, other.gray) <= SAME_GRAY else None


def gray_difference(one: bytes, other: bytes) -> float:
    """How far apart two thumbnails are where they differ most; brightness and contrast are taken away, so that such edits stay duplicates."""
    squares = GRAY_SIDE // GRAY_SQUARE
    difference = np.abs(_standardised(one) - _standardised(other)).reshape(squares, GRAY_SQUARE, squares, GRAY_SQUARE).mean((1, 3))
    return float(np.sort(difference, axis=None)[-WORST_SQUARES:].mean())


def _standardised(gray: bytes) -> np.ndarray:
    values = np.frombuffer(gray, dtype=np.uint8).astype(np.float32)
    return (values - values.mean()) / max(float(values.std()), FLAT_DEVIATION) * GRAY_DEVIATION


def _near(pair: tuple[str, str], words: str, distance: int) -> Finding:
    return Finding(check="near duplicate", severity="warning", photos=pair, what=f"{pair[0]} and {pair[1]} are {words}.", fix="Keep the better one.", value=distance, threshold=SAME_PHASH)


def check_captions_present(photos: Sequence[Photo], orphans: Sequence[Path]) -> Iterable[Finding]:
    for photo in photos:
        if photo.caption is None:
            yield Finding(check="caption", severity="warning", photos=(photo.name,), what=f"{photo.name} has no caption.", fix=f"Write {photo.name}.txt; without one it is trained as trigger and class word.")
        elif not photo.caption.text:
            yield Finding(check="caption", severity="warning", photos=(photo.name,), what=f"The caption of {photo.name} is empty.", fix="Write the trigger word and a short description.")
        elif photo.caption.encoding != "utf-8":
            yield Finding(check="encoding", severity="note", photos=(photo.name,), what=f"The caption of {photo.name} is {photo.caption.encoding}, not UTF-8.", fix="Save it once on the page; it is written as UTF-8.")
    for orphan in orphans:
        yield Finding(check="orphan caption", severity="warning", photos=(orphan.name,), what=f"{orphan.name} belongs to no photo.", fix="Give it the name of its photo, or remove it.")


def check_trigger(photos: Sequence[Photo], trigger_word: str) -> Iterable[Finding]:
    for photo in photos:
        if photo.caption and photo.caption.text and not has_trigger(photo.caption.text, trigger_word):
            lacks = "has the trigger word in another case than" if has_trigger(photo.caption.text.lower(), trigger_word.lower()) else "does not contain the trigger word"
            yield Finding(check="trigger", severity="error", photos=(photo.name,), what=f"The caption of {photo.name} {lacks} '{trigger_word}'.", fix=f"Begin it with '{trigger_word}'.")


def check_caption_length(photos: Sequence[Photo]) -> Iterable[Finding]:
    for photo in photos:
        count = word_count(photo.caption.text) if photo.caption else 0
        if count > VERBOSE_WORDS:
            severity = "error" if count > FAR_TOO_VERBOSE_WORDS else "warning"
            yield Finding(check="verbose caption", severity=severity, photos=(photo.name,), what=f"The caption of {photo.name} has {count} words.", fix="Keep clothing, pose, place and light; 8 to 25 words are plenty.", value=count, threshold=FAR_TOO_VERBOSE_WORDS if count > FAR_TOO_VERBOSE_WORDS else VERBOSE_WORDS)


def check_caption_variety(photos: Sequence[Photo]) -> Iterable[Finding]:
    with_text = [photo for photo in photos if photo.caption and photo.caption.text]
    groups = defaultdict(list)
    for photo in with_text:
        groups[normalised(photo.caption.text)].append(photo.name)
    for names in groups.values():
        if len(names) > 1:
            yield Finding(check="identical captions", severity="warning", photos=tuple(names), what=f"{len(names)} photos have the same caption.", fix="Say what differs: clothing, place, angle, light.", value=len(names), threshold=1)
    for one, other in itertools.combinations(with_text, 2):
        first, second = one.caption.text, other.caption.text
        long_enough = min(word_count(first), word_count(second)) >= FEWEST_COMPARED_WORDS
        if long_enough and normalised(first) != normalised(second) and (share := similarity(first, second)) > NEAR_IDENTICAL:
            yield Finding(check="similar captions", severity="note", photos=(one.name, other.name), what=f"The captions of {one.name} and {other.name} are nearly the same.", fix="Say what differs.", value=round(share, 2), threshold=NEAR_IDENTICAL)
