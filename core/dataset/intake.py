"""Intake: the one door for photos and captions into a dataset; checked, cleaned, safely named, never over something that is there."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from core.dataset.archive import ARCHIVE_SUFFIXES, unpack
from core.dataset.arrivals import Arrival, Receipt, refusal
from core.dataset.captions import read_caption, write_caption
from core.dataset.clean import CleanPhoto, clean, unread_format
from core.dataset.folder import IMAGE_SUFFIXES, OTHER_IMAGE_SUFFIXES
from core.dataset.names import safe_stem, same_on_some_disks, studio_folder
from core.durable import sha256_of, storage_error, write_atomic
from core.errors import Refused, UserError


@dataclass
class Door:
    """Where photos and captions of a dataset go; `saved` is the stem each photo of this batch got, by its pair."""

    images: Path
    captions: Path
    originals: Path
    saved: dict[tuple[str, ...], str] = field(default_factory=dict)


def take_in(arrivals: Sequence[Arrival], folder: Path, workplace: Path) -> Iterator[Receipt]:
    """Photos, ZIP archives and captions, in this order, so that a caption finds its photo under its new name.

    `workplace` is an empty folder. Yields a receipt for each file and each member of an archive; no fault of one stops the others.
    """
    try:
        door = _open_door(folder)
    except UserError as error:
        yield from (refusal(arrival, error) for arrival in arrivals)
        return
    for arrival in sorted(arrivals, key=lambda arrival: {".zip": 1, ".txt": 2}.get(arrival.suffix, 0)):
        if arrival.suffix == ".zip":
            yield from _take_archive(arrival, door, workplace)
        else:
            yield _take(arrival, door)


def check_name(name: str) -> None:
    """Before a byte is sent. Raises Refused for what could never be taken."""
    suffix = Path(name).suffix.lower()
    if suffix in OTHER_IMAGE_SUFFIXES:
        raise unread_format(suffix, name)
    if suffix in ARCHIVE_SUFFIXES - {".zip"}:
        raise Refused(f"{suffix[1:].upper()} archives are not read here.", name, "Pack the photos as ZIP, or drop them as they are.")
    if suffix not in IMAGE_SUFFIXES | {".txt", ".zip"}:
        raise Refused("It is neither a photo (JPG, PNG, WebP), a caption (.txt) nor a ZIP of those.", name)


def _open_door(folder: Path) -> Door:
    """In the dataset's own layout; the folder is made when it is not there. Raises UserError for a layout that leads elsewhere."""
    images = folder / "images" if (folder / "images").is_dir() else folder
    captions = folder / "captions" if (folder / "captions").is_dir() else images
    for place in (images, captions):
        if not place.resolve().is_relative_to(folder.resolve()):
            raise UserError(f"{place.name}/ is a link that leads out of the dataset.", str(place), "Replace it by a folder.")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise storage_error(error, folder) from None
    return Door(images, captions, studio_folder(folder) / "originals")


def _take_archive(arrival: Arrival, door: Door, workplace: Path) -> Iterator[Receipt]:
    members = 0
    try:
        for member in unpack(arrival.file, arrival.name, workplace):
            members += 1
            yield member if isinstance(member, Receipt) else _take(member, door)
        if not members:
            yield refusal(arrival, Refused("There is no photo in the archive."))
    except UserError as error:
        yield refusal(arrival, error)
    except OSError as error:
        yield refusal(arrival, storage_error(error, workplace))


def _take(arrival: Arrival, door: Door) -> Receipt:
    try:
        check_name(arrival.name)
        return _take_caption(arrival, door) if arrival.suffix == ".txt" else _take_photo(arrival, door)
    except UserError as error:
        return refusal(arrival, error)
    except OSError as error:
        return refusal(arrival, storage_error(error, door.images))


def _take_photo(arrival: Arrival, door: Door) -> Receipt:
    """A photo that is there under the same name stays; another one of that name gets a number. Raises UserError, OSError."""
    photo = clean(arrival.file)
    target, is_there = _place(photo, arrival, door)
    door.saved[arrival.pair] = target.stem
    if is_there:
        return Receipt(arrival.shown, "already there", target.name)
    write_atomic(target, photo.data)
    notes = list(photo.notes)
    wish = safe_stem(arrival.stem)
    if target.stem != wish:
        notes.insert(0, f"another photo is called '{wish}'")
    is_renamed = target.stem != arrival.stem or photo.suffix != arrival.suffix.replace(".jpeg", ".jpg")
    return Receipt(arrival.shown, "renamed" if is_renamed else "added", target.name, "; ".join(notes))


def _place(photo: CleanPhoto, arrival: Arrival, door: Door) -> tuple[Path, bool]:
    """Where the photo goes, and whether it lies there already: as it came, as it is written, or before it was cropped here."""
    same = {sha256_of(arrival.file), hashlib.sha256(photo.data).hexdigest()}
    there = _photos_by_name(door.images)
    originals = _photos_by_name(door.originals)
    wish, number = safe_stem(arrival.stem), 1
    while True:
        stem = wish if number == 1 else f"{wish}-{number}"
        found = there.get(same_on_some_disks(stem))
        target = door.images / f"{stem}{photo.suffix}"
        if found is None and not target.exists():
            return target, False
        copies = [file for file in (found, originals.get(same_on_some_disks(stem))) if file is not None]
        if found is not None and any(sha256_of(file) in same for file in copies):
            return found, True
        number += 1


def _photos_by_name(folder: Path) -> dict[str, Path]:
    if not folder.is_dir():
        return {}
    return {same_on_some_disks(file.stem): file for file in folder.iterdir() if file.suffix.lower() in IMAGE_SUFFIXES and not file.name.startswith(".") and file.is_file()}


def _take_caption(arrival: Arrival, door: Door) -> Receipt:
    """A caption follows its photo; one that is there already is never replaced. Raises UserError, OSError."""
    caption = read_caption(arrival.file)
    stem = door.saved.get(arrival.pair)
    notes = [f"it follows its photo to '{stem}'"] if stem and stem != arrival.stem else []
    if stem is None:
        photo = _photos_by_name(door.images).get(same_on_some_disks(safe_stem(arrival.stem)))
        stem = photo.stem if photo else safe_stem(arrival.stem)
        notes = [] if photo else ["there is no photo of this name yet"]
    target = door.captions / f"{stem}.txt"
    if target.exists():
        if read_caption(target).text == caption.text:
            return Receipt(arrival.shown, "already there", target.name)
        raise UserError(f"'{stem}' has another caption already, which was kept.", arrival.name, "Edit it beside the photo.")
    write_caption(target, caption.text)
    if caption.encoding != "utf-8":
        notes.append(f"it was read as {caption.encoding} and saved as UTF-8")
    return Receipt(arrival.shown, "added" if stem == arrival.stem else "renamed", target.name, "; ".join(notes))
