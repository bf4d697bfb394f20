"""Runs that were deleted lie aside for some days in output/.trash/, from where they come back whole; then they go for good."""

from __future__ import annotations

import os
import secrets
import shutil
import time
from dataclasses import dataclass
from pathlib import Path

from core.durable import read_json, storage_error, write_json
from core.errors import Refused
from core.runs import Run, RunStore

DAYS_KEPT = 7
RECORD = "record.json"


@dataclass(frozen=True)
class Deleted:
    """A run that lies aside: its folder in the trash, its name, the dataset it was trained on, and when it was deleted (seconds since 1970)."""

    place: Path
    name: str
    dataset: Path
    deleted: float

    @property
    def identity(self) -> str:
        return self.place.name

    def goes_for_good(self) -> float:
        return self.deleted + DAYS_KEPT * 86400


class Trash:
    """Everything of a run moves by renames within the output folder: its folder, samples and LoRA files."""

    def __init__(self, store: RunStore) -> None:
        self.store = store
        self.root = store.root / ".trash"

    def listing(self) -> list[Deleted]:
        """Newest first. What has no readable record is no entry, and is swept like one by the age of its folder."""
        if not self.root.is_dir():
            return []
        found = [deleted for place in self.root.iterdir() if place.is_dir() and not place.is_symlink() and (deleted := _read(place))]
        return sorted(found, key=lambda deleted: deleted.deleted, reverse=True)

    def delete(self, name: str) -> Deleted:
        """Move a run aside. Raises Refused while it is trained, UserError when the disk refuses; then it stays where it is."""
        run = self.store.load(name)
        if self.store.is_training(run):
            raise Refused(f"'{name}' is being trained.", str(run.folder), "Stop it first.")
        place = self.root / f"{time.strftime('%Y%m%d-%H%M%S')}-{secrets.token_hex(4)}"
        try:
            place.mkdir(parents=True)
            write_json(place / RECORD, {"name": name, "dataset": run.settings.dataset.folder, "deleted": time.time()})
            _move({source: place / part for part, source in _parts(run).items()})
        except OSError as error:
            shutil.rmtree(place, ignore_errors=True)
            raise storage_error(error, place) from None
        return Deleted(place, name, Path(run.settings.dataset.folder), time.time())

    def undo(self, identity: str) -> str:
        """Move it back and return its name. Raises Refused when it is gone or its name was taken meanwhile; then nothing was moved."""
        deleted = self.find(identity)
        folders = _folders_of(self.store.root, deleted.name)
        back = {part: folders.get(part.name, self.store.root / part.name) for part in deleted.place.iterdir() if part.name != RECORD}
        taken = [target for target in back.values() if target.exists()]
        if taken:
            raise Refused(f"There is another '{deleted.name}' by now.", str(taken[0]), "Delete or rename that one first.")
        try:
            _move(back)
            shutil.rmtree(deleted.place)
        except OSError as error:
            raise storage_error(error, deleted.place) from None
        return deleted.name

    def find(self, identity: str) -> Deleted:
        found = next((deleted for deleted in self.listing() if deleted.identity == identity), None)
        if found is None:
            raise Refused("That run is not in the trash any more.", "", "")
        return found

    def empty(self) -> int:
        """Everything goes for good; how many runs that were."""
        gone = self.listing()
        for deleted in gone:
            shutil.rmtree(deleted.place)
        return len(gone)

    def sweep(self, now: float) -> None:
        """What has lain here for DAYS_KEPT goes for good."""
        for place in self.root.iterdir() if self.root.is_dir() else ():
            deleted = _read(place)
            since = deleted.deleted if deleted else place.lstat().st_mtime
            if place.is_dir() and not place.is_symlink() and since + DAYS_KEPT * 86400 < now:
                shutil.rmtree(place)

    def of_dataset(self, folder: Path) -> list[Deleted]:
        return [deleted for deleted in self.listing() if deleted.dataset.resolve() == folder.resolve()]


def _folders_of(output: Path, name: str) -> dict[str, Path]:
    """Where the folders of a run belong, by their name in the trash; files lie there under their own names."""
    return {"run": output / name, "samples": output / "samples" / name}


def _parts(run: Run) -> dict[str, Path]:
    """Those that are there; the folder with the run's record last, so that a move that was cut off leaves a run that can be deleted again."""
    there = {file.name: file for file in (*run.published_files(), *run.card_grids())} | {part: path for part, path in _folders_of(run.output, run.name).items() if path.exists()}
    return {part: there[part] for part in sorted(there, key=lambda part: part == "run")}


def _move(moves: dict[Path, Path]) -> None:
    """All or none: what was moved goes back when one cannot be."""
    done: list[tuple[Path, Path]] = []
    try:
        for source, target in moves.items():
            target.parent.mkdir(parents=True, exist_ok=True)
            os.rename(source, target)
            done.append((source, target))
    except OSError:
        for source, target in reversed(done):
            os.rename(target, source)
        raise


def _read(place: Path) -> Deleted | None:
    try:
        record = read_json(place / RECORD)
        name = record["name"]
        if not isinstance(name, str) or Path(name).name != name or name.startswith("."):
            return None
        return Deleted(place, name, Path(record["dataset"]), float(record["deleted"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None
