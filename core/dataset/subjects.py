"""Subjects: one folder per person, side by side under data/."""

from __future__ import annotations

from pathlib import Path

from core.dataset.names import check_subject_name
from core.durable import storage_error

DATA_FOLDER = Path("data")
# Latents, embeddings and measures by content; may be deleted at any time.
CACHE_FOLDER = DATA_FOLDER / "cache"
# What was measured of photos, by content; face embeddings too.
MEASURES_FOLDER = CACHE_FOLDER / "analysis"


def create_subject(name: str, data: Path = DATA_FOLDER) -> Path:
    """An empty dataset folder. Raises Refused for a name that is taken or no name, UserError when the disk refuses."""
    taken = [entry.name for entry in data.iterdir()] if data.is_dir() else []
    folder = data / check_subject_name(name, [*taken, CACHE_FOLDER.name])
    try:
        folder.mkdir(parents=True)
    except OSError as error:
        raise storage_error(error, folder) from None
    return folder
