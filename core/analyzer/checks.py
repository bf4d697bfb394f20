"""The checks of photos as files and pictures: each a pure function from measured photos to findings, each threshold with its source."""

from __future__ import annotations

import itertools
import re
from collections import defaultdict
from collections.abc import Iterable, Sequence

import numpy as np

from core.analyzer.groups import grouped, listed
from core.analyzer.photo import GRAY_SIDE, Look, Photo
from core.analyzer.report import BucketRow, Finding
from core.dataset.buckets import crop_loss
from core.dataset.clean import Conversion
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
GRAY_SQUARE, GRAY_DEVIATION, WORST_SQUARES = 8, 50.0, 4
SAME_GRAY = 25.0
# Below this deviation of gray a picture is nearly flat, and stretching it would only show its noise. Chosen, not measured.
FLAT_DEVIATION = 4.0
# Of 255; a gray JPEG has 0 to 2. Chosen well below what faint colours have.
MOST_GRAY_CHROMA = 6
SAYS_GRAY = re.compile(r"\b(?:black[- ]and[- ]white|b&w|monochrome|gr[ae]y[- ]?scale)", re.IGNORECASE)
READ_SO = "This is done each time a photo is read; nothing is left to do."
# What the uploads of the page never are: photos that came in there were converted once.
CONVERSIONS: dict[Conversion, tuple[str, str]] = {
    "turned": ("Turned upright as EXIF says", READ_SO),
    "16 bits": ("16 bits per colour became 8", READ_SO),
    "CMYK": ("Made for print (CMYK), so that colours may be a little off", "Save it as RGB from the original, if there is one."),
    "transparency": ("Transparent parts became white", "Look whether white around the person is wanted: many such photos teach a white background."),
    "profile": ("Converted to sRGB from another colour profile, such as Display P3 or Adobe RGB", READ_SO),
    "mode": ("A palette or another unusual kind of pixels", "Use the original photo, if there is one."),
}


def check_count(photos: Sequence[Photo]) -> Iterable[Finding]:
    """Copies count once."""
    count = len({photo.measures.digest for photo in photos})
    if count < FEWEST_PHOTOS:
        yield Finding(check="count", severity="error", what=f"{count} {'readable' if count == len(photos) else 'different'} photos; {FEWEST_PHOTOS} are needed.", fix=f"Add {FEWEST_PHOTOS - count} more, from other angles and in other light.", value=count, threshold=FEWEST_PHOTOS)
    elif count > MOST_USEFUL_PHOTOS:
        severity = "warning" if count > FAR_TOO_MANY else "note"
        yield Finding(check="count", severity=severity, what=f"{count} photos; {FEWEST_PHOTOS}-{MOST_USEFUL_PHOTOS} are recommended.", fix="Keep the sharpest and most varied ones.", value=count, threshold=FAR_TOO_MANY if count > FAR_TOO_MANY else MOST_USEFUL_PHOTOS)


def check_problems(problems: Sequence[Problem]) -> Iterable[Finding]:
    for problem in problems:
        yield Finding(check="file", severity="error", photos=(problem.file.name,), what=f"{problem.file.name}: {problem.what}", fix=problem.fix)


def check_formats(photos: Sequence[Photo]) -> Iterable[Finding]:
    expected = {".jpg": ("JPEG", "MPO"), ".jpeg": ("JPEG", "MPO"), ".png": ("PNG",), ".webp": ("WEBP",)}
    for photo in photos:
        if photo.measures.format not in expected[photo.suffix]:
            yield Finding(check="format", severity="note", photos=(photo.name,), what=f"{photo.name}{photo.suffix} is really a {photo.measures.format} file.", fix="It is read all the same; rename it if other programs stumble.")
        if photo.measures.frames > 1:
            yield Finding(check="animated", severity="note", photos=(photo.name,), what=f"{photo.name} is an animation of {photo.measures.frames} pictures.", fix="The first one is used; save the one you want as a photo.", value=photo.measures.frames, threshold=1)


def check_conversions(photos: Sequence[Photo]) -> Iterable[Finding]:
    """Kinds of files that are read all right, but not as they stand."""
    for kind, (words, fix) in CONVERSIONS.items():
        names = tuple(photo.name for photo in photos if kind in photo.measures.conversions)
        if names:
            yield Finding(check="odd file", severity="note", photos=names, what=f"{words}: {listed(names)}.", fix=fix)


