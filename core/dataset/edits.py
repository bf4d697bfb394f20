"""Edits of a dataset: exclude, delete, turn, straighten, crop, write captions; each can be undone, and the first original of a photo stays."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Literal

from PIL import Image

from core.dataset.captions import caption_bytes, one_line
from core.dataset.clean import encoded
from core.dataset.folder import Dataset, Sample, excluded_file, excluded_names, natural, sample_named
from core.dataset.history import change
from core.dataset.imaging import open_upright, opened
from core.dataset.level import turned
from core.dataset.names import studio_folder
from core.errors import Refused

# Left, top, right, bottom in shares of the upright photo, 0 to 1.
Box = tuple[float, float, float, float]
# A smaller cut is a slip of the hand: the smallest bucket has 256 pixels a side, and faces below 64 are not even checked.
SMALLEST_CROP = 128
# Clockwise.
QuarterTurns = Literal[90, 180, 270]
TURNS: dict[QuarterTurns, Image.Transpose] = {90: Image.Transpose.ROTATE_270, 180: Image.Transpose.ROTATE_180, 270: Image.Transpose.ROTATE_90}


def exclude(dataset: Dataset, names: Sequence[str]) -> None:
    """Set photos aside: they stay on disk, and nothing is trained on them."""
    _set_excluded(dataset, f"exclude {counted(names)}", excluded_names(dataset.folder) | _listed(dataset, names))


def take_back(dataset: Dataset, names: Sequence[str]) -> None:
    """Use excluded photos again."""
    _set_excluded(dataset, f"use {counted(names)} again", excluded_names(dataset.folder) - _listed(dataset, names))


def delete(dataset: Dataset, names: Sequence[str]) -> None:
    """Remove photos with their captions from the folder; undo brings them back."""
    contents: dict[Path, bytes | None] = {}
    for sample in _samples(dataset, names):
        contents |= {file: None for file in (sample.image, sample.caption_file, *_originals(dataset, sample)) if file.exists()}
    aside = excluded_names(dataset.folder)
    if aside & set(names):
        contents[excluded_file(dataset.folder)] = _list(aside - set(names))
    change(dataset.folder, f"delete {counted(names)}", contents)


def write_captions(dataset: Dataset, captions: Mapping[str, str], what: str) -> int:
    """Write these captions by photo name; returns how many differ from what was there."""
    contents = {}
    for name, text in captions.items():
        sample = sample_named(dataset, name)
        if sample.caption is None or sample.caption.text != one_line(text):
            contents[sample.caption_file] = caption_bytes(text)
    if contents:
        change(dataset.folder, what, contents)
    return len(contents)


def turn(dataset: Dataset, names: Sequence[str], degrees: QuarterTurns) -> None:
    """Turn photos clockwise. Raises UserError for one that cannot be read; then none is turned."""
    pictures = {name: open_upright(sample_named(dataset, name).image).transpose(TURNS[degrees]) for name in names}
    _set_pixels(dataset, f"turn {counted(names)}", pictures)


def straighten(dataset: Dataset, tilts: Mapping[str, float]) -> None:
    """Turn photos back by the degrees they lean clockwise, and cut away the corners. Raises Refused where less than a face needs would be left."""
    pictures = {name: _large_enough(turned(open_upright(sample_named(dataset, name).image), degrees), name) for name, degrees in tilts.items()}
    _set_pixels(dataset, f"straighten {counted(list(tilts))}", pictures)


def crop(dataset: Dataset, boxes: Mapping[str, Box]) -> None:
    """Cut photos to a box each. Raises Refused for a box that leaves less than a face needs."""
    pictures = {name: _cut(open_upright(sample_named(dataset, name).image), box, name) for name, box in boxes.items()}
    _set_pixels(dataset, f"crop {counted(list(boxes))}", pictures)


def restore(dataset: Dataset, names: Sequence[str]) -> None:
    """Bring back photos as they were before they were first cropped or turned. Raises Refused when none of them was."""
    contents: dict[Path, bytes | None] = {}
    for sample in _samples(dataset, names):
        for original in _originals(dataset, sample):
            contents |= {sample.image: original.read_bytes(), original: None}
    if not contents:
        raise Refused("These photos were neither cropped nor turned.", str(dataset.folder))
    change(dataset.folder, f"restore {counted(names)}", contents)


def has_original(dataset: Dataset, sample: Sample) -> bool:
    """Whether the photo was cropped or turned here."""
    return bool(_originals(dataset, sample))


def counted(names: Sequence[str]) -> str:
    """'anna-3' or '5 photos'."""
    return names[0] if len(names) == 1 else f"{len(names)} photos"


def _samples(dataset: Dataset, names: Iterable[str]) -> list[Sample]:
    return [sample_named(dataset, name) for name in names]


def _listed(dataset: Dataset, names: Iterable[str]) -> frozenset[str]:
    return frozenset(sample.name for sample in _samples(dataset, names))


def _set_excluded(dataset: Dataset, what: str, names: Iterable[str]) -> None:
    change(dataset.folder, what, {excluded_file(dataset.folder): _list(names)})


def _list(names: Iterable[str]) -> bytes:
    return (json.dumps(sorted(names, key=natural), ensure_ascii=False, indent=0) + "\n").encode()


def _originals(dataset: Dataset, sample: Sample) -> list[Path]:
    original = studio_folder(dataset.folder) / "originals" / sample.image.name
    return [original] if original.is_file() else []


def _set_pixels(dataset: Dataset, what: str, pictures: Mapping[str, Image.Image]) -> None:
    contents: dict[Path, bytes | None] = {}
    for name, picture in pictures.items():
        sample = sample_named(dataset, name)
        data = sample.image.read_bytes()
        with opened(sample.image) as image:
            contents[sample.image] = encoded(picture, image.format or "", is_lossless=b"VP8L" in data)
        if not _originals(dataset, sample):
            contents[studio_folder(dataset.folder) / "originals" / sample.image.name] = data
    change(dataset.folder, what, contents)


def _cut(picture: Image.Image, box: Box, name: str) -> Image.Image:
    edges = [min(max(share, 0.0), 1.0) * length for share, length in zip(box, picture.size * 2, strict=True)]
    left, top, right, bottom = (round(edge) for edge in edges)
    return _large_enough(picture.crop((left, top, max(left, right), max(top, bottom))), name)


def _large_enough(picture: Image.Image, name: str) -> Image.Image:
    if min(picture.size) < SMALLEST_CROP:
        raise Refused(f"Only {picture.width} x {picture.height} pixels of {name} would be left.", name, f"Leave at least {SMALLEST_CROP} x {SMALLEST_CROP}.")
    return picture
