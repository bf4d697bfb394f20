"""Traces: everything the studio keeps of one person, shown before it goes, and its deletion."""

from __future__ import annotations

import contextlib
import os
import shutil
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from core.dataset.folder import IMAGE_SUFFIXES, OTHER_IMAGE_SUFFIXES
from core.dataset.names import STUDIO_FOLDER, class_folder
from core.errors import UserError
from core.evaluation.grid import evaluations_folder, load_grid
from core.events import Phase, RunEvent, RunFinished
from core.runs import Run, RunStore
from core.trash import Trash

# In the cache, but of drawn people only, and costly to make again.
DRAWN_PEOPLE = frozenset({"pocket", "scorecard", "evaluation-truth", "early-stop"})


@dataclass(frozen=True)
class Trace:
    """One kind of thing that is kept: files and whole folders, how many files that is, and their size."""

    what: str
    paths: tuple[Path, ...]
    files: int
    bytes: int


@dataclass(frozen=True)
class Traces:
    """`goes` in the order of deletion; `loras` go only when asked; `stays` is what lies there and is none of the studio's."""

    folder: Path
    goes: tuple[Trace, ...]
    loras: Trace
    stays: tuple[Path, ...]


def traces_of(folder: Path, analysis: Path, cache: Path, store: RunStore) -> Traces:
    """What is kept of the person in `folder`; `analysis` is the folder of its reports. Nothing is changed.

    The cache goes as a whole: its names are made from contents, so nobody can say whose they are, and it fills again.
    """
    runs, unreadable = _runs_on(folder, store)
    deleted = Trash(store).of_dataset(folder)
    loras = [file for run in runs for file in run.published_files()]
    photos, captions, stays = _files_of(folder)
    goes = (
        _trace("strength grids", _grids_of(folder, runs, [run.name for run in deleted if run.name not in store.names()], store)),
        _trace("grids of model cards", [picture for run in runs for picture in run.card_grids()]),
        _trace("samples", [run.samples_folder for run in runs]),
        _trace("runs with their checkpoints", [run.folder for run in runs]),
        _trace("deleted runs with their LoRAs", [run.place for run in deleted]),
        _trace("analyses", [analysis]),
        _trace("encoded photos and captions, of everybody", [entry for entry in _entries(cache) if entry.name not in DRAWN_PEOPLE]),
        _trace("class photos drawn for the person, with captions made of the person's", sorted(class_folder(folder).glob("class-*.*"))),
        _trace("originals, deleted photos, half-sent files", [folder / STUDIO_FOLDER]),
        _trace("captions", captions),
        _trace("photos", photos),
    )
    return Traces(folder, tuple(trace for trace in goes if trace.paths), _trace("LoRA files", loras), (*stays, *unreadable))


def purge(traces: Traces, with_loras: bool) -> Iterator[RunEvent]:
    """Delete what was shown, photos last, so that a purge that was broken off can be asked for again.

    Yields progress. Call only while holding the lock of the store. Raises OSError when something cannot be deleted.
    """
    began = time.monotonic()
    goes = (traces.loras, *traces.goes) if with_loras else traces.goes
    for done, trace in enumerate(goes):
        yield Phase(what=f"Deleting {trace.what}", done=done, total=len(goes))
        for path in trace.paths:
            _delete(path)
    for folder in (traces.folder / "images", traces.folder / "captions", traces.folder, class_folder(traces.folder)):
        with contextlib.suppress(OSError):  # it holds what stays, or is a mount
            folder.rmdir()
    yield RunFinished(seconds=time.monotonic() - began)


def _runs_on(folder: Path, store: RunStore) -> tuple[list[Run], list[Path]]:
    """Runs trained on these photos, and folders of runs whose record cannot be read."""
    runs, unreadable = [], []
    for name in store.names():
        try:
            run = store.load(name)
        except UserError:
            unreadable.append(store.root / name)
            continue
        if Path(run.settings.dataset.folder).resolve() == folder.resolve():
            runs.append(run)
    return runs, unreadable


def _grids_of(folder: Path, runs: Iterable[Run], deleted: Iterable[str], store: RunStore) -> list[Path]:
    """Of the person's LoRAs, there or not, and those that were compared with their photos. One that was broken off before its first row is known by its name alone."""
    files = {file.name for run in runs for file in (run.lora_file, run.transformer_only_file, *run.published_files())} | {f"{name}.safetensors" for name in deleted}
    stems = tuple(f"{Path(file).stem}-" for file in files)
    found = []
    for entry in _entries(evaluations_folder(store.root)):
        try:
            request = load_grid(entry.name, store.root).request
            is_ours = Path(request.lora).name in files or (bool(request.dataset) and Path(request.dataset).resolve() == folder.resolve())
        except UserError:
            is_ours = entry.name.startswith(stems) if stems else False
        if is_ours:
            found.append(entry)
    return found


def _files_of(folder: Path) -> tuple[list[Path], list[Path], list[Path]]:
    """Photos, captions, and what is neither, in both layouts of the guide. Links are deleted, never followed."""
    photos, captions, stays = [], [], []
    for place in (folder, folder / "images", folder / "captions"):
        if place.is_symlink() and place != folder:
            continue
        for entry in _entries(place):
            suffix = entry.suffix.lower()
            if entry.is_dir() and not entry.is_symlink():
                stays += [] if entry.name in (STUDIO_FOLDER, "images", "captions") else [entry]
            elif suffix in IMAGE_SUFFIXES | OTHER_IMAGE_SUFFIXES:
                photos.append(entry)
            elif suffix == ".txt":
                captions.append(entry)
            else:
                stays.append(entry)
    return photos, captions, stays


def _entries(folder: Path) -> list[Path]:
    return sorted(folder.iterdir()) if folder.is_dir() else []


def _trace(what: str, paths: Iterable[Path]) -> Trace:
    there = tuple(path for path in paths if path.exists() or path.is_symlink())
    sizes = [size for path in there for size in _sizes(path)]
    return Trace(what, there, len(sizes), sum(sizes))


def _sizes(path: Path) -> Iterator[int]:
    if path.is_symlink() or not path.is_dir():
        yield path.lstat().st_size
        return
    for folder, _, names in os.walk(path):
        yield from (os.lstat(os.path.join(folder, name)).st_size for name in names)


def _delete(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
