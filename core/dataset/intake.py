"""Adding photos and captions to a dataset: checked, under a safe name, never over something that is there."""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass
from pathlib import Path

from core.dataset.captions import read_caption
from core.dataset.folder import IMAGE_SUFFIXES, OTHER_IMAGE_SUFFIXES
from core.dataset.imaging import open_upright
from core.durable import storage_error
from core.errors import UserError

UNSAFE = re.compile(r"[^\w.() -]+")


@dataclass(frozen=True)
class Intake:
    """File names that were added, and a sentence for each file that was not."""

    added: tuple[str, ...]
    refused: tuple[str, ...]


def add_files(files: list[Path], folder: Path) -> Intake:
    """Copy readable photos and captions into the dataset, in its layout. Raises UserError when the disk refuses."""
    added, refused = [], []
    for file in files:
        try:
            added.append(_add(file, folder))
        except UserError as error:
            refused.append(f"{file.name}: {error.what} {error.fix}".strip())
        except OSError as error:
            raise storage_error(error, folder) from None
    return Intake(tuple(added), tuple(refused))


def _add(file: Path, folder: Path) -> str:
    suffix = file.suffix.lower()
    if suffix in IMAGE_SUFFIXES:
        open_upright(file)
        places = ("images",)
    elif suffix == ".txt":
        read_caption(file)
        places = ("captions", "images")
    elif suffix in OTHER_IMAGE_SUFFIXES:
        raise UserError(f"{suffix[1:].upper()} is not read here.", file.name, "Save it as JPG or PNG.")
    else:
        raise UserError("It is neither a photo (JPG, PNG, WebP) nor a caption (.txt).", file.name)
    target_folder = next((folder / place for place in places if (folder / place).is_dir()), folder)
    if not target_folder.resolve().is_relative_to(folder.resolve()):
        raise UserError(f"{target_folder.name}/ is a link that leads out of the dataset.", str(target_folder), "Replace it by a folder.")
    target_folder.mkdir(parents=True, exist_ok=True)
    target = target_folder / safe_name(file.name)
    if target.exists():
        raise UserError("There is a file of that name already; nothing was overwritten.", file.name, "Rename it first.")
    hidden = target.with_name(f".{target.name}.part")
    try:
        shutil.copyfile(file, hidden)
        hidden.rename(target)
    finally:
        hidden.unlink(missing_ok=True)
    return target.name


def safe_name(name: str) -> str:
    """The last part of a name without anything that could lead elsewhere; letters of all scripts stay."""
    cleaned = UNSAFE.sub("_", Path(name.replace("\\", "/")).name).strip(". ")
    stem, suffix = Path(cleaned).stem[:80].rstrip(". ") or "photo", Path(cleaned).suffix.lower()
    return stem + suffix
