"""Dataset: the photos of a folder with their captions, in both layouts of the guide, and what could not be used."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from core.dataset.captions import Caption, read_caption
from core.errors import UserError

IMAGE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp"})
OTHER_IMAGE_SUFFIXES = frozenset({".heic", ".heif", ".avif", ".gif", ".bmp", ".tif", ".tiff", ".jxl", ".raw", ".dng"})


@dataclass(frozen=True)
class Sample:
    """One photo; `name` is its file name without suffix and unique in the dataset. `caption_file` may not exist yet."""

    name: str
    image: Path
    caption_file: Path
    caption: Caption | None


@dataclass(frozen=True)
class Problem:
    """A file that is not used, and why."""

    file: Path
    what: str
    fix: str


@dataclass(frozen=True)
class Dataset:
    folder: Path
    samples: tuple[Sample, ...]
    orphan_captions: tuple[Path, ...]
    problems: tuple[Problem, ...]


def open_dataset(folder: Path) -> Dataset:
    """images/ with captions/, or photos and captions side by side. Raises UserError when the folder is missing."""
    if not folder.is_dir():
        raise UserError("The dataset folder is not there.", str(folder), "Create it and put 15 to 30 photos in it, or set DATA_DIR.")
    images_folder = folder / "images" if (folder / "images").is_dir() else folder
    captions_folder = folder / "captions" if (folder / "captions").is_dir() else images_folder
    problems: list[Problem] = []
    photos: dict[str, Path] = {}
    for file in _visible_files(images_folder, folder, problems):
        suffix = file.suffix.lower()
        if suffix in OTHER_IMAGE_SUFFIXES:
            problems.append(Problem(file, f"{suffix[1:].upper()} is not read here.", "Save it as JPG or PNG."))
        elif suffix in IMAGE_SUFFIXES and file.stem in photos:
            problems.append(Problem(file, f"There is another photo called '{file.stem}' ({photos[file.stem].name}), and they would share one caption.", "Rename one of them."))
        elif suffix in IMAGE_SUFFIXES:
            photos[file.stem] = file
    captions = {file.stem: file for file in _visible_files(captions_folder, folder, problems) if file.suffix.lower() == ".txt"}
    samples = [_sample(name, photos[name], captions.get(name, captions_folder / f"{name}.txt"), problems) for name in sorted(photos, key=_natural)]
    orphans = [captions[name] for name in sorted(captions, key=_natural) if name not in photos]
    return Dataset(folder, tuple(samples), tuple(orphans), tuple(problems))


def sample_named(dataset: Dataset, name: str) -> Sample:
    """Raises UserError for a name that is not in the listing; a name never becomes a path."""
    for sample in dataset.samples:
        if sample.name == name:
            return sample
    raise UserError(f"There is no photo called '{name[:80]}'.", str(dataset.folder), "Reload the page; the photo may have been removed.")


def _visible_files(folder: Path, root: Path, problems: list[Problem]) -> list[Path]:
    """Files that are not hidden; a link that leads out of the dataset is a problem, not a photo."""
    found = []
    for file in sorted(folder.iterdir()):
        if file.name.startswith(".") or not file.is_file():
            continue
        if file.is_symlink() and not file.resolve().is_relative_to(root.resolve()):
            problems.append(Problem(file, "It is a link that leads out of the dataset.", "Copy the file itself."))
            continue
        found.append(file)
    return found


def _sample(name: str, image: Path, caption_file: Path, problems: list[Problem]) -> Sample:
    caption = None
    if caption_file.is_file():
        try:
            caption = read_caption(caption_file)
        except UserError as error:
            problems.append(Problem(caption_file, error.what, error.fix))
    return Sample(name, image, caption_file, caption)


def _natural(name: str) -> list[tuple[int, int, str]]:
    """photo2 before photo10."""
    return [(0, int(part), "") if part.isdigit() else (1, 0, part.lower()) for part in re.split(r"(\d+)", name)]
