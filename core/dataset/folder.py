"""Dataset: the photos of a folder with their captions, in both layouts of the guide, and what could not be used."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from core.dataset.captions import Caption, read_caption
from core.dataset.clean import unread_format
from core.dataset.names import studio_folder
from core.durable import is_text, read_json
from core.errors import Refused, UserError
from core.settings import DatasetSettings, RegularizationSettings

IMAGE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp"})
OTHER_IMAGE_SUFFIXES = frozenset({".heic", ".heif", ".avif", ".gif", ".bmp", ".tif", ".tiff", ".jxl", ".psd", ".raw", ".dng", ".cr2", ".cr3", ".nef", ".arw", ".raf", ".orf", ".rw2"})
USE_CLASS_PHOTOS = "Put photos of other people there, or leave REG_DIR empty: then no class photos are needed."


@dataclass(frozen=True)
class Sample:
    """One photo; `name` is its file name without suffix and unique in the dataset. `caption_file` may not exist yet."""

    name: str
    image: Path
    caption_file: Path
    caption: Caption | None


@dataclass(frozen=True)
class Problem:
    """A file that is not used, and why. `file` is for showing: a name that is no text is spelled with question marks."""

    file: Path
    what: str
    fix: str


@dataclass(frozen=True)
class Dataset:
    """`samples` are the photos in use, `excluded` those that were set aside."""

    folder: Path
    samples: tuple[Sample, ...]
    orphan_captions: tuple[Path, ...]
    problems: tuple[Problem, ...]
    excluded: tuple[Sample, ...] = ()


def open_dataset(folder: Path) -> Dataset:
    """images/ with captions/, or photos and captions side by side.

    Raises UserError when the folder is missing or cannot be listed, Refused when nothing in it is a photo or a caption.
    """
    if not folder.is_dir():
        raise UserError("The dataset folder is not there.", str(folder), "Create it and put 15 to 30 photos in it, or set DATA_DIR.")
    problems: list[Problem] = []
    images_folder = _subfolder(folder, "images", problems) or folder
    captions_folder = _subfolder(folder, "captions", problems) or images_folder
    photos = _photos(_usable_files(images_folder, folder, problems), problems)
    captions = {file.stem: file for file in _usable_files(captions_folder, folder, problems) if file.suffix.lower() == ".txt"}
    problems += _strays(folder, images_folder, captions_folder, set(photos))
    samples = [_sample(name, photos[name], captions.get(name), captions_folder, problems) for name in sorted(photos, key=natural)]
    aside = excluded_names(folder)
    used, excluded = (tuple(sample for sample in samples if (sample.name in aside) is is_aside) for is_aside in (False, True))
    orphans = [captions[name] for name in sorted(captions, key=natural) if name not in photos]
    if not (samples or orphans or problems):
        raise Refused("There are no photos in the dataset folder yet.", str(folder), "Put 15 to 30 JPG, PNG or WebP photos in it.")
    return Dataset(folder, used, tuple(orphans), tuple(dict.fromkeys(problems)), excluded)


def open_photos(settings: DatasetSettings) -> Dataset:
    """The photos to train on. Raises UserError or Refused when there is none."""
    dataset = open_dataset(Path(settings.folder))
    if not dataset.samples:
        fix = "Take some of the excluded ones back in." if dataset.excluded else "Put 15 to 30 JPG, PNG or WebP photos there."
        raise Refused("There is no photo to train on.", settings.folder, fix)
    return dataset


def open_class_photos(settings: RegularizationSettings) -> Dataset | None:
    """The regularization photos, or None when none are asked for. Raises Refused for a folder without any."""
    if not settings.enabled or not settings.folder:
        return None
    try:
        dataset = open_dataset(Path(settings.folder))
    except UserError as error:
        raise Refused(f"The class photos cannot be used. {error.what}", error.where, USE_CLASS_PHOTOS) from None
    if not dataset.samples:
        raise Refused("There is no class photo to train on.", settings.folder, USE_CLASS_PHOTOS)
    return dataset


def files_state(folder: Path) -> str:
    """Another text whenever a photo, a caption or the list of excluded ones was added, removed or written; quick enough to ask every second."""
    places = [place for place in (folder, folder / "images", folder / "captions") if place.is_dir()]
    try:
        files = [entry for place in places for entry in place.iterdir() if not entry.name.startswith(".") and entry.is_file()]
        known = [(file.relative_to(folder).as_posix(), status.st_size, status.st_mtime_ns) for file in (*files, excluded_file(folder)) if file.exists() and (status := file.stat())]
    except OSError:
        return ""  # Somebody is at work there, so that it is another one in a moment.
    return hashlib.sha256(repr(sorted(known)).encode("utf-8", "surrogateescape")).hexdigest()[:16]


def excluded_file(folder: Path) -> Path:
    """The names of the photos that were set aside, a JSON list."""
    return studio_folder(folder) / "excluded.json"


def excluded_names(folder: Path) -> frozenset[str]:
    """Raises UserError for a list that is damaged: photos a person set aside must not slip back in."""
    file = excluded_file(folder)
    try:
        return frozenset(read_json(file))
    except FileNotFoundError:
        return frozenset()
    except (OSError, ValueError, TypeError) as error:
        raise UserError(f"The list of excluded photos cannot be read: {error}.", str(file), "Remove that file and exclude them again.") from None


def captions_of(samples: Iterable[Sample]) -> dict[str, str]:
    """Captions by photo name, of the photos that have one."""
    return {sample.name: sample.caption.text for sample in samples if sample.caption}


def sample_named(dataset: Dataset, name: str) -> Sample:
    """Raises UserError for a name that is not in the listing, excluded ones included; a name never becomes a path."""
    for sample in (*dataset.samples, *dataset.excluded):
        if sample.name == name:
            return sample
    raise UserError(f"There is no photo called '{name[:80]}'.", str(dataset.folder), "Reload the page; the photo may have been removed.")


def _subfolder(folder: Path, name: str, problems: list[Problem]) -> Path | None:
    """None when it is not there, or is a link that leads out of the dataset."""
    subfolder = folder / name
    if not subfolder.is_dir():
        return None
    if _leads_out(subfolder, folder):
        problems.append(Problem(subfolder, "It is a link that leads out of the dataset.", "Copy the folder itself."))
        return None
    return subfolder


def _usable_files(folder: Path, root: Path, problems: list[Problem]) -> list[Path]:
    """Files that are not hidden, whose names are text, and that lie in the dataset; the rest are problems, not photos."""
    found = []
    for file in _listing(folder):
        if file.name.startswith(".") or not file.is_file():
            continue
        if _leads_out(file, root):
            problems.append(Problem(file, "It is a link that leads out of the dataset.", "Copy the file itself."))
        elif not is_text(file.name):
            shown = file.name.encode("utf-8", "replace").decode()
            problems.append(Problem(file.with_name(shown), "Its name is not valid text.", "Rename it in plain letters."))
        else:
            found.append(file)
    return found


def _photos(files: list[Path], problems: list[Problem]) -> dict[str, Path]:
    """Photos by name; what is an image of another format or a second photo of one name is a problem."""
    photos: dict[str, Path] = {}
    for file in files:
        suffix = file.suffix.lower()
        if suffix in OTHER_IMAGE_SUFFIXES:
            refusal = unread_format(suffix, file.name)
            problems.append(Problem(file, refusal.what, refusal.fix))
        elif suffix in IMAGE_SUFFIXES and file.stem in photos:
            problems.append(Problem(file, f"There is another photo called '{file.stem}' ({photos[file.stem].name}), and they would share one caption.", "Rename one of them."))
        elif suffix in IMAGE_SUFFIXES:
            photos[file.stem] = file
    return photos


def _strays(folder: Path, images_folder: Path, captions_folder: Path, names: set[str]) -> list[Problem]:
    """Photos beside images/, and captions of photos that lie where none are looked for."""
    strays = []
    for place in dict.fromkeys((folder, images_folder)):
        for file in _listing(place):
            suffix = file.suffix.lower()
            if file.name.startswith(".") or not is_text(file.name) or not file.is_file():
                continue
            if place != images_folder and suffix in IMAGE_SUFFIXES | OTHER_IMAGE_SUFFIXES:
                strays.append(Problem(file, f"Photos are looked for in {images_folder.name}/ only.", f"Move it into {images_folder.name}/."))
            elif place != captions_folder and suffix == ".txt" and file.stem in names:
                strays.append(Problem(file, f"Captions are looked for in {captions_folder.name}/ only.", f"Move it into {captions_folder.name}/."))
    return strays


def _sample(name: str, image: Path, caption_file: Path | None, captions_folder: Path, problems: list[Problem]) -> Sample:
    """Only a listed caption is read, so that a link that leads out never is."""
    if caption_file is None:
        return Sample(name, image, captions_folder / f"{name}.txt", None)
    try:
        caption = read_caption(caption_file)
    except UserError as error:
        problems.append(Problem(caption_file, error.what, error.fix))
        caption = None
    return Sample(name, image, caption_file, caption)


def _listing(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir())
    except OSError as error:
        raise UserError(f"The dataset folder cannot be read: {error.strerror}.", str(folder), "Give read permission on it.") from None


def _leads_out(path: Path, root: Path) -> bool:
    return not path.resolve().is_relative_to(root.resolve())


def natural(name: str) -> list[tuple[int, int, str]]:
    """photo2 before photo10."""
    return [(0, int(part), "") if part.isdecimal() else (1, 0, part.lower()) for part in re.split(r"(\d+)", name)]
