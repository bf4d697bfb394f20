"""History: every change to the photos and captions of a dataset can be taken back, also after a restart."""

from __future__ import annotations

import contextlib
import filecmp
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from core.dataset.names import studio_folder
from core.durable import read_json, storage_error, write_json
from core.errors import Refused

# What the oldest change kept is deleted then, photos too.
MOST_CHANGES = 200
PATIENCE = 20.0  # seconds
RECORD = "change.json"


@dataclass(frozen=True)
class Change:
    """`what` in words; `kept` holds each of the files as it was before and after, by its number."""

    what: str
    files: tuple[Path, ...]
    is_undone: bool
    kept: Path

    def before(self, number: int) -> Path:
        return self.kept / f"{number}.before"

    def after(self, number: int) -> Path:
        return self.kept / f"{number}.after"


def change(dataset: Path, what: str, contents: Mapping[Path, bytes | None]) -> None:
    """Write these files of the dataset, or remove those whose content is None: all of them or none.

    What was undone before can then no longer be redone. Raises UserError when the disk refuses, Refused while another change is at work.
    """
    with _alone(dataset) as history:
        for undone in (known for known in _changes(dataset, history) if known.is_undone):
            shutil.rmtree(undone.kept)
        added = _record(dataset, history, what, contents)
        try:
            _put_all(added, added.after)
        except OSError as error:
            _put_all(added, added.before)
            shutil.rmtree(added.kept)
            raise storage_error(error, dataset) from None
        for old in _changes(dataset, history)[:-MOST_CHANGES]:
            shutil.rmtree(old.kept)


def undo(dataset: Path) -> str:
    """Take the newest change back and say what it was. Raises Refused when there is none, or its files were changed elsewhere since."""
    with _alone(dataset) as history:
        last = _next_undo(_changes(dataset, history))
        if last is None:
            raise Refused("There is nothing to undo.", str(dataset))
        _check_inside(last, dataset)
        _check_untouched(last)
        _put_all(last, last.before)
        _mark(last, is_undone=True)
        return last.what


def redo(dataset: Path) -> str:
    """Make the change again that was undone last. Raises Refused as `undo` does."""
    with _alone(dataset) as history:
        first = _next_redo(_changes(dataset, history))
        if first is None:
            raise Refused("There is nothing to redo.", str(dataset))
        _check_inside(first, dataset)
        _check_untouched(first)
        _put_all(first, first.after)
        _mark(first, is_undone=False)
        return first.what


def next_steps(dataset: Path) -> tuple[str | None, str | None]:
    """What undo would take back and what redo would make again, in words."""
    known = _changes(dataset, studio_folder(dataset) / "history")
    last, first = _next_undo(known), _next_redo(known)
    return last.what if last else None, first.what if first else None


@contextlib.contextmanager
def _alone(dataset: Path) -> Iterator[Path]:
    """The folder of the history, while nobody else changes it."""
    history = studio_folder(dataset) / "history"
    try:
        history.mkdir(parents=True, exist_ok=True)
        with FileLock(history / ".lock", timeout=PATIENCE):
            yield history
    except Timeout:
        raise Refused("Another change of these photos is at work.", str(dataset), "Try again in a moment.") from None
    except OSError as error:
        raise storage_error(error, dataset) from None


def _changes(dataset: Path, history: Path) -> list[Change]:
    """Oldest first. A record that cannot be read hides its change, no other."""
    found = []
    for kept in sorted(history.iterdir()) if history.is_dir() else []:
        try:
            record = read_json(kept / RECORD)
            found.append(Change(record["what"], tuple(dataset / file for file in record["files"]), record["is_undone"], kept))
        except (OSError, ValueError, KeyError, TypeError):
            continue
    return found


def _next_undo(changes: list[Change]) -> Change | None:
    return next((known for known in reversed(changes) if not known.is_undone), None)


def _next_redo(changes: list[Change]) -> Change | None:
    return next((known for known in changes if known.is_undone), None)


def _record(dataset: Path, history: Path, what: str, contents: Mapping[Path, bytes | None]) -> Change:
    """Everything that undo and redo need, on disk before any file changes."""
    newest = max((int(entry.name) for entry in history.iterdir() if entry.name.isdecimal()), default=0)
    hidden = history / f".tmp-{os.getpid()}"
    shutil.rmtree(hidden, ignore_errors=True)
    hidden.mkdir()
    added = Change(what, tuple(contents), False, hidden)
    try:
        for number, (file, content) in enumerate(contents.items()):
            if file.exists():
                shutil.copy2(file, added.before(number))
            if content is not None:
                added.after(number).write_bytes(content)
        write_json(hidden / RECORD, {"what": what, "files": [file.relative_to(dataset).as_posix() for file in contents], "is_undone": False})
        kept = history / f"{newest + 1:06d}"
        hidden.rename(kept)
    except BaseException:
        shutil.rmtree(hidden, ignore_errors=True)
        raise
    return Change(what, added.files, False, kept)


def _mark(changed: Change, is_undone: bool) -> None:
    record = read_json(changed.kept / RECORD)
    write_json(changed.kept / RECORD, {**record, "is_undone": is_undone})


def _check_inside(changed: Change, dataset: Path) -> None:
    """A record may have come with photos from elsewhere, and then names whatever somebody wished to overwrite."""
    for file in changed.files:
        if not file.resolve().is_relative_to(dataset.resolve()):
            raise Refused(f"'{changed.what}' names a file outside of this dataset, which was left alone.", str(file), f"The studio does not write such a record; delete {changed.kept}.")


def _check_untouched(changed: Change) -> None:
    """A file must be as this change left it or found it: a kill may have come between two files."""
    for number, file in enumerate(changed.files):
        if not (_same(file, changed.after(number)) or _same(file, changed.before(number))):
            raise Refused(f"{file.name} was changed elsewhere since '{changed.what}'.", str(file), "It was left as it is. Edit it by hand.")


def _same(file: Path, kept: Path) -> bool:
    if not file.exists() or not kept.exists():
        return file.exists() == kept.exists()
    return filecmp.cmp(file, kept, shallow=False)


def _put_all(changed: Change, kept_as: Callable[[int], Path]) -> None:
    for number, file in enumerate(changed.files):
        kept = kept_as(number)
        if not kept.exists():
            file.unlink(missing_ok=True)
        elif not _same(file, kept):
            file.parent.mkdir(parents=True, exist_ok=True)
            temporary = file.with_name(f".{file.name}.{os.getpid()}.tmp")
            shutil.copy2(kept, temporary)
            os.replace(temporary, file)