def check_colour(photos: Sequence[Photo]) -> Iterable[Finding]:
    """Photos without colour whose caption does not say so."""
    gray = tuple(photo.name for photo in photos if photo.measures.chroma <= MOST_GRAY_CHROMA and not (photo.caption and SAYS_GRAY.search(photo.caption.text)))
    if gray:
        yield Finding(check="black and white", severity="note", photos=gray, what=f"Without colour: {listed(gray)}.", fix="Say 'black and white photo' in the caption, or leave it out: else the LoRA takes the missing colour for the person's.", remedy="exclude")


def check_resolution(photos: Sequence[Photo]) -> Iterable[Finding]:
    for photo in photos:
        scale, bucket = photo.placement.scale, photo.placement.bucket
        if scale > LARGEST_SCALE:
            yield Finding(
                check="resolution",
                severity="error" if scale > SERIOUS_SCALE else "warning",
                photos=(photo.name,),
                what=f"{photo.name} has {photo.measures.width} x {photo.measures.height} pixels and is blown up {scale:.2f} times for its bucket {bucket.width} x {bucket.height}.",
                fix="Use the original, larger photo, or leave it out.",
                remedy="exclude",
                value=round(scale, 3),
                threshold=SERIOUS_SCALE if scale > SERIOUS_SCALE else LARGEST_SCALE,
            )


def check_crop(photos: Sequence[Photo]) -> Iterable[Finding]:
    for photo in photos:
        loss = _loss(photo)
        if loss > CROP_LOSS:
            yield Finding(check="crop", severity="warning", photos=(photo.name,), what=f"{loss:.1%} of {photo.name} is cut away to fit its bucket.", fix="Crop it yourself to a shape nearer to 1:1, 3:4 or 4:3.", remedy="crop", value=round(loss, 3), threshold=CROP_LOSS)


def check_buckets(photos: Sequence[Photo], batch_size: int) -> Iterable[Finding]:
    """A batch holds photos of one shape, so that a bucket of one matters when batches are larger."""
    rows = bucket_rows(photos)
    if len(rows) == 1 and len(photos) >= FEWEST_PHOTOS:
        row = rows[0]
        yield Finding(check="buckets", severity="note", what=f"All photos have the same shape ({row.width} x {row.height}).", fix="A few portrait and landscape photos help prompts of other shapes.")
    alone = tuple(row.photos[0] for row in rows if len(row.photos) == 1)
    if alone and len(photos) > 1 and batch_size > 1:
        yield Finding(check="lonely bucket", severity="warning", photos=alone, what=f"Alone in their shape, though batches hold {batch_size} photos: {listed(alone)}.", fix="Crop them to a shape that others have, or set the batch size to 1.", value=1, threshold=batch_size)


def bucket_rows(photos: Sequence[Photo]) -> tuple[BucketRow, ...]:
    """Most photos first."""
    members = defaultdict(list)
    for photo in photos:
        members[photo.placement.bucket].append(photo)
    return tuple(
        BucketRow(width=bucket.width, height=bucket.height, photos=tuple(photo.name for photo in inside), loss=round(max(map(_loss, inside)), 3))
        for bucket, inside in sorted(members.items(), key=lambda item: -len(item[1]))
    )


def check_duplicates(photos: Sequence[Photo]) -> Iterable[Finding]:
    """Exact ones by their pixels, near ones by two hashes and the pixels of a thumbnail, mirrored ones too."""
    same = defaultdict(list)
    for photo in photos:
        same[photo.measures.digest].append(photo)
    for copies in same.values():
        if len(copies) > 1:
            names = tuple(photo.name for photo in copies)
            yield Finding(check="duplicate", severity="error", photos=names, what=f"{listed(names)} are the same photo.", fix="Keep one of them: what is seen twice is learned by heart.", remedy="exclude")
    near, mirrored = [], []
    for one, other in itertools.combinations([copies[0] for copies in same.values()], 2):
        if (distance := near_distance(one.measures.look, other.measures.look)) is not None:
            near.append((one.name, other.name, distance))
        elif (distance := near_distance(one.measures.look, other.measures.mirrored)) is not None:
            mirrored.append((one.name, other.name, distance))
    for pairs, words in ((near, "nearly the same photo"), (mirrored, "the same photo, mirrored")):
        for names, distance in grouped(pairs):
            yield Finding(check="near duplicate", severity="warning", photos=names, what=f"{listed(names)} are {words}.", fix="Keep the best one.", remedy="exclude", value=distance, threshold=SAME_PHASH)


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


def _loss(photo: Photo) -> float:
    return crop_loss(photo.placement, photo.measures.width, photo.measures.height)


def _standardised(gray: bytes) -> np.ndarray:
    values = np.frombuffer(gray, dtype=np.uint8).astype(np.float32)
    return (values - values.mean()) / max(float(values.std()), FLAT_DEVIATION) * GRAY_DEVIATION
