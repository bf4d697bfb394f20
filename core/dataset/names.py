"""Names from elsewhere, made into file names that are safe on every disk and read the same on every screen."""

from __future__ import annotations

import re
import unicodedata
from pathlib import Path

from core.errors import Refused

# The studio's own folder beside the photos of a dataset: half-sent files, originals, what was deleted.
STUDIO_FOLDER = ".studio"
UNSAFE = re.compile(r"[^\w.() -]+")
# https://learn.microsoft.com/windows/win32/fileio/naming-a-file
WINDOWS_DEVICES = re.compile(r"^(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³])(\.|$)", re.IGNORECASE)
LONGEST_STEM = 80
LONGEST_STEM_BYTES = 200  # of the 255 a file name may have: room for suffix, number and the mark of a half-written file
LONGEST_SUBJECT = 40


def studio_folder(dataset: Path) -> Path:
    """Where the studio keeps what belongs to a dataset. Raises Refused for a link, which could lead anywhere."""
    folder = dataset / STUDIO_FOLDER
    if folder.is_symlink():
        raise Refused(f"{STUDIO_FOLDER} is a link.", str(folder), "Remove the link; the studio makes a folder in its place.")
    return folder


def class_folder(dataset: Path) -> Path:
    """Where photos of other people are drawn for a dataset: data/anna -> data/anna-class."""
    return dataset.with_name(f"{dataset.name}-class")


def safe_name(name: str) -> str:
    """The last part of a name with a safe stem; the suffix is in lower case."""
    last = Path(name.replace("\\", "/").replace("\x00", "_").rstrip(". ")).name
    return safe_stem(Path(last).stem) + UNSAFE.sub("_", Path(last).suffix.lower())


def safe_stem(stem: str) -> str:
    """A stem without anything that could lead elsewhere or mislead the eye; letters of all scripts stay.

    Never empty, hidden, an option, a Windows device, or longer than a disk allows.
    """
    cleaned = UNSAFE.sub("_", unicodedata.normalize("NFC", stem)).strip(". -")[:LONGEST_STEM]
    cleaned = cleaned.encode()[:LONGEST_STEM_BYTES].decode("utf-8", "ignore").rstrip(". ")
    if not cleaned.strip("_."):
        return "photo"
    return f"photo-{cleaned}" if WINDOWS_DEVICES.match(cleaned) else cleaned


def same_on_some_disks(name: str) -> str:
    """Two names with the same answer are one file on disks that do not tell capitals apart."""
    return unicodedata.normalize("NFC", name).casefold()


def check_subject_name(name: str, taken: list[str]) -> str:
    """The name of a person's folder without the spaces around it. Raises Refused with a better name where there is one."""
    wish = name.strip()
    safe = safe_name(wish).replace(" ", "-")
    if not wish or len(wish) > LONGEST_SUBJECT or wish != safe:
        better = safe[:LONGEST_SUBJECT]
        raise Refused(f"'{wish[:80]}' cannot be the name of a folder.", "name of the person", f"Use at most {LONGEST_SUBJECT} letters, digits, dashes and underscores, such as '{better}'.")
    if same_on_some_disks(wish) in map(same_on_some_disks, taken):
        raise Refused(f"There is a folder called '{wish}' already.", "name of the person", "Choose it in the list, or use another name.")
    return wish
