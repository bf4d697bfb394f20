"""What is told of past runs: how each ended, what its settings differ in, a note, and its files as one archive."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.durable import parse_json, storage_error, write_atomic
from core.errors import Refused, UserError
from core.presets import load_preset, preset_names
from core.runs import Run, RunStore
from core.settings import Settings, declarations, flatten, parse_settings

LONGEST_NOTE = 2000
NOTE_FILE = "note.txt"
# Differences of these say nothing about how a run was trained.
NOT_COMPARED = frozenset({"run.name", "run.output"})


@dataclass(frozen=True)
class Account:
    """A run in figures, from its log alone; `ended` is finished, stopped, failed or "" for one that did not end."""

    name: str
    started: float
    ended: str
    step: int
    steps: int
    seconds: float
    fixed_loss: float | None
    held_out: float | None


@dataclass(frozen=True)
class Difference:
    """One setting in which two runs differ, in words."""

    key: str
    title: str
    mine: str
    theirs: str


def account_of(run: Run) -> Account:
    """Reads the log line by line and keeps no event: a page of many long runs stays small."""
    started, ended, step, steps, seconds, fixed, held_out = 0.0, "", 0, 0, 0.0, None, None
    try:
        for record in _records(run.log.file):
            kind = record.get("kind")
            if kind == "run_started":
                started, steps, ended = started or record["time"], record["steps"], ""
            elif kind == "step":
                step = record["step"]
            elif kind == "fixed_noise":
                fixed, held_out = record["loss"], record.get("held_out")
            elif kind in ("finished", "stopped", "failed"):
                ended, seconds = ("" if record.get("by") == "shutdown" else kind), seconds + record.get("seconds", 0.0)
    except (OSError, KeyError, TypeError) as error:
        raise UserError(f"The log of '{run.name}' cannot be read: {error}", str(run.log.file), "Its files are still there; delete the run when you need none of them.") from None
    return Account(run.name, started or run.folder.stat().st_mtime, ended, step, steps or run.settings.train.steps, seconds, fixed, held_out)


def _records(log: Path) -> Iterator[dict[str, Any]]:
    """None of a run that has not begun to write."""
    if not log.exists():
        return
    with open(log, "rb") as lines:
        yield from map(_parsed, lines)


def _parsed(line: bytes) -> dict[str, Any]:
    """A torn or foreign line tells nothing."""
    try:
        record = parse_json(line)
    except ValueError:
        return {}
    return record if isinstance(record, dict) else {}


def differences(mine: Settings, theirs: Settings) -> list[Difference]:
    """In the order of the declarations."""
    one, other = flatten(mine), flatten(theirs)
    return [Difference(d.key, d.title, in_words(one[d.key]), in_words(other[d.key])) for d in declarations() if d.key not in NOT_COMPARED and one[d.key] != other[d.key]]


def in_words(value: object) -> str:
    """A value of a setting as people read it."""
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, tuple):
        return " | ".join(map(str, value)) or "none"
    return f"{value:g}" if isinstance(value, float) else str(value) or "none"


def preset_of(run: Run) -> str:
    """The one it was made from; for a run of old, the one it differs from least."""
    known = preset_names()
    if run.preset in known:
        return run.preset
    return min(known, key=lambda name: len(differences(run.settings, preset_settings(name))))


def preset_settings(name: str) -> Settings:
    """The preset alone, without variables."""
    return parse_settings(load_preset(name).differences)


def note_of(run: Run) -> str:
    try:
        return (run.folder / NOTE_FILE).read_text(encoding="utf-8", errors="replace")[:LONGEST_NOTE]
    except OSError:
        return ""


def write_note(name: str, text: str, store: RunStore) -> None:
    """Raises Refused for a note that is too long, UserError for no such run or a disk that refuses."""
    run = store.load(name)
    clean = re.sub(r"[\x00-\x08\x0b-\x1f]", "", text).strip()
    if len(clean) > LONGEST_NOTE:
        raise Refused(f"The note has {len(clean)} characters; {LONGEST_NOTE} fit.", "note", "Shorten it.")
    try:
        write_atomic(run.folder / NOTE_FILE, clean.encode("utf-8", "replace"))
    except OSError as error:
        raise storage_error(error, run.folder) from None
